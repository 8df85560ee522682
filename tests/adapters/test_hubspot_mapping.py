"""HubSpot Conversations: what its events mean, and every request judged by its published descriptions."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from judged import connected, judging
from vendors import hubspot_description
from vendors.hubspot import AGENT, BOT, SETTINGS, US, FakeHubspot, Raw

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Malformed, Rejected, Unsupported
from adapters.model import (
    Assign,
    Attachment,
    Author,
    Change,
    Channel,
    ConversationRecord,
    CustomerRecord,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    FindMessage,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    PullKind,
    Reply,
    SetStatus,
    Status,
    ThinEvent,
    UpdateCustomer,
)
from adapters.testing.judge import Judge
from adapters.vendors.hubspot import adapter as module
from adapters.vendors.hubspot import mapping
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
ACCOUNT = mapping.Account(actor=US, app="5500", properties=(), custom_channel=Channel.LIVE)


@pytest.fixture
def hubspot() -> FakeHubspot:
    """The other side; its pages are short."""
    return FakeHubspot(page_size=2)


@pytest.fixture
def judge(reference: Path, hubspot: FakeHubspot) -> Iterator[Judge]:
    """The published descriptions between us and it."""
    described = hubspot_description.at(reference / "vendor-specs/hubspot")
    assert described is not None
    with judging(described, hubspot) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("hubspot", SETTINGS, judge) as adapter:
        yield adapter


def read(name: str) -> list[Change]:
    """What a fixture's events mean."""
    adapter = registry.build("hubspot", SETTINGS)
    body = (FIXTURES / f"{name}.json").read_bytes()
    hook = Webhook(method="POST", url="https://d.example/h", query={}, headers={}, body=body)
    deliveries = adapter.receive(hook, msgspec.json.decode(body)).deliveries
    return [change for each in deliveries for change in adapter.parse(each.body)]


def reply(thread: Raw, text: str = "您好！", **more: Any) -> Reply:
    """A reply of the AI."""
    return Reply(key="k", conversation_id=thread["id"], text=text, author=Author.AI, **more)


def test_a_new_message_is_an_errand() -> None:
    """The thread is looked up, for its customer and channel, and then the message."""
    thread, message = read("conversation_new_message")
    assert isinstance(thread, ThinEvent)
    assert isinstance(message, ThinEvent)
    assert thread.query == FindConversation(conversation_id="4711")
    assert message.query == GetMessage(conversation_id="4711", message_id="m-70001")
    assert message.occurred_at == datetime(2026, 11, 14, 2, 20, 11, 476000, tzinfo=UTC)


def test_each_event_of_an_array_is_accepted_by_itself() -> None:
    """Their ids are not promised to be unique: two messages with one `eventId` are two."""
    adapter = registry.build("hubspot", SETTINGS)
    body = (FIXTURES / "several_events.json").read_bytes()
    hook = Webhook(method="POST", url="https://d.example/h", query={}, headers={}, body=body)
    keys = [each.key for each in adapter.receive(hook, msgspec.json.decode(body)).deliveries]
    assert len(set(keys)) == 2
    with pytest.raises(Malformed, match="list"):
        adapter.receive(hook, {"eventId": 1})


def test_who_assigned_is_told() -> None:
    """By a user of HubSpot's, as far as it says."""
    (change,) = read("conversation_assigned")
    assert isinstance(change, ThinEvent)
    assert change.by is Author.AGENT


def test_a_merge_may_make_a_third_contact() -> None:
    """Both that were are it now."""
    *merged, look = read("contact_merge")
    assert all(isinstance(each, CustomersMerged) and each.customer.id == "503" for each in merged)
    assert [each.gone_id for each in merged if isinstance(each, CustomersMerged)] == ["501", "502"]
    assert isinstance(look, ThinEvent)
    assert look.query == FindCustomer(identity=Identity(IdentityKind.VENDOR, "503"))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"createdBy": AGENT}, Author.AGENT),
        ({"createdBy": US}, Author.AI),
        ({"createdBy": BOT}, Author.AI),
        ({"createdBy": "L-1"}, Author.AI),
        ({"createdBy": "V-1"}, Author.CUSTOMER),
        ({"createdBy": "E-1", "direction": "INCOMING"}, Author.CUSTOMER),
        ({"createdBy": "S-hubspot"}, Author.SYSTEM),
        ({"createdBy": "I-1", "client": {"integrationAppId": 5500}}, Author.AI),
        ({"createdBy": "I-1", "client": {"integrationAppId": 1}}, Author.UNKNOWN),
        ({"createdBy": "I-1", "senders": [{"actorId": AGENT}]}, Author.AGENT),
        ({"createdBy": "Z-1"}, Author.UNKNOWN),
        ({}, Author.UNKNOWN),
        ({"type": "WELCOME_MESSAGE", "createdBy": AGENT}, Author.SYSTEM),
    ],
)
def test_who_speaks(about: Raw, expected: Author) -> None:
    """By the prefix of the actor, who sends before who created it; our app is ours."""
    assert mapping.author({"type": "MESSAGE", **about}, ACCOUNT) is expected


