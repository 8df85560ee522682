"""What Zendesk's webhooks mean to us: every event, and every trap we know of."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from vendors.zendesk import SETTINGS
from vendors.zendesk_webhooks import signed

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import BadSignature, InvalidSettings, Malformed
from adapters.model import (
    Author,
    Change,
    Channel,
    ConversationChanged,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    Person,
    Status,
    ThinEvent,
)
from adapters.vendors.zendesk import adapter as module
from adapters.vendors.zendesk import events
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
EVENTS = {f"ticket_{each}" for each in events.TICKET_EVENTS | events.COMMENT_EVENTS}
EVENTS |= {f"user_{each}" for each in events.USER_EVENTS}
CUSTOMER = FindCustomer(identity=Identity(IdentityKind.VENDOR, "4412"))


def connect(**changed: Any) -> Adapter:
    """The adapter of an account."""
    return registry.build("zendesk", {"base_url": "https://acme.zendesk.com/", **SETTINGS, **changed})


def load(name: str, **detail: Any) -> dict[str, Any]:
    """A fixture's payload; its `detail` changed."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    payload["detail"] |= detail
    return payload


def read(payload: Any, **settings: Any) -> tuple[Change, ...]:
    """What a payload means."""
    return tuple(connect(**settings).parse(json.dumps(payload, ensure_ascii=False).encode()))


def posted(payload: Any, **settings: Any) -> MessagePosted:
    """The message that a payload tells of."""
    (change,) = read(payload, **settings)
    assert isinstance(change, MessagePosted)
    return change


def changed(payload: Any, **settings: Any) -> ConversationChanged:
    """The conversation that a payload tells of, first of all."""
    change = read(payload, **settings)[0]
    assert isinstance(change, ConversationChanged)
    return change


def comment(**about: Any) -> dict[str, Any]:
    """An added comment, but for this."""
    payload = load("ticket_comment_added")
    payload["event"]["comment"] |= about
    return payload


def received(payload: Any, **headers: str) -> Webhook:
    """A webhook as the hook endpoint hands it over, signed now but for these headers."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = signed(body) | changed
    return Webhook(method="POST", url="https://d.example/h", query={}, headers=all_headers, body=body)


def test_every_event_has_a_fixture() -> None:
    """One fixture per event, named after it."""
    assert {path.stem for path in FIXTURES.glob("*.json")} >= EVENTS


def test_a_customers_comment() -> None:
    """Ids as numbers' texts, statuses in capitals, nanoseconds: what comes out is like any other message."""
    change = posted(load("ticket_comment_added"))
    assert change.message.id == "70901"
    assert change.message.text == "我的包裹📦卡在海關三天了，可以幫忙查一下嗎？"
    assert (change.message.author, change.message.private) == (Author.CUSTOMER, False)
    assert change.message.sent_at == datetime(2026, 11, 14, 2, 20, 11, tzinfo=UTC)
    assert change.occurred_at == datetime(2026, 11, 14, 2, 20, 11, 476302, tzinfo=UTC)
    ticket = change.conversation
    assert (ticket.id, ticket.customer_id, ticket.status) == ("5158", "4412", Status.PENDING)
    assert (ticket.channel, ticket.tags) == (Channel.CHAT, ("after-sales",))
    assert ticket.assignee is None
    assert ticket.url == "https://acme.zendesk.com/agent/tickets/5158"
    assert change.customer is not None
    assert change.customer.name == "陳雅婷"
    assert change.customer.identities == (Identity(IdentityKind.VENDOR, "4412"),)


def test_agents_and_their_private_notes() -> None:
    """Staff are named; what isn't public is private."""
    spoken, noted = posted(load("comment_by_agent")), posted(load("note_by_agent"))
    assert (spoken.message.author, spoken.message.person) == (Author.AGENT, Person("8006", "Lin Wei"))
    assert spoken.conversation.assignee == Person("8006")
    assert (spoken.message.private, noted.message.private) == (False, True)


@pytest.mark.parametrize(
    ("writer", "author"),
    [
        ({"id": "9001", "is_staff": True}, Author.AI),
        ({"id": "9003", "is_staff": True}, Author.AI),
        ({"id": "8006", "is_staff": True}, Author.AGENT),
        ({"id": "4499", "is_staff": False}, Author.CUSTOMER),
        ({"id": "-1", "is_staff": True}, Author.SYSTEM),
        ({"id": "8006"}, Author.UNKNOWN),
        (None, Author.UNKNOWN),
    ],
)
def test_who_speaks(writer: dict[str, Any] | None, author: Author) -> None:
    """Our user and other bots are the AI, Zendesk's own the system, others staff or customers."""
    assert posted(comment(author=writer), other_bots="9002, 9003").message.author is author


