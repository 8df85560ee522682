"""Every request we send to Zendesk messaging, judged by its own published description."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from judged import connected, judging
from vendors.sunshine import APP, KEY_ID, KEY_SECRET, STARTED, FakeSunshine, settings

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Fatal, InvalidSettings, Rejected, Retryable, Unsupported
from adapters.model import (
    Attachment,
    Author,
    ConversationRecord,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Person,
    PullKind,
    Reply,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.testing.judge import Judge

SINCE = STARTED - timedelta(minutes=1)


@pytest.fixture
def sunshine() -> FakeSunshine:
    """The other side; pages of its message lists are short."""
    return FakeSunshine(page_size=4)


@pytest.fixture
def judge(reference: Path, sunshine: FakeSunshine) -> Iterator[Judge]:
    """The published description between us and it."""
    with judging(
        reference / "vendor-specs/sunshine/openapi-17.12.1.yaml", sunshine, base_path="/sc"
    ) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("sunshine", settings(), judge) as adapter:
        yield adapter


def reply(thread: str, text: str = "您好！", **more: Any) -> Reply:
    """A reply of the AI."""
    return Reply(**{"key": "cmd-1", "conversation_id": thread, "text": text, "author": Author.AI} | more)


def upload(name: str, content_type: str = "image/png", size: int = 9) -> Upload:
    """A spooled file."""
    return Upload(name=name, content_type=content_type, size=size, file=io.BytesIO(b"\x89PNG file"))


def attached(*uploads: Upload) -> tuple[Attachment, ...]:
    """What the command says of them."""
    return tuple(Attachment(id=str(n), url="https://x.example/f") for n, _ in enumerate(uploads))


async def test_the_ai_replies_for_the_business(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Marked with our key; the vendor's id and time come back."""
    thread = sunshine.customer_says("有人嗎？")
    pushed = await adapter.push(reply(thread.id))
    (said,) = sunshine.said(thread)
    assert (pushed.id, pushed.at) == (said["id"], datetime.fromisoformat(said["received"]))
    assert said["content"] == {"type": "text", "text": "您好！"}
    assert said["author"] == {"type": "business"}
    assert said["metadata"] == {"deskbridge_key": "cmd-1", "deskbridge_author": "ai"}


async def test_a_name_and_a_disclaimer_for_the_ai(judge: Judge, sunshine: FakeSunshine) -> None:
    """Both are settings: customers see the name, and Zendesk says that an AI wrote it."""
    given = settings() | {"bot_name": "Sail", "ai_disclaimer": True}
    adapter = registry.build("sunshine", given, transport=judge)
    thread = sunshine.customer_says("hi")
    await adapter.push(reply(thread.id))
    assert sunshine.said(thread)[0]["author"] == {
        "type": "business",
        "displayName": "Sail",
        "subtypes": ["AI"],
    }