def test_files_of_a_message() -> None:
    """With their addresses; what is no file is none."""
    file = {"type": "FILE", "fileId": "f-1", "url": "https://files.example/a.png", "name": "a.png"}
    told = {"type": "MESSAGE", "id": "m", "text": "", "attachments": [file, {"type": "LOCATION"}]}
    found = mapping.message(told, ACCOUNT)
    assert found is not None
    picture = {"url": "https://files.example/a.png", "name": "a.png", "content_type": "image/png"}
    assert found.attachments == (Attachment(id="f-1", **picture),)


@pytest.mark.parametrize(
    ("attachment", "text"),
    [
        ({"type": "LOCATION", "name": "Depot", "latitude": 52.5, "longitude": 13.4}, "Depot, 52.5, 13.4"),
        (
            {
                "type": "CONTACT",
                "contactProfile": {"name": {"firstName": "Ann"}, "phones": [{"phone": "+4930123"}]},
            },
            "Ann, +4930123",
        ),
        ({"type": "SOCIAL_MEDIA_METADATA", "socialMetadata": {"mediaTitle": "Our new boat"}}, "Our new boat"),
        ({"type": "UNSUPPORTED_CONTENT"}, ""),
    ],
    ids=lambda each: each["type"] if isinstance(each, dict) else "",
)
def test_what_is_no_file_is_told_in_words(attachment: Raw, text: str) -> None:
    """A message may hold nothing else."""
    found = mapping.message({"type": "MESSAGE", "id": "m", "attachments": [attachment]}, ACCOUNT)
    assert found is not None
    assert (found.text, found.attachments) == (text, ())


@pytest.mark.parametrize(("what", "count"), [("0-1", 1), ("CONTACT", 1), ("0-3", 0), (None, 0)])
def test_contacts_as_objects_of_any_kind(what: str | None, count: int) -> None:
    """Newer apps subscribe to objects, and the event says of which kind."""
    event = {"subscriptionType": "object.propertyChange", "objectTypeId": what, "objectId": 501}
    told = registry.build("hubspot", SETTINGS).parse(
        msgspec.json.encode({**event, "occurredAt": 1794622811476, "eventId": 1})
    )
    assert len(told) == count


async def test_the_actor_is_checked(adapter: Adapter) -> None:
    """It proves the token, too."""
    assert await adapter.check() == f"Deskbridge ({US})"


