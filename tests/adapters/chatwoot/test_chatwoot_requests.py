"""Every request we send to Chatwoot, judged by Chatwoot's own published description."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from judged import connected
from msgspec import UNSET
from support.fake_chatwoot import SPEAKERS, FakeChatwoot

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Fatal, Rejected, Unsupported
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    Command,
    ConversationChanged,
    CustomerChanged,
    CustomerRecord,
    FindCustomer,
    FindMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    Page,
    Person,
    PullKind,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.testing.judge import Judge

SINCE = datetime.fromtimestamp(1794622811, UTC)
SETTINGS = {
    "base_url": "https://chat.example.com",
    "account_id": 3,
    "token": "user-token",
    "bot_token": "bot-token",
}


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("chatwoot", SETTINGS, judge) as adapter:
        yield adapter


def reply(text: str = "您好！", key: str = "cmd-1") -> Reply:
    """A reply of the AI."""
    return Reply(key=key, conversation_id="2207", text=text, author=Author.AI)


def say(chatwoot: FakeChatwoot, text: str) -> None:
    """Somebody else writes to the customer."""
    chatwoot.post(chatwoot.thread, text, sender=SPEAKERS["user-token"])


def asked(token: str = "cmd-1", text: str = "您好！", *, private: bool = False) -> FindMessage:
    """Whether that reply is there."""
    return FindMessage(conversation_id="2207", token=token, text=text, private=private, since=SINCE)


async def test_the_ai_replies_as_the_bot(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """With the bot's token, marked with our key; the vendor's id comes back."""
    pushed = await adapter.push(reply())
    (message,) = chatwoot.thread.messages
    assert pushed.id == "1"
    assert message["content"] == "您好！"
    assert message["content_attributes"] == {"deskbridge": {"key": "cmd-1", "author": "ai"}}
    assert chatwoot.log == [("bot-token", "POST conversations/2207/messages")]


async def test_a_person_replies_under_their_name(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """An in-house agent has no token of their own, so their name stands before their words."""
    person = Person("desk-7", "王芳")
    await adapter.push(
        Reply(key="k", conversation_id="2207", text="我来帮您", author=Author.AGENT, person=person)
    )
    assert chatwoot.thread.messages[0]["content"] == "王芳: 我来帮您"
    assert chatwoot.log[0][0] == "user-token"


async def test_a_note_is_private(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Customers never see it."""
    await adapter.push(Note(key="k", conversation_id="2207", text="goal: find the parcel"))
    assert chatwoot.thread.messages[0]["private"] is True


