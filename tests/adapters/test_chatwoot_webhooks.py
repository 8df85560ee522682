"""What Chatwoot's webhooks mean to us: every event, and every trap we know of."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET, UnsetType

from adapters import registry
from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Author,
    Change,
    Channel,
    ConversationChanged,
    CustomerChanged,
    Identity,
    IdentityKind,
    MessageFailed,
    MessagePosted,
    Person,
    Raw,
    Status,
)
from adapters.signatures import sign
from adapters.vendors.chatwoot import adapter as module
from adapters.vendors.chatwoot import events, mapping
from adapters.vendors.chatwoot.adapter import Chatwoot
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
EVENTS = sorted(events.MESSAGE_EVENTS | events.CONVERSATION_EVENTS | events.CONTACT_EVENTS)
NOW = datetime(2026, 11, 14, 2, 20, 12, tzinfo=UTC)


def connect(**changed: Any) -> Chatwoot:
    """An adapter of account 3 with a webhook secret."""
    settings = {
        "base_url": "https://chat.example.com/",
        "account_id": 3,
        "token": "user-token",
        "webhook_secret": ["account-secret", "bot-secret", "inbox-secret"],
    }
    given = {name: value for name, value in {**settings, **changed}.items() if value is not None}
    adapter = registry.build("chatwoot", given)
    assert isinstance(adapter, Chatwoot)
    return adapter


def load(event: str) -> dict[str, Any]:
    """A fixture's payload."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{event}.json").read_text(encoding="utf-8"))
    return payload


def encoded(payload: Any) -> bytes:
    """A payload as a body."""
    return json.dumps(payload, ensure_ascii=False).encode()


def received(payload: Any, **headers: str) -> Webhook:
    """A webhook as the hook endpoint hands it over."""
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook(
        method="POST", url="https://d.example/hooks/c", query={}, headers=lower, body=encoded(payload)
    )


def only(changes: Any) -> Change:
    """The single change."""
    (change,) = changes
    return change  # type: ignore[no-any-return]


def posted(payload: dict[str, Any]) -> MessagePosted:
    """The message that a payload tells of."""
    change = only(connect().parse(encoded(payload)))
    assert isinstance(change, MessagePosted)
    return change


def test_every_event_has_a_fixture() -> None:
    """One fixture per event, named after it; the others show who else may speak, and what becomes of it."""
    others = {"echo", "message_by_agent", "message_failed", "note_by_agent", "unknown_event"}
    assert {path.stem for path in FIXTURES.glob("*.json")} == {*EVENTS, *others}


def test_a_customers_message() -> None:
    """Text with emoji and 繁體, the conversation and the customer all arrive."""
    change = posted(load("message_created"))
    assert change.message.text == "我的包裹📦卡在海關三天了，可以幫忙查一下嗎？"
    assert change.message.author is Author.CUSTOMER
    assert change.message.sent_at == datetime(2026, 11, 14, 2, 20, 11, 476000, tzinfo=UTC)
    assert change.message.person is None
    assert change.message.token is None
    conversation = change.conversation
    assert conversation.id == "2207"
    assert conversation.customer_id == "412"
    assert (conversation.channel, conversation.status) == (Channel.CHAT, Status.PENDING)
    assert conversation.tags == ("after-sales",)
    assert conversation.assignee is None
    assert conversation.url == "https://chat.example.com/app/accounts/3/conversations/2207"
    assert conversation.updated_at == datetime.fromtimestamp(1794622811.482, UTC)
    assert change.customer is not None
    assert change.customer.name == "陳雅婷"
    assert change.customer.language == "zh"
    assert change.customer.attributes == {"member_level": "gold"}
    assert change.customer.identities == (
        Identity(IdentityKind.VENDOR, "412"),
        Identity(IdentityKind.EMAIL, "chen.yating@example.com"),
        Identity(IdentityKind.PHONE, "+886912345678"),
        Identity(IdentityKind.EXTERNAL, "shop-88213"),
    )
    assert change.message.raw["id"] == 90311