async def test_a_reply_goes_where_the_customer_wrote_from(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """Channel, account, recipient and subject are those of their latest message."""
    thread = hubspot.customer_says("有人嗎？", subject="Parcel")
    hubspot.agent_says(thread, "between")
    pushed = await adapter.push(reply(thread))
    sent = hubspot.said(thread)[-1]
    assert pushed.id == sent["id"]
    assert sent["sent"]["senderActorId"] == US
    assert (sent["sent"]["channelId"], sent["sent"]["channelAccountId"]) == ("1000", "88")
    assert sent["sent"]["subject"] == "Parcel"
    (to,) = sent["sent"]["recipients"]
    assert to["actorId"] == f"V-{thread['associatedContactId']}"
    await adapter.push(Note(key="n", conversation_id=thread["id"], text="for agents"))
    assert [each["text"] for each in hubspot.noted(thread)] == ["for agents"]


async def test_nothing_to_answer_is_said(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """A thread without a message has no address."""
    thread = hubspot.customer_says("hi")
    hubspot.messages[thread["id"]].clear()
    with pytest.raises(Rejected, match="no message yet"):
        await adapter.push(reply(thread))


async def test_files_are_laid_down_first(hubspot: FakeHubspot) -> None:
    """The files' interface has a description of its own, which is not at hand: this one is not judged."""
    adapter = registry.build("hubspot", SETTINGS, transport=hubspot)
    thread = hubspot.customer_says("the receipt?")
    file = Upload(name="收據.png", content_type="image/png", size=4, file=io.BytesIO(b"\x89PNG"))
    await adapter.push(reply(thread, attachments=(Attachment(id="1", url="https://x.example/f"),)), (file,))
    (sent,) = hubspot.said(thread)
    ((number, content),) = hubspot.files.items()
    assert sent["sent"]["attachments"] == [{"type": "FILE", "fileId": number}]
    assert b"\x89PNG" in content
    assert b"PUBLIC_NOT_INDEXABLE" in content


async def test_messages_are_found_by_id_and_by_words(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """A text that was cut is fetched whole; what is no message is none."""
    thread = hubspot.customer_says("begin…", truncationStatus="TRUNCATED", whole="beginning and end")
    (heard,) = hubspot.messages[thread["id"]]
    asked = GetMessage(conversation_id=thread["id"], message_id=heard["id"])
    found = await adapter.find(asked)
    assert isinstance(found, MessageRecord)
    assert (found.text, found.author) == ("beginning and end", Author.CUSTOMER)
    pushed = await adapter.push(reply(thread))
    ours = FindMessage(
        conversation_id=thread["id"], token="k", text="您好！", private=False, since=found.sent_at
    )
    again = await adapter.find(ours)
    assert isinstance(again, MessageRecord)
    assert again.id == pushed.id
    assert await adapter.find(msgspec.structs.replace(ours, text="never said")) is None


async def test_states_and_assignees(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """Open or closed; people, not teams. The assignee's path is the odd one."""
    thread = hubspot.customer_says("hi")
    at = {"key": "k", "conversation_id": thread["id"]}
    pushed = await adapter.push(SetStatus(status=Status.RESOLVED, **at))
    assert pushed.conversation is not None
    assert pushed.conversation.status is Status.RESOLVED
    await adapter.push(Assign(assignee_id="9100", **at))
    found = await adapter.find(FindConversation(conversation_id=thread["id"]))
    assert isinstance(found, ConversationRecord)
    assert found.assignee is not None
    assert (thread["assignedTo"], found.channel) == (AGENT, Channel.CHAT)
    await adapter.push(Assign(**at))
    assert thread["assignedTo"] is None
    for command in (Assign(team_id="7", **at), SetStatus(status=Status.SNOOZED, **at)):
        with pytest.raises(Unsupported):
            await adapter.push(command)


async def test_contacts_by_id_email_and_phone(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """Their properties are texts; the empty one takes a value away."""
    contact = hubspot.welcome(phone="+886900123456", member_level="silver")
    for kind, value in (
        (IdentityKind.VENDOR, contact["id"]),
        (IdentityKind.EMAIL, "chen.yating@example.com"),
        (IdentityKind.PHONE, "+886900123456"),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert (found.id, found.attributes) == (contact["id"], {"member_level": "silver"})
    nobody = FindCustomer(identity=Identity(IdentityKind.EMAIL, "nobody@example.com"))
    assert await adapter.find(nobody) is None
    fields = {"member_level": None, "orders": 3, "vip": True}
    await adapter.push(UpdateCustomer(key="k", customer_id=contact["id"], name="Ann Lee", attributes=fields))
    held = contact["properties"]
    assert (held["member_level"], held["orders"], held["vip"]) == ("", "3", "true")
    assert (held["firstname"], held["lastname"]) == ("Ann", "Lee")


@pytest.mark.parametrize("kind", [PullKind.CUSTOMERS, PullKind.CONVERSATIONS])
async def test_walks_are_oldest_first_and_go_on(
    adapter: Adapter, hubspot: FakeHubspot, kind: PullKind
) -> None:
    """Page by page; the next one begins where this one ended."""
    for number in range(5):
        hubspot.customer_says(f"m{number}")
    told: list[Change] = []
    cursor, last = None, False
    while not last:
        page = await adapter.pull(kind, cursor)
        told += page.changes
        cursor, last = page.cursor, page.last
    times = [each.occurred_at for each in told]
    assert times == sorted(times)
    assert len(times) == 5
    hubspot.customer_says("later")
    page = await adapter.pull(kind, cursor)
    assert page.changes[-1].occurred_at > times[-1]
    assert len(page.changes) <= 2


async def test_messages_are_walked_once(adapter: Adapter, hubspot: FakeHubspot) -> None:
    """The last page is asked for again, and what it told before is passed over."""
    thread = hubspot.customer_says("m0")
    for number in range(1, 5):
        hubspot.agent_says(thread, f"m{number}")
    texts: list[str] = []
    cursor = None
    for new in (None, "m5"):
        if new:
            hubspot.agent_says(thread, new)
        last = False
        while not last:
            page = await adapter.pull(PullKind.MESSAGES, cursor, scope=thread["id"])
            texts += [each.message.text for each in page.changes if isinstance(each, MessagePosted)]
            cursor, last = page.cursor, page.last
    assert texts == [f"m{number}" for number in range(6)]


@pytest.mark.parametrize(
    ("number", "expected"),
    [("1000", Channel.CHAT), (1008, Channel.PHONE), ("1139487", Channel.LIVE), (None, msgspec.UNSET)],
)
def test_channels(number: str | int | None, expected: Any) -> None:
    """By their ids; what came by none of HubSpot's own is what the settings say."""
    assert mapping.conversation({"id": "1", "originalChannelId": number}, ACCOUNT).channel is expected
