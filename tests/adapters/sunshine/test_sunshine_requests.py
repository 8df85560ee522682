"""Every request we send to Zendesk messaging, judged by its own published description."""

import io
from datetime import datetime

import httpx
import jwt
import pytest
from sunshine_said import SINCE, reply
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import APP, KEY_ID, KEY_SECRET, settings

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Fatal, InvalidSettings, Rejected, Retryable
from adapters.model import (
    Attachment,
    Author,
    FindMessage,
    MessageRecord,
    Person,
)
from adapters.testing.judge import Judge


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