@pytest.mark.parametrize(
    ("channel", "inbox", "proven"),
    [
        ("Channel::WebWidget", {"hmac_verified": True}, {IdentityKind.EXTERNAL}),
        ("Channel::WebWidget", {"hmac_verified": False}, set()),
        ("Channel::Whatsapp", {"source_id": "886912345678"}, {IdentityKind.PHONE}),
        ("Channel::Whatsapp", {"source_id": "886900000000"}, set()),
        ("Channel::WebWidget", {"source_id": "886912345678"}, set()),
    ],
)
def test_only_what_was_proven_is_verified(
    channel: str, inbox: dict[str, Any], proven: set[IdentityKind]
) -> None:
    """A visitor may type any address: the widget's HMAC vouches for the id, WhatsApp for the number."""
    payload = load("message_created")
    payload["conversation"]["channel"] = channel
    payload["conversation"]["contact_inbox"] |= inbox
    customer = posted(payload).customer
    assert customer is not None
    assert {identity.kind for identity in customer.identities if identity.verified} == proven


def test_an_agents_edited_message_with_a_file() -> None:
    """The agent is named; the time of the edit comes from the copy inside the conversation."""
    change = posted(load("message_updated"))
    assert change.message.author is Author.AGENT
    assert change.message.person == Person("6", "Lin Wei")
    assert change.occurred_at == datetime(2026, 11, 14, 2, 23, 5, 900000, tzinfo=UTC)
    assert change.conversation.assignee == Person("6", "林威")
    (attachment,) = change.message.attachments
    assert (attachment.name, attachment.content_type, attachment.size) == (
        "customs-form.png",
        "image/png",
        48213,
    )


@pytest.mark.parametrize(
    ("event", "status", "occurred_at"),
    [
        ("conversation_created", Status.PENDING, 1794622811.482),
        ("conversation_updated", Status.PENDING, 1794623040.015),
        ("conversation_status_changed", Status.OPEN, 1794623130.25),
        ("conversation_opened", Status.OPEN, 1794623130.25),
        ("conversation_resolved", Status.RESOLVED, 1794625200.0),
    ],
)
def test_conversation_events(event: str, status: Status, occurred_at: float) -> None:
    """Of the account's webhook and of the agent bot's alike."""
    change = only(connect().parse(encoded(load(event))))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.id == "2207"
    assert change.conversation.status is status
    assert change.customer is not None
    assert change.customer.id == "412"
    assert abs(change.occurred_at.timestamp() - occurred_at) < 0.001


def test_contact_events() -> None:
    """A change of attributes says when; a new contact doesn't, so the time of reading stands in."""
    updated = only(connect().parse(encoded(load("contact_updated"))))
    assert isinstance(updated, CustomerChanged)
    assert updated.customer.attributes == {"member_level": "platinum"}
    assert updated.occurred_at == datetime(2026, 11, 14, 3, tzinfo=UTC)
    created = only(connect().parse(encoded(load("contact_created"))))
    assert isinstance(created, CustomerChanged)
    assert datetime.now(UTC) - created.occurred_at < timedelta(minutes=1)


def _changed(**fields: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**load("message_created"), "message_type": "outgoing", **fields}