async def test_status_tags_and_attributes(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Each reaches Chatwoot; tags that are there already cost no write."""
    commands: list[Command] = [
        SetStatus(key="a", conversation_id="2207", status=Status.OPEN),
        ChangeTags(key="b", conversation_id="2207", add=("vip",), remove=("after-sales",)),
        ChangeTags(key="c", conversation_id="2207", add=("vip",), remove=("gone",)),
        UpdateCustomer(key="d", customer_id="412", name="陳小姐", attributes={"orders": 3}),
    ]
    for command in commands:
        await adapter.push(command)
    assert chatwoot.thread.status == "open"
    assert chatwoot.thread.labels == ["vip"]
    assert [what for _, what in chatwoot.log].count("POST conversations/2207/labels") == 1
    assert chatwoot.contact["name"] == "陳小姐"
    assert chatwoot.contact["custom_attributes"] == {"member_level": "gold", "orders": 3}


async def test_attributes_of_a_conversation_are_written_without_losing_any(
    adapter: Adapter, chatwoot: FakeChatwoot
) -> None:
    """Chatwoot takes whatever is sent for all there are; what is there already costs no write."""
    chatwoot.thread.custom_attributes = {"order": "12", "plan": "pro", "level": None}
    changed = UpdateConversation(
        key="a", conversation_id="2207", attributes={"plan": "basic", "order": None, "seats": 3}
    )
    await adapter.push(changed)
    assert chatwoot.thread.custom_attributes == {"plan": "basic", "seats": 3}
    await adapter.push(changed)
    assert [what for _, what in chatwoot.log].count("POST conversations/2207/custom_attributes") == 1
    with pytest.raises(Unsupported):
        await adapter.push(UpdateConversation(key="b", conversation_id="2207", subject="Parcel"))


async def test_attributes_that_are_not_told_are_not_empty(adapter: Adapter) -> None:
    """A conversation inside another thing may come without them."""
    (told,) = adapter.parse(
        b'{"event": "conversation_updated", "id": 2207, "meta": {}, "updated_at": 1794622811}'
    )
    assert isinstance(told, ConversationChanged)
    assert told.conversation.attributes is UNSET


@pytest.mark.parametrize("status", [Status.PENDING, Status.OPEN, Status.SNOOZED, Status.RESOLVED])
async def test_every_status_has_a_word(adapter: Adapter, chatwoot: FakeChatwoot, status: Status) -> None:
    """But for the unknown one."""
    await adapter.push(SetStatus(key="k", conversation_id="2207", status=status))
    assert chatwoot.thread.status == status.value
    with pytest.raises(Unsupported):
        await adapter.push(SetStatus(key="k", conversation_id="2207", status=Status.UNKNOWN))


@pytest.mark.parametrize(
    ("assignee", "team", "sent"),
    [
        ("6", None, [{"assignee_id": 6}]),
        (None, "2", [{"team_id": 2}]),
        ("6", "2", [{"team_id": 2}, {"assignee_id": 6}]),
        (None, None, [{"team_id": 0}, {"assignee_id": 0}]),
    ],
)
async def test_assignment(
    adapter: Adapter,
    chatwoot: FakeChatwoot,
    assignee: str | None,
    team: str | None,
    sent: list[dict[str, Any]],
) -> None:
    """To a person, a team, both, or nobody."""
    await adapter.push(Assign(key="k", conversation_id="2207", assignee_id=assignee, team_id=team))
    assert chatwoot.assignments == sent


@pytest.mark.parametrize("assignee", ["99", "not-a-number"])
async def test_an_unknown_assignee_is_rejected(adapter: Adapter, assignee: str) -> None:
    """Chatwoot answers null to ids it doesn't know, with status 200."""
    with pytest.raises(Rejected):
        await adapter.push(Assign(key="k", conversation_id="2207", assignee_id=assignee))


async def test_our_message_is_found_by_its_mark(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Also behind more than a page of later messages; another's same words are not ours."""
    await adapter.push(reply())
    for number in range(30):
        say(chatwoot, f"later {number}")
    found = await adapter.find(asked())
    assert isinstance(found, MessageRecord)
    assert (found.id, found.token) == ("1", "cmd-1")
    assert await adapter.find(asked(token="cmd-2")) is None


async def test_older_releases_are_searched_by_content(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Where the mark is forgotten, the same words since we spoke are ours; a note is no reply."""
    chatwoot.keeps_mark = False
    await adapter.push(reply())
    found = await adapter.find(asked())
    assert isinstance(found, MessageRecord)
    assert await adapter.find(asked(private=True)) is None
    assert await adapter.find(asked(text="再见")) is None


async def test_contacts_are_found_by_any_address(adapter: Adapter) -> None:
    """Exactly, although Chatwoot also finds parts."""
    for kind, value in (
        (IdentityKind.VENDOR, "412"),
        (IdentityKind.EMAIL, "Chen.Yating@example.com".lower()),
        (IdentityKind.EXTERNAL, "shop-88213"),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert found.id == "412"
    for kind, value in (
        (IdentityKind.VENDOR, "413"),
        (IdentityKind.EMAIL, "yating@example.com"),
        (IdentityKind.PHONE, "+886900000000"),
    ):
        assert await adapter.find(FindCustomer(identity=Identity(kind, value))) is None


async def walk(adapter: Adapter, kind: PullKind, cursor: str | None) -> tuple[list[Page], str | None]:
    """All pages from a cursor to the last."""
    pages: list[Page] = []
    while not pages or not pages[-1].last:
        pages.append(await adapter.pull(kind, cursor))
        cursor = pages[-1].cursor
    return pages, cursor


async def test_conversations_are_walked_and_then_caught_up(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """All of them at first; afterwards only those that moved since."""
    chatwoot.conversations = [
        {"id": number, "status": "open", "labels": [], "last_activity_at": 1794622811 + number, "meta": {}}
        for number in range(60)
    ]
    pages, cursor = await walk(adapter, PullKind.CONVERSATIONS, None)
    changes = [change for page in pages for change in page.changes]
    assert {change.conversation.id for change in changes if isinstance(change, ConversationChanged)} == {
        str(number) for number in range(60)
    }
    for page in pages:
        times = [change.occurred_at for change in page.changes]
        assert times == sorted(times)
    chatwoot.conversations[7]["last_activity_at"] = 1794623811
    pages, _ = await walk(adapter, PullKind.CONVERSATIONS, cursor)
    moved = [change for page in pages for change in page.changes]
    assert [change.conversation.id for change in moved if isinstance(change, ConversationChanged)] == [
        "59",
        "7",
    ]


async def test_messages_are_walked_by_id(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Oldest first, a hundred at a time; an empty last page keeps the cursor."""
    for number in range(150):
        say(chatwoot, f"m{number}")
    texts: list[str] = []
    cursor, last = None, False
    while not last:
        page = await adapter.pull(PullKind.MESSAGES, cursor, scope="2207")
        texts += [change.message.text for change in page.changes if isinstance(change, MessagePosted)]
        cursor, last = page.cursor, page.last
    assert texts == [f"m{number}" for number in range(150)]
    after = await adapter.pull(PullKind.MESSAGES, cursor, scope="2207")
    assert (after.changes, after.cursor, after.last) == ((), "150", True)


async def test_contacts_are_walked(adapter: Adapter) -> None:
    """Page by page, until one is empty."""
    pages, _ = await walk(adapter, PullKind.CUSTOMERS, None)
    (change,) = [change for page in pages for change in page.changes]
    assert isinstance(change, CustomerChanged)
    assert change.customer.id == "412"


async def test_the_check_names_user_and_account(adapter: Adapter) -> None:
    """The cheapest proof that everything fits."""
    assert await adapter.check() == "Deskbridge in account 3"


async def test_a_user_of_another_account_is_fatal(judge: Judge) -> None:
    """A valid token is of no use there."""
    adapter = registry.build("chatwoot", {**SETTINGS, "account_id": 4}, transport=judge)
    with pytest.raises(Fatal, match="no member of account 4"):
        await adapter.check()


async def test_a_wrong_token_is_fatal_and_stays_secret(judge: Judge) -> None:
    """Even though Chatwoot's answer repeats it."""
    adapter = registry.build("chatwoot", {**SETTINGS, "token": "wrong-token"}, transport=judge)
    with pytest.raises(Fatal) as caught:
        await adapter.check()
    assert "Invalid Access Token" in caught.value.detail
    assert "wrong-token" not in caught.value.detail


async def test_an_unknown_conversation_is_rejected(adapter: Adapter) -> None:
    """It parks; nothing else stops."""
    with pytest.raises(Rejected) as caught:
        await adapter.push(Reply(key="k", conversation_id="1", text="x", author=Author.AI))
    assert caught.value.status == 404
