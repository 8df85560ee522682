"""What Chatwoot's webhooks mean to us: every event, and every trap we know of."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chatwoot_reading import FIXTURES, NOW, connect, encoded, load, only, posted, received

from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Author,
    Channel,
    ConversationChanged,
    CustomerChanged,
    Identity,
    IdentityKind,
    MessagePosted,
    Person,
    Raw,
    Status,
)
from adapters.signatures import sign
from adapters.vendors.chatwoot import events

EVENTS = sorted(events.MESSAGE_EVENTS | events.CONVERSATION_EVENTS | events.CONTACT_EVENTS)


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