@pytest.mark.parametrize(
    ("payload", "author"),
    [
        (_changed(message_type="incoming"), Author.CUSTOMER),
        (_changed(message_type=0), Author.CUSTOMER),
        (_changed(message_type=1, sender={"id": 6, "name": "L", "type": "user"}), Author.AGENT),
        (_changed(sender={"id": 2, "name": "Bot", "type": "agent_bot"}), Author.AI),
        (_changed(sender={"id": 2, "name": "Captain", "type": "captain_assistant"}), Author.AI),
        (_changed(sender=None, sender_type="AgentBot"), Author.AI),
        (_changed(sender=None, sender_type="User"), Author.AGENT),
        (_changed(sender=None), Author.AGENT),
        (_changed(sender=None, content_attributes={"automation_rule_id": 3}), Author.SYSTEM),
        (_changed(sender=None, additional_attributes={"campaign_id": 3}), Author.SYSTEM),
        (_changed(message_type="activity", sender=None), Author.SYSTEM),
        (_changed(message_type=3), Author.SYSTEM),
        (_changed(message_type="template"), Author.SYSTEM),
        (_changed(message_type="whisper"), Author.UNKNOWN),
        (_changed(sender={"id": 1, "type": "robot_dog"}), Author.UNKNOWN),
    ],
)
def test_who_speaks(payload: Callable[[], dict[str, Any]], author: Author) -> None:
    """Strings and numbers, senders with and without a type, bots, rules, campaigns, the unheard-of."""
    assert posted(payload()).message.author is author


def test_our_own_words_come_back_with_our_key() -> None:
    """The mark survives; it says who spoke, even when the user's token carried the AI's words."""
    own = _changed(
        sender={"id": 6, "name": "Deskbridge", "type": "user"},
        content_attributes=mapping.mark("cmd-1", Author.AI),
    )
    message = posted(own()).message
    assert (message.token, message.author) == ("cmd-1", Author.AI)


def test_a_customer_cannot_forge_our_mark() -> None:
    """On an incoming message the mark means nothing."""
    forged = {**load("message_created"), "content_attributes": mapping.mark("cmd-1", Author.AGENT)}
    message = posted(forged).message
    assert (message.token, message.author) == (None, Author.CUSTOMER)


def test_the_customers_words_that_we_relayed_come_back_with_our_key() -> None:
    """An incoming message bears only the mark of one that we wrote in the customer's name."""
    relayed = {
        **load("message_created"),
        "content_attributes": mapping.mark("cmd-1", Author.CUSTOMER),
    }
    message = posted(relayed).message
    assert (message.token, message.author) == ("cmd-1", Author.CUSTOMER)
    turned = {**relayed, "message_type": "outgoing", "sender": {"id": 6, "type": "user"}}
    assert posted(turned).message.token is None


def test_a_message_that_the_channel_did_not_take() -> None:
    """Accepted from us, failed later: the message's copy says so, and why."""
    message, failed = connect().parse(encoded(load("message_failed")))
    assert isinstance(message, MessagePosted)
    assert isinstance(failed, MessageFailed)
    assert (failed.conversation_id, failed.message_id) == ("2207", "90318")
    assert failed.token == message.message.token == "0d5e1c52b7a94b0c9a7c0e7f4a1b2c3e"
    assert failed.reason == "131047: Re-engagement message"
    assert failed.occurred_at == datetime(2026, 11, 14, 2, 23, 5, 900000, tzinfo=UTC)


def test_a_private_note_is_private() -> None:
    """Notes come back as messages."""
    assert posted(_changed(private=True, sender={"id": 6, "type": "user"})()).message.private


@pytest.mark.parametrize(
    ("channel", "attributes", "expected"),
    [
        ("Channel::Email", {}, Channel.EMAIL),
        ("Channel::Whatsapp", {}, Channel.DIRECT_MESSAGE),
        ("Channel::Tiktok", {}, Channel.DIRECT_MESSAGE),
        ("Channel::Voice", {}, Channel.PHONE),
        ("Channel::Api", {}, Channel.LIVE),
        ("Channel::Api", {"channel": "product_page"}, Channel.PRODUCT_PAGE),
        ("Channel::Api", {"channel": "nonsense"}, Channel.LIVE),
        ("Channel::Telepathy", {}, Channel.UNKNOWN),
    ],
)
def test_channels(channel: str, attributes: dict[str, str], expected: Channel) -> None:
    """API inboxes say for themselves what they are, or the settings do."""
    payload = load("conversation_created")
    payload |= {"channel": channel, "additional_attributes": attributes}
    change = only(connect(api_channel="live").parse(encoded(payload)))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.channel is expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [({"stream": "room-7"}, "room-7"), ({"stream": 7}, "7"), ({"stream": None}, ""), ({}, ""), (None, UNSET)],
)
def test_the_broadcast_that_a_conversation_is_part_of(
    attributes: dict[str, Any] | None, expected: str | UnsetType
) -> None:
    """An API inbox says so in the additional attributes; where there are none, nothing is said."""
    payload = load("conversation_created") | {"additional_attributes": attributes}
    change = only(connect(api_channel="live").parse(encoded(payload)))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.stream == expected


