"""Every request we send to Intercom, judged by its own published description."""

import base64
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from judged import connected, judging
from vendors.intercom import AGENT, SETTINGS, US, FakeIntercom, Raw

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Fatal, Rejected, Unsupported
from adapters.model import (
    Assign,
    Attachment,
    Author,
    ChangeTags,
    ConversationChanged,
    CustomerChanged,
    CustomerRecord,
    FindCustomer,
    FindMessage,
    GetMessage,
    HandOver,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    Person,
    PullKind,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.testing.judge import Judge

SINCE = datetime(2026, 11, 14, tzinfo=UTC)


@pytest.fixture
def intercom() -> FakeIntercom:
    """The other side; its pages are short."""
    return FakeIntercom(page_size=2)


@pytest.fixture
def judge(reference: Path, intercom: FakeIntercom) -> Iterator[Judge]:
    """The published description between us and it."""
    with judging(reference / "vendor-specs/intercom/api.intercom.io-2.16.yaml", intercom) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("intercom", SETTINGS, judge) as adapter:
        yield adapter


def reply(thread: Raw, text: str = "您好！", **more: Any) -> Reply:
    """A reply of the AI."""
    return Reply(**{"key": "k", "conversation_id": thread["id"], "text": text, "author": Author.AI} | more)


async def walked(adapter: Adapter, kind: PullKind, cursor: str | None = None) -> tuple[list[Any], str | None]:
    """All that a walk tells, and the cursor at its end."""
    told: list[Any] = []
    while True:
        page = await adapter.pull(kind, cursor)
        told += page.changes
        cursor = page.cursor
        if page.last:
            return told, cursor


async def test_the_credentials_and_the_admin_are_checked(adapter: Adapter, judge: Judge) -> None:
    """An admin who isn't there could not write; that is said at once."""
    assert await adapter.check() == "Deskbridge (Acme)"
    other = registry.build("intercom", {**SETTINGS, "admin_id": "4"}, transport=judge)
    with pytest.raises(Fatal, match="no admin 4"):
        await other.check()
    await other.aclose()


async def test_replies_and_notes(adapter: Adapter, intercom: FakeIntercom) -> None:
    """As the admin that we are; what could be taken for HTML arrives as it was meant."""
    thread = intercom.customer_says("有人嗎？")
    pushed = await adapter.push(reply(thread, "a < b & c\nd"))
    await adapter.push(Note(key="n", conversation_id=thread["id"], text="for agents"))
    await adapter.push(reply(thread, "我来帮您", author=Author.AGENT, person=Person("desk-7", "王芳")))
    said, named = intercom.said(thread)
    assert (said["id"], said["author"]["id"]) == (pushed.id, US)
    assert said["body"] == "<p>a &lt; b &amp; c<br>d</p>"
    assert named["body"] == "<p>王芳: 我来帮您</p>"
    assert [each["body"] for each in intercom.noted(thread)] == ["<p>for agents</p>"]


async def test_the_customers_words_from_elsewhere_are_the_customers(
    adapter: Adapter, intercom: FakeIntercom
) -> None:
    """They are said as the conversation's contact."""
    thread = intercom.customer_says("hi")
    pushed = await adapter.push(reply(thread, "from elsewhere", author=Author.CUSTOMER))
    latest = thread["conversation_parts"]["conversation_parts"][-1]
    assert (latest["author"]["type"], latest["id"]) == ("user", pushed.id)


async def test_files_ride_with_the_text(adapter: Adapter, intercom: FakeIntercom) -> None:
    """Inside the request; more than ten are refused before anything is sent."""
    thread = intercom.customer_says("the receipt?")
    files = tuple(
        Upload(name=f"{n}.png", content_type="image/png", size=4, file=io.BytesIO(b"\x89PNG"))
        for n in range(11)
    )
    attached = tuple(Attachment(id=str(n), url="https://x.example/f") for n in range(11))
    with pytest.raises(Rejected, match="10 files"):
        await adapter.push(reply(thread, attachments=attached), files)
    await adapter.push(reply(thread, attachments=attached[:2]), files[:2])
    (said,) = intercom.said(thread)
    assert [base64.b64decode(each["data"]) for each in said["attachments"]] == [b"\x89PNG"] * 2


async def test_our_message_is_found_by_its_words(adapter: Adapter, intercom: FakeIntercom) -> None:
    """Intercom keeps no token of ours; the customer's same words are not it, nor is a note."""
    thread = intercom.customer_says("您好！")
    asked = FindMessage(conversation_id=thread["id"], token="k", text="您好！", private=False, since=SINCE)
    assert await adapter.find(asked) is None
    await adapter.push(Note(key="n", conversation_id=thread["id"], text="您好！"))
    assert await adapter.find(asked) is None
    pushed = await adapter.push(reply(thread))
    found = await adapter.find(asked)
    assert isinstance(found, MessageRecord)
    assert (found.id, found.author) == (pushed.id, Author.AI)
    assert pushed.id is not None
    again = await adapter.find(GetMessage(conversation_id=thread["id"], message_id=pushed.id))
    assert again == found


async def test_assigning(adapter: Adapter, intercom: FakeIntercom) -> None:
    """Team and person are two parts; nobody is 0 of both."""
    thread = intercom.customer_says("hi")
    await adapter.push(Assign(key="k", conversation_id=thread["id"], assignee_id=AGENT, team_id="3001"))
    assert (thread["admin_assignee_id"], thread["team_assignee_id"]) == (int(AGENT), 3001)
    pushed = await adapter.push(Assign(key="k", conversation_id=thread["id"]))
    assert (thread["admin_assignee_id"], thread["team_assignee_id"]) == (0, 0)
    assert pushed.conversation is not None
    assert pushed.conversation.assignee is None


async def test_states_are_set_once(adapter: Adapter, intercom: FakeIntercom) -> None:
    """A second close would be a part of its own: it is looked first. A snooze ends after a day."""
    thread = intercom.customer_says("hi")
    for status, state in (
        (Status.RESOLVED, "closed"),
        (Status.RESOLVED, "closed"),
        (Status.PENDING, "open"),
        (Status.SNOOZED, "snoozed"),
    ):
        await adapter.push(SetStatus(key="k", conversation_id=thread["id"], status=status))
        assert thread["state"] == state
    parts = thread["conversation_parts"]["conversation_parts"]
    assert [each["part_type"] for each in parts] == ["close", "open", "snoozed"]
    until = datetime.fromtimestamp(intercom.bodies[-1]["snoozed_until"], UTC)
    assert abs(until - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
    with pytest.raises(Unsupported):
        await adapter.push(SetStatus(key="k", conversation_id=thread["id"], status=Status.UNKNOWN))


async def test_tags_go_on_and_off_by_their_ids(adapter: Adapter, intercom: FakeIntercom) -> None:
    """What is so already costs no write."""
    thread = intercom.customer_says("hi")
    await adapter.push(ChangeTags(key="k", conversation_id=thread["id"], add=("vip", "old")))
    await adapter.push(ChangeTags(key="k", conversation_id=thread["id"], add=("vip",), remove=("old", "x")))
    assert [each["name"] for each in thread["tags"]["tags"]] == ["vip"]
    writes = [each for each in intercom.log if not each.startswith("GET")]
    assert len(writes) == 5


async def test_attributes_of_contacts_and_conversations(adapter: Adapter, intercom: FakeIntercom) -> None:
    """Those that are not named stay; a title can't be set."""
    thread = intercom.customer_says("hi")
    (contact,) = intercom.contacts.values()
    contact["custom_attributes"] = {"level": "gold"}
    change = UpdateCustomer(key="k", customer_id=contact["id"], name="王芳", attributes={"orders": 3})
    pushed = await adapter.push(change)
    assert pushed.customer is not None
    assert (pushed.customer.name, pushed.customer.attributes) == ("王芳", {"level": "gold", "orders": 3})
    at = {"key": "k", "conversation_id": thread["id"]}
    after = await adapter.push(UpdateConversation(attributes={"order": "CS-1"}, **at))
    assert after.conversation is not None
    assert after.conversation.attributes == {"order": "CS-1"}
    with pytest.raises(Unsupported, match="title"):
        await adapter.push(UpdateConversation(subject="Parcel", **at))


async def test_a_hand_over_is_a_note_and_an_assignment(adapter: Adapter, intercom: FakeIntercom) -> None:
    """A second try after the assignment writes nothing more."""
    thread = intercom.customer_says("hi")
    command = HandOver(
        key="k", conversation_id=thread["id"], summary="At customs.", to="3001", url="https://d.example/1"
    )
    for _ in range(2):
        assert (await adapter.push(command)).reception is Reception.QUEUED
    (note,) = intercom.noted(thread)
    assert note["body"] == "<p>At customs.\nhttps://d.example/1</p>"
    assert thread["team_assignee_id"] == 3001


async def test_contacts_are_found_by_any_address(adapter: Adapter, intercom: FakeIntercom) -> None:
    """One that was merged is the one it has become."""
    user, lead = intercom.welcome(external_id="shop-1"), intercom.welcome(role="lead")
    intercom.merge(lead, user)
    for kind, value in (
        (IdentityKind.VENDOR, user["id"]),
        (IdentityKind.VENDOR, lead["id"]),
        (IdentityKind.EXTERNAL, "shop-1"),
        (IdentityKind.EMAIL, user["email"]),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert found.id == user["id"]
    for kind, value in ((IdentityKind.VENDOR, "none"), (IdentityKind.EMAIL, "nobody@example.com")):
        assert await adapter.find(FindCustomer(identity=Identity(kind, value))) is None


@pytest.mark.parametrize("kind", [PullKind.CUSTOMERS, PullKind.CONVERSATIONS])
async def test_a_walk_misses_nothing_and_the_next_begins_where_it_ended(
    adapter: Adapter, intercom: FakeIntercom, kind: PullKind
) -> None:
    """Though conversations come in no promised order, and contacts are found by whole days only."""
    threads = [intercom.customer_says(f"m{number}") for number in range(5)]
    told, cursor = await walked(adapter, kind)
    assert len(told) == 5
    assert {type(each) for each in told} <= {ConversationChanged, CustomerChanged}
    later = intercom.customer_says("later")
    again, _ = await walked(adapter, kind, cursor)
    ids = {
        each.conversation.id if isinstance(each, ConversationChanged) else each.customer.id for each in again
    }
    newest = later["id"] if kind is PullKind.CONVERSATIONS else list(intercom.contacts)[-1]
    assert newest in ids
    assert len(ids) <= 2 < len(threads)


async def test_messages_come_oldest_first_and_then_only_new_ones(
    adapter: Adapter, intercom: FakeIntercom
) -> None:
    """The first message is counted apart from the parts, so that no two ids are alike."""
    thread = intercom.customer_says("first")
    intercom.agent_says(thread, "<p>second</p>")
    intercom.agent_takes(thread)
    page = await adapter.pull(PullKind.MESSAGES, None, scope=thread["id"])
    said = [each.message for each in page.changes if isinstance(each, MessagePosted)]
    assert [each.text for each in said] == ["first", "second"]
    assert [each.author for each in said] == [Author.CUSTOMER, Author.AGENT]
    assert said[0].id.startswith("source-")
    intercom.customer_says("third", thread)
    page = await adapter.pull(PullKind.MESSAGES, page.cursor, scope=thread["id"])
    assert [each.message.text for each in page.changes if isinstance(each, MessagePosted)] == ["third"]
    page = await adapter.pull(PullKind.MESSAGES, page.cursor, scope=thread["id"])
    assert page.changes == ()