async def test_a_person_replies_under_their_name(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """It is shown by Zendesk; the text stays as it is."""
    thread = sunshine.customer_says("hi")
    person = Person("desk-7", "王芳")
    await adapter.push(reply(thread.id, "我来帮您", author=Author.AGENT, person=person))
    (said,) = sunshine.said(thread)
    assert (said["author"]["displayName"], said["content"]["text"]) == ("王芳", "我来帮您")
    assert said["metadata"]["deskbridge_author"] == "agent"


async def test_the_customers_words_from_elsewhere_are_the_customers(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """They are said as the conversation's one participant."""
    thread = sunshine.customer_says("hi")
    await adapter.push(reply(thread.id, "from Chatwoot", author=Author.CUSTOMER))
    assert thread.messages[-1]["author"]["userId"] == thread.user["id"]
    assert thread.messages[-1]["content"]["text"] == "from Chatwoot"


async def test_a_file_rides_with_the_text(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """It is uploaded for this conversation first, then sent in one message."""
    thread = sunshine.customer_says("the receipt?")
    file = upload("收據 1.png")
    await adapter.push(reply(thread.id, "here", attachments=attached(file)), (file,))
    (said,) = sunshine.said(thread)
    assert said["content"]["type"] == "image"
    assert (said["content"]["text"], said["content"]["altText"]) == ("here", "收據 1.png")
    assert list(sunshine.files.values()) == [b"\x89PNG file"]


async def test_of_several_files_none_is_sent_twice(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """When it breaks off half-way, nothing counts as sent; the next try sends just what is missing."""
    thread = sunshine.customer_says("the papers?")
    files = (upload("a.png"), upload("b.pdf", "application/pdf"), upload("c.png"))
    command = reply(thread.id, "all three", attachments=attached(*files))
    await adapter.push(command, files)
    del thread.messages[-2:]
    asked = FindMessage(
        conversation_id=thread.id, token="cmd-1", text="all three", private=False, since=SINCE
    )
    assert await adapter.find(asked) is None
    sunshine.log.clear()
    pushed = await adapter.push(command, files)
    assert sunshine.log == [
        f"GET conversations/{thread.id}/messages",
        *["POST attachments", f"POST conversations/{thread.id}/messages"] * 2,
    ]
    contents = [each["content"] for each in sunshine.said(thread)]
    assert [(each["type"], each["altText"]) for each in contents] == [
        ("image", "a.png"),
        ("file", "b.pdf"),
        ("image", "c.png"),
    ]
    assert [each.get("text") for each in contents] == ["all three", None, None]
    assert pushed.id == sunshine.said(thread)[0]["id"]
    found = await adapter.find(asked)
    assert isinstance(found, MessageRecord)


async def test_what_is_too_large_is_not_even_tried(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Messages of more than 4,096 characters, files of more than 50 MB."""
    thread = sunshine.customer_says("hi")
    with pytest.raises(Rejected, match="4096 characters"):
        await adapter.push(reply(thread.id, "長" * 4097))
    large = upload("film.mp4", "video/mp4", size=50 * 1024 * 1024 + 1)
    with pytest.raises(Rejected, match="52428800 bytes"):
        await adapter.push(reply(thread.id, attachments=attached(large)), (large,))
    assert sunshine.log == []
    await adapter.push(reply(thread.id, "長" * 4096))


async def test_a_full_conversation_rejects_what_is_said(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """423 after 30,000 messages: it parks with the cure, and the connection goes on."""
    thread = sunshine.customer_says("hi")
    thread.full = True
    with pytest.raises(Rejected, match="delete its messages") as caught:
        await adapter.push(reply(thread.id))
    assert caught.value.status == 423


async def test_too_many_requests_say_no_time(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """429 comes without Retry-After: the engine backs off by itself, and nothing is in doubt."""
    thread = sunshine.customer_says("hi")
    sunshine.fails = [429]
    with pytest.raises(Retryable) as caught:
        await adapter.push(reply(thread.id))
    assert (caught.value.retry_after, caught.value.outcome_unknown) == (None, False)


async def test_our_message_is_found_by_its_mark(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Also behind pages of later ones, though no further back than asked; the same words are not enough."""
    thread = sunshine.customer_says("hi")
    pushed = await adapter.push(reply(thread.id))
    for number in range(9):
        sunshine.agent_says(thread, f"later {number}")
    sunshine.agent_says(thread, "您好！")
    asked = FindMessage(conversation_id=thread.id, token="cmd-1", text="您好！", private=False, since=SINCE)
    found = await adapter.find(asked)
    assert isinstance(found, MessageRecord)
    assert (found.id, found.token, found.author) == (pushed.id, "cmd-1", Author.AI)
    lost = FindMessage(conversation_id=thread.id, token="cmd-2", text="您好！", private=False, since=SINCE)
    assert await adapter.find(lost) is None
    sunshine.log.clear()
    recent = datetime(2026, 11, 14, 11, 59, tzinfo=UTC)
    late = FindMessage(conversation_id=thread.id, token="cmd-2", text="x", private=False, since=recent)
    assert await adapter.find(late) is None
    assert len(sunshine.log) == 1


async def test_a_mark_from_a_customers_device_proves_nothing(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """Widgets can put metadata into what customers send."""
    thread = sunshine.customer_says("hi")
    thread.messages[-1]["metadata"] = {"deskbridge_key": "cmd-1", "deskbridge_author": "ai"}
    asked = FindMessage(conversation_id=thread.id, token="cmd-1", text="hi", private=False, since=SINCE)
    assert await adapter.find(asked) is None


async def test_users_are_found_by_id_external_id_and_email(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """One path takes both ids: what was found by the other one is not what was asked for."""
    email = [{"type": "email", "value": "chen@example.com", "verification": "embed"}]
    user = sunshine.welcome(externalId="shop/88213", identities=email, authenticated=True)
    for kind, value in (
        (IdentityKind.VENDOR, user["id"]),
        (IdentityKind.EXTERNAL, "shop/88213"),
        (IdentityKind.EMAIL, "chen@example.com"),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert (found.id, found.name, found.language) == (user["id"], "雅婷 陳", "zh-TW")
        assert Identity(kind, value, verified=kind is not IdentityKind.VENDOR) in found.identities
    for kind, value in (
        (IdentityKind.VENDOR, "shop/88213"),
        (IdentityKind.EXTERNAL, user["id"]),
        (IdentityKind.EMAIL, "nobody@example.com"),
    ):
        assert await adapter.find(FindCustomer(identity=Identity(kind, value))) is None
    with pytest.raises(Unsupported):
        await adapter.find(FindCustomer(identity=Identity(IdentityKind.PHONE, "+886900123456")))


async def test_a_conversation_is_read_as_it_is_now(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """With its metadata, and the switchboard in its raw; `None` of one that isn't there."""
    thread = sunshine.customer_says("hi")
    thread.metadata = {"order": "CS-1"}
    found = await adapter.find(FindConversation(conversation_id=thread.id))
    assert isinstance(found, ConversationRecord)
    assert found.attributes == {"order": "CS-1"}
    assert found.raw["activeSwitchboardIntegration"]["name"] == "deskbridge"
    assert await adapter.find(FindConversation(conversation_id="68a2ffffffffffffffffffff")) is None


async def test_a_customers_fields_are_written_without_losing_any(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """All that is to stay is sent; what is so already costs no write."""
    user = sunshine.welcome("Ann Lee", metadata={"level": "gold", "old": 1})
    change = UpdateCustomer(
        key="k", customer_id=user["id"], name="Ann van Dijk", attributes={"orders": 3, "old": None}
    )
    pushed = await adapter.push(change)
    assert user["profile"] == {"givenName": "Ann", "surname": "van Dijk", "locale": "zh-TW"}
    assert user["metadata"] == {"level": "gold", "orders": 3}
    assert pushed.customer is not None
    assert (pushed.customer.name, pushed.customer.attributes) == (
        "Ann van Dijk",
        {"level": "gold", "orders": 3},
    )
    await adapter.push(change)
    assert [each.partition(" ")[0] for each in sunshine.log] == ["GET", "PATCH", "GET"]
    await adapter.push(UpdateCustomer(key="k", customer_id=user["id"], name="王芳"))
    assert (user["profile"]["givenName"], user["profile"]["surname"]) == ("王芳", None)


async def test_a_conversations_attributes_are_its_metadata(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Written whole; its name, which customers see, is never ours to set."""
    thread = sunshine.customer_says("hi")
    thread.metadata = {"order": "12", "plan": "pro"}
    changed = UpdateConversation(
        key="k", conversation_id=thread.id, attributes={"order": None, "seats": 3, "paid": True}
    )
    pushed = await adapter.push(changed)
    assert thread.metadata == {"plan": "pro", "seats": 3, "paid": True}
    assert pushed.conversation is not None
    assert pushed.conversation.attributes == thread.metadata
    with pytest.raises(Unsupported, match="shows a conversation's name to the customer"):
        await adapter.push(UpdateConversation(key="k", conversation_id=thread.id, subject="Parcel"))


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [({"address": {"city": "Taipei"}}, "flat: address"), ({"long": "長" * 1400}, "larger than 4096 bytes")],
)
async def test_metadata_must_be_flat_and_small(
    adapter: Adapter, sunshine: FakeSunshine, attributes: dict[str, Any], fault: str
) -> None:
    """What the vendor would refuse is rejected with the reason, and not sent."""
    thread = sunshine.customer_says("hi")
    for command in (
        UpdateConversation(key="k", conversation_id=thread.id, attributes=attributes),
        UpdateCustomer(key="k", customer_id=thread.user["id"], attributes=attributes),
    ):
        with pytest.raises(Rejected, match=fault):
            await adapter.push(command)
    assert not [each for each in sunshine.log if each.startswith("PATCH")]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
async def test_messages_are_walked_oldest_first(adapter: Adapter, sunshine: FakeSunshine, count: int) -> None:
    """Though the vendor begins with the latest; then only what is new, one request a page."""
    thread = sunshine.open_thread()
    for number in range(count):
        sunshine.customer_says(f"m{number}", thread)
    texts: list[str] = []
    cursor, last, pages = None, False, 0
    while not last:
        page = await adapter.pull(PullKind.MESSAGES, cursor, scope=thread.id)
        texts += [change.message.text for change in page.changes if isinstance(change, MessagePosted)]
        cursor, last, pages = page.cursor, page.last, pages + 1
        assert len(sunshine.log) == pages
    assert texts == [f"m{number}" for number in range(count)]
    sunshine.customer_says("and one more", thread)
    page = await adapter.pull(PullKind.MESSAGES, cursor, scope=thread.id)
    (change,) = page.changes
    assert isinstance(change, MessagePosted)
    assert (change.message.text, page.last) == ("and one more", True)
    assert change.conversation.customer_id == thread.user["id"]


async def test_users_and_conversations_cannot_be_listed(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """The API lists one user's conversations only: that is said, and nothing is asked."""
    for kind in (PullKind.CUSTOMERS, PullKind.CONVERSATIONS):
        with pytest.raises(Unsupported):
            await adapter.pull(kind, None)
    assert sunshine.log == []


async def test_the_check_names_the_app(adapter: Adapter) -> None:
    """And has seen that the switchboard knows our integration."""
    assert await adapter.check() == f"Sailing shop ({APP})"


async def test_the_check_finds_a_misspelt_integration(judge: Judge) -> None:
    """It would make everybody's control somebody else's."""
    adapter = registry.build("sunshine", settings() | {"integration": "deskbrigde"}, transport=judge)
    with pytest.raises(Fatal, match="no integration 'deskbrigde'; it has: deskbridge, zd-agentWorkspace"):
        await adapter.check()


async def test_an_integrations_own_key_may_not_read_the_app(judge: Judge, sunshine: FakeSunshine) -> None:
    """It asks for a user that can't be instead: that needs the key, too."""
    adapter = registry.build("sunshine", settings() | {"key_id": "int_68a0"}, transport=judge)
    with pytest.raises(Fatal) as caught:
        await adapter.check()
    assert caught.value.status == 401
    assert sunshine.log == ["GET users"]


async def test_a_token_is_signed_with_the_key(judge: Judge, sunshine: FakeSunshine) -> None:
    """HS256, the key's id in its header, its scope inside; and it is accepted."""
    adapter = registry.build("sunshine", settings() | {"auth": "jwt"}, transport=judge)
    assert await adapter.check()
    token = judge.seen[0].headers["authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": KEY_ID}
    assert jwt.decode(token, KEY_SECRET, algorithms=["HS256"]) == {"scope": "app"}
    assert sunshine.log[0] == "GET "


async def test_a_wrong_key_is_fatal_and_stays_secret(judge: Judge) -> None:
    """It pauses the connection."""
    adapter = registry.build("sunshine", settings() | {"key_secret": "wrong-key-secret"}, transport=judge)
    with pytest.raises(Fatal) as caught:
        await adapter.check()
    assert "unauthorized" in caught.value.detail
    assert "wrong-key-secret" not in caught.value.detail


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://sailing.zendesk.com", "https://sailing.zendesk.com/sc/v2/apps/"),
        ("https://sailing.zendesk.com/sc/", "https://sailing.zendesk.com/sc/v2/apps/"),
        ("https://api.eu-1.smooch.io", "https://api.eu-1.smooch.io/v2/apps/"),
    ],
)
async def test_the_address_of_a_subdomain_needs_no_path(given: str, used: str) -> None:
    """`/sc` is added where it was forgotten; legacy addresses stay as they are."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    adapter = registry.build("sunshine", settings(given), transport=httpx.MockTransport(answer))
    await adapter.check()
    assert asked[0] == f"{used}{APP}"


async def test_private_files_are_fetched_with_credentials_and_others_without(adapter: Adapter) -> None:
    """Only from the account's own address."""
    ours = adapter.fetch(Attachment(id="1", url="https://sailing.zendesk.com/sc/attachments/1.png"))
    assert ours.headers["Authorization"].startswith("Basic ")
    for url in ("https://media.smooch.io/1.png", "https://sailing.zendesk.com.evil.example/sc/1.png"):
        assert adapter.fetch(Attachment(id="1", url=url)).headers == {}


def test_a_webhook_secret_is_not_optional() -> None:
    """Zendesk makes one with every webhook, so nobody has to do without."""
    with pytest.raises(InvalidSettings, match="webhook_secret is missing"):
        registry.build("sunshine", {k: v for k, v in settings().items() if k != "webhook_secret"})


async def test_an_unknown_conversation_is_rejected(adapter: Adapter) -> None:
    """It parks; nothing else stops."""
    with pytest.raises(Rejected) as caught:
        await adapter.push(reply("68a2ffffffffffffffffffff"))
    assert caught.value.status == 404