def test_without_our_users_number_our_words_look_like_an_agents() -> None:
    """Which is why it should be set."""
    assert posted(load("echo"), bot_user_id=None).message.author is Author.AGENT
    assert posted(load("echo")).message.author is Author.AI


def test_a_comment_of_which_nothing_says_that_it_is_public_is_private() -> None:
    """Rather hidden from the customer's other channels than told there."""
    assert posted(comment(is_public=None)).message.private


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", Status.PENDING),
        ("OPEN", Status.OPEN),
        ("PENDING", Status.PENDING),
        ("HOLD", Status.SNOOZED),
        ("SOLVED", Status.RESOLVED),
        ("CLOSED", Status.RESOLVED),
        ("HIBERNATING", Status.UNKNOWN),
        ("open", Status.OPEN),
    ],
)
def test_statuses(word: str, status: Status) -> None:
    """In capitals or not; what nobody has come to yet, or waits without a person, is a bot's."""
    assert changed(load("ticket_status_changed", status=word, assignee_id=None)).conversation.status is status


def test_what_waits_for_the_customer_with_a_person_is_no_bots() -> None:
    """An agent has asked something."""
    told = changed(load("ticket_status_changed", status="PENDING", assignee_id="8006"))
    assert told.conversation.status is Status.SNOOZED
    told = changed(load("ticket_status_changed", status="PENDING", assignee_id="9001"))
    assert told.conversation.status is Status.PENDING


def test_a_customers_comment_does_not_tell_that_the_ticket_is_open() -> None:
    """Zendesk opens it by itself then: another event tells that, and whose doing it was."""
    detail = {"status": "OPEN", "assignee_id": "8006"}
    assert posted(load("ticket_comment_added", **detail)).conversation.status is UNSET
    assert posted(load("echo", **detail)).conversation.status is UNSET
    assert posted(load("comment_by_agent", **detail)).conversation.status is Status.OPEN
    assert posted(load("ticket_comment_added", status="SOLVED")).conversation.status is Status.RESOLVED


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("mail", Channel.EMAIL),
        ("native_messaging", Channel.CHAT),
        ("whatsapp", Channel.DIRECT_MESSAGE),
        ("facebook_post", Channel.COMMENT),
        ("phone_call_inbound", Channel.PHONE),
        ("web_service", Channel.LIVE),
        ("web_form", Channel.OTHER),
        ("telepathy", Channel.UNKNOWN),
    ],
)
def test_channels(channel: str, expected: Channel) -> None:
    """As events spell them; what came over the API is what the settings say."""
    told = changed(load("ticket_status_changed", via={"channel": channel}), api_channel="live")
    assert told.conversation.channel is expected


@pytest.mark.parametrize(
    ("actor", "by"),
    [
        ("4412", Author.CUSTOMER),
        ("8006", Author.AGENT),
        ("9001", Author.AI),
        ("-1", Author.SYSTEM),
        (None, Author.UNKNOWN),
    ],
)
def test_who_changed_it(actor: str | None, by: Author) -> None:
    """The event's actor."""
    assert changed(load("ticket_status_changed", actor_id=actor)).by is by


@pytest.mark.parametrize(
    ("assignee", "expected"),
    [("8006", Person("8006")), ("9001", None), ("", None), ("0", None), (None, None)],
)
def test_assignees(assignee: str | None, expected: Person | None) -> None:
    """Nobody is written in several ways; a bot is nobody who could be disturbed."""
    told = changed(load("ticket_agent_assignment_changed", assignee_id=assignee))
    assert told.conversation.assignee == expected


@pytest.mark.parametrize("tags", [["after-sales", "vip"], "after-sales vip"])
def test_tags(tags: Any) -> None:
    """A list, or words with spaces between them."""
    assert changed(load("ticket_tags_changed", tags=tags)).conversation.tags == ("after-sales", "vip")


def test_a_new_ticket_is_told_and_the_rest_is_looked_up() -> None:
    """Its creation tells neither the first comment's id nor who the requester is."""
    first, *errands = read(load("ticket_created"))
    assert isinstance(first, ConversationChanged)
    assert [each.query for each in errands if isinstance(each, ThinEvent)] == [
        GetMessage(conversation_id="5158", message_id=events.FIRST_COMMENT),
        CUSTOMER,
    ]


@pytest.mark.parametrize(
    "name",
    [
        "ticket_attachment_linked_to_comment",
        "ticket_attachment_redacted_from_comment",
        "ticket_comment_made_private",
        "ticket_comment_redacted",
    ],
)
def test_what_happens_to_a_comment_is_looked_up(name: str) -> None:
    """Files come after their comment, redaction later: the event holds only a part."""
    (change,) = read(load(name))
    assert isinstance(change, ThinEvent)
    assert change.query == GetMessage(conversation_id="5158", message_id="70911")