def test_nulls_where_values_were_expected() -> None:
    """A message without text, sender, labels, attributes or assignee is still a message."""
    payload = load("message_created")
    payload |= {"content": None, "sender": None, "content_attributes": None, "attachments": None}
    payload["conversation"] |= {
        "labels": None,
        "meta": {"sender": None, "assignee": None},
        "additional_attributes": None,
        "custom_attributes": None,
        "updated_at": None,
        "messages": None,
        "status": "hibernating",
    }
    change = posted(payload)
    assert change.message.text == ""
    assert change.conversation.customer_id == "412"
    assert change.conversation.status is Status.UNKNOWN
    assert change.customer is None


def test_a_bot_as_assignee_is_nobody() -> None:
    """An agent bot that holds the conversation is no person."""
    payload = load("conversation_updated")
    payload["meta"] |= {"assignee": {"id": 2, "name": "Bot"}, "assignee_type": "AgentBot"}
    change = only(connect().parse(encoded(payload)))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.assignee is None


@pytest.mark.parametrize("event", ["conversation_typing_on", "webwidget_triggered", "inbox_created", "x"])
def test_other_events_mean_nothing(event: str) -> None:
    """They are answered, not kept, and parse to nothing."""
    adapter = connect(webhook_secret=None)
    payload = {"event": event, "id": 1}
    assert adapter.verify(received(payload), now=NOW).deliveries == ()
    assert adapter.parse(encoded(payload)) == ()


DEPOT = {"coordinates_lat": 52.5, "coordinates_long": 13.4, "fallback_title": "Depot"}
ANN = {"fallback_title": "+49301234567", "meta": {"firstName": "Ann", "lastName": "Lee"}}
LINK = {"fallback_title": "Our shop", "data_url": "https://shop.example/a"}
STORY = {"data_url": "https://chat.example.com/story.jpg", "file_size": 7}
SPOKEN = {"data_url": "https://chat.example.com/a.ogg", "transcribed_text": "Where is it?"}
FORM = {"data_url": "https://chat.example.com/b.pdf"}


@pytest.mark.parametrize(
    ("kind", "attachment", "text", "files"),
    [
        ("location", DEPOT, "Depot, 52.5, 13.4", []),
        ("contact", ANN, "Ann Lee, +49301234567", []),
        ("fallback", LINK, "Our shop, https://shop.example/a", []),
        ("story_mention", STORY, "", [("story.jpg", "image/jpeg", 7)]),
        ("audio", SPOKEN, "Where is it?", [("a.ogg", "audio/ogg", None)]),
        ("file", FORM, "", [("b.pdf", "application/pdf", None)]),
        ("ig_reel", {"data_url": None}, "", []),
    ],
)
def test_messages_without_a_text(kind: str, attachment: Raw, text: str, files: list[Any]) -> None:
    """A place, an address and a link are words; what was said aloud is, too; the rest are files."""
    sent = {"id": 7, "file_type": kind, **attachment}
    posted = only(
        connect().parse(encoded(load("message_created") | {"content": None, "attachments": [sent]}))
    )
    assert isinstance(posted, MessagePosted)
    assert posted.message.text == text
    assert [(each.name, each.content_type, each.size) for each in posted.message.attachments] == files