def test_a_changed_custom_field_is_looked_up() -> None:
    """The event tells of one field; a record holds all."""
    (change,) = read(load("ticket_custom_field_changed"))
    assert isinstance(change, ThinEvent)
    assert (change.query, change.by) == (FindConversation(conversation_id="5158"), Author.AGENT)


@pytest.mark.parametrize("name", sorted(each for each in EVENTS if each.startswith("user_")))
def test_events_of_users(name: str) -> None:
    """With either separator; whatever changed, the user is looked up."""
    looked_up = [each.query for each in read(load(name)) if isinstance(each, ThinEvent)]
    survivor = FindCustomer(identity=Identity(IdentityKind.VENDOR, "4499"))
    assert looked_up == [survivor if name == "user_merged" else CUSTOMER]


@pytest.mark.parametrize(
    ("told", "survivor", "gone"),
    [
        ({"target_user_id": "4499"}, "4499", "4412"),
        ({"target_user": {"id": "4499"}}, "4499", "4412"),
        ({"merged_user_id": "4499"}, "4412", "4499"),
        ({"merged_user": {"id": 4499}}, "4412", "4499"),
    ],
)
def test_merged_users(told: dict[str, Any], survivor: str, gone: str) -> None:
    """Whichever of the two the event names besides its subject."""
    merged, looked_up = read(load("user_merged") | {"event": told})
    assert isinstance(merged, CustomersMerged)
    assert (merged.customer.id, merged.gone_id) == (survivor, gone)
    assert isinstance(looked_up, ThinEvent)


def test_a_merge_told_in_other_words_merges_nobody() -> None:
    """A guess could join strangers."""
    (looked_up,) = read(load("user_merged") | {"event": {"somebody": "4499"}})
    assert isinstance(looked_up, ThinEvent)


@pytest.mark.parametrize(
    "kind",
    [
        "zen:event-type:ticket.sla_policy_changed",
        "zen:event-type:organization.created",
        "zen:event-type:agent.state_changed",
        "zen:event-type:ticket",
        "another.vendors.event",
    ],
)
def test_other_events_mean_nothing(kind: str) -> None:
    """They are answered, not kept, and parse to nothing."""
    payload = load("ticket_created") | {"type": kind}
    adapter = connect()
    assert adapter.verify(received(payload), now=datetime.now(UTC)).deliveries == ()
    assert adapter.parse(json.dumps(payload).encode()) == ()


def test_the_staff_are_no_customers() -> None:
    """Events of agents' own users are not for us."""
    assert read(load("unknown_user_of_the_staff")) == ()


@pytest.mark.parametrize("payload", [[], {}, "x", None, {"ticket": {"id": 5}}, {"type": 5}])
def test_a_triggers_body_is_refused(payload: Any) -> None:
    """A webhook that is connected to a trigger sends whatever one wrote there: no event."""
    with pytest.raises(Malformed):
        connect().verify(received(payload), now=datetime.now(UTC))


def test_the_signature_is_that_of_the_vendor() -> None:
    """Base64 over timestamp and body with nothing between; anything else is refused, and so is old age."""
    payload = load("ticket_comment_added")
    adapter, now = connect(), datetime.now(UTC)
    (delivery,) = adapter.verify(received(payload), now=now).deliveries
    assert (delivery.key, delivery.lane) == (payload["id"], "5158")
    for forged in ({"x_zendesk_webhook_signature": "bm90IGl0"}, {"x_zendesk_webhook_signature": ""}):
        with pytest.raises(BadSignature):
            adapter.verify(received(payload, **forged), now=now)
    with pytest.raises(BadSignature):
        adapter.verify(received(payload), now=now + timedelta(minutes=6))


def test_a_users_events_are_in_order_among_themselves() -> None:
    """They belong to no ticket."""
    (delivery,) = connect().verify(received(load("user_created")), now=datetime.now(UTC)).deliveries
    assert delivery.lane == "customer:4412"


@pytest.mark.parametrize("text", ["order_number", "order_number: abc", ": 360001"])
def test_wrong_names_of_fields_are_told_at_once(text: str) -> None:
    """With the place and a cure."""
    with pytest.raises(InvalidSettings, match="ticket_fields must be names and numbers"):
        connect(ticket_fields=text)


def test_the_recorded_webhook(reference: Path) -> None:
    """An agent's comment, as somebody received it."""
    path = reference / "recorded" / "zendesk" / "ticket.comment_added.json"
    payload = json.loads(path.read_text(encoding="utf-8"))
    (delivery,) = connect().verify(received(payload), now=datetime.now(UTC)).deliveries
    (change,) = connect().parse(delivery.body)
    assert isinstance(change, MessagePosted)
    assert (delivery.lane, change.message.author) == ("5158", Author.AGENT)
    assert change.conversation.status is Status.OPEN
    assert change.conversation.channel is Channel.OTHER
    assert change.occurred_at.microsecond == 123456