def test_ids_as_texts_are_the_same() -> None:
    """Some proxies write numbers as texts."""
    payload = load("message_created")
    as_texts = payload | {"id": str(payload["id"]), "account": {"id": str(payload["account"]["id"])}}
    as_texts["conversation"] = payload["conversation"] | {"id": str(payload["conversation"]["id"])}
    adapter = connect(webhook_secret=None)
    read = []
    for each in (payload, as_texts):
        (delivery,) = adapter.verify(received(each), now=NOW).deliveries
        posted = only(adapter.parse(delivery.body))
        assert isinstance(posted, MessagePosted)
        read.append((delivery.lane, posted.message.id, posted.conversation.id))
    assert read[0] == read[1]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {},
        {"event": 5},
        {"event": "message_created"},
        {"event": "message_created", "conversation": None},
        {"event": "message_created", "conversation": {"id": 1}},
        {"event": "conversation_created", "id": "five"},
        {
            "event": "contact_updated",
            "id": 1,
            "changed_attributes": [{"updated_at": {"current_value": "?"}}],
        },
    ],
)
def test_poison_is_malformed(payload: Any) -> None:
    """Bodies that can't be what they say they are."""
    with pytest.raises(Malformed):
        connect().parse(encoded(payload))


def test_account_bot_and_inbox_sign_with_their_own_secrets() -> None:
    """Each secret opens the door; the delivery id is the key and the conversation the lane."""
    adapter = connect()
    assert adapter.signature is not None
    webhook = received(load("message_created"), x_chatwoot_delivery="d-1")
    for secret in ("account-secret", "bot-secret", "inbox-secret"):
        (delivery,) = adapter.verify(sign(adapter.signature, webhook, secret, at=NOW), now=NOW).deliveries
        assert (delivery.key, delivery.lane, delivery.body) == ("d-1", "2207", webhook.body)
    with pytest.raises(BadSignature):
        adapter.verify(sign(adapter.signature, webhook, "another", at=NOW), now=NOW)
    with pytest.raises(BadSignature):
        adapter.verify(webhook, now=NOW)


def test_older_releases_neither_sign_nor_number() -> None:
    """Without a secret unsigned webhooks pass; the key is derived, and stable."""
    adapter = connect(webhook_secret=None)
    first, again = (
        adapter.verify(received(load("contact_updated")), now=NOW).deliveries[0] for _ in range(2)
    )
    assert first.key == again.key
    assert first.lane == "contact:412"
    other = copy.deepcopy(load("contact_updated")) | {"name": "陳小婷"}
    assert adapter.verify(received(other), now=NOW).deliveries[0].key != first.key


def test_another_accounts_event_is_refused() -> None:
    """A hook set up in the wrong account would mix up conversation numbers."""
    adapter = connect(webhook_secret=None, account_id=4)
    with pytest.raises(Malformed, match="account 3"):
        adapter.verify(received(load("message_created")), now=NOW)


def test_the_reference_sample(reference: Path) -> None:
    """The payload derived from Chatwoot's own serialisers reads as a customer's message."""
    samples = sorted((reference / "recorded" / "chatwoot").glob("*.json"))
    assert samples
    for sample in samples:
        adapter = connect(account_id=1, webhook_secret=None)
        payload = json.loads(sample.read_text(encoding="utf-8"))
        (delivery,) = adapter.verify(received(payload), now=NOW).deliveries
        change = only(adapter.parse(delivery.body))
        assert isinstance(change, MessagePosted)
        assert change.message.author is Author.CUSTOMER
        assert change.conversation.status is Status.PENDING
        assert change.conversation.channel is Channel.OTHER


def test_a_temporary_fault_is_answered_so_that_a_bot_is_told_again() -> None:
    """After anything but 429 and 500 Chatwoot opens the conversation for people at once."""
    assert connect().unavailable in {429, 500}
