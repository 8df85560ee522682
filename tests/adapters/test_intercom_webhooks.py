"""What Intercom's webhooks mean to us: every topic, and every trap we know of."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from vendors.intercom import SETTINGS, signed

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Author,
    Change,
    Channel,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomersMerged,
    Identity,
    IdentityKind,
    MessagePosted,
    Person,
    Status,
)
from adapters.vendors.intercom import adapter as module
from adapters.vendors.intercom import mapping
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)


def connect(**changed: Any) -> Adapter:
    """The adapter of a workspace."""
    return registry.build("intercom", {**SETTINGS, **changed})


def load(name: str, **item: Any) -> dict[str, Any]:
    """A fixture's payload; its item changed."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    payload["data"]["item"] |= item
    return payload


def read(payload: Any, **settings: Any) -> tuple[Change, ...]:
    """What a payload means."""
    return tuple(connect(**settings).parse(json.dumps(payload, ensure_ascii=False).encode()))


def posted(name: str, **item: Any) -> MessagePosted:
    """The message that a fixture tells of, first of all."""
    change = read(load(name, **item))[0]
    assert isinstance(change, MessagePosted)
    return change


def by(name: str, **author: Any) -> Author:
    """Who has spoken, when the part of an agent's reply has this author."""
    payload = load(name)
    payload["data"]["item"]["conversation_parts"]["conversation_parts"][0]["author"] |= author
    (change,) = read(payload)
    assert isinstance(change, MessagePosted)
    return change.message.author


def received(payload: Any, **headers: str) -> Webhook:
    """A webhook as the hook endpoint hands it over, signed but for these headers."""
    body = json.dumps(payload).encode()
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook(
        method="POST", url="https://d.example/h", query={}, headers=signed(body) | changed, body=body
    )


def test_a_customer_begins() -> None:
    """The first message stands in the source; who they are comes along, what nobody proved is not proven."""
    change = posted("conversation_user_created")
    assert (change.message.text, change.message.author) == ("我的包裹📦卡在海關三天了", Author.CUSTOMER)
    assert change.message.id == "source-70001"
    thread = change.conversation
    assert (thread.id, thread.status, thread.channel) == ("4711", Status.OPEN, Channel.CHAT)
    assert (thread.tags, thread.assignee) == (("after-sales",), None)
    assert thread.attributes == {"order_number": "CS-10481"}
    assert change.customer is not None
    assert (change.customer.name, change.customer.attributes) == ("陳雅婷", UNSET)
    assert Identity(IdentityKind.EXTERNAL, "shop-88213", verified=False) in change.customer.identities


def test_a_reply_does_not_tell_the_first_message_again() -> None:
    """Every webhook bears the source; it was told when it was new."""
    (change,) = read(load("conversation_user_replied"))
    assert isinstance(change, MessagePosted)
    assert change.message.id == "70002"


def test_ids_are_proven_where_identity_verification_is_enforced() -> None:
    """Else anybody's browser can claim any of them."""
    change = read(load("conversation_user_created"), identity_verification=True)[0]
    assert isinstance(change, MessagePosted)
    assert change.customer is not None
    assert Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True) in change.customer.identities


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ({}, Author.AGENT),
        ({"id": 9100}, Author.AGENT),
        ({"id": "9001"}, Author.AI),
        ({"type": "bot"}, Author.AI),
        ({"from_ai_agent": True}, Author.AI),
        ({"email": "operator+x1@intercom.io"}, Author.AI),
        ({"email": "operator+x1@intercom.io.example"}, Author.AGENT),
        ({"type": "user"}, Author.CUSTOMER),
        ({"type": "lead"}, Author.CUSTOMER),
        ({"type": "team"}, Author.UNKNOWN),
        ({"type": "something_new"}, Author.UNKNOWN),
    ],
)
def test_who_speaks(author: dict[str, Any], expected: Author) -> None:
    """Fin and Operator write as bots or as admins; whoever is new to us is unknown."""
    assert by("conversation_admin_replied", **author) is expected


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("admin_initiated", Author.AGENT),
        ("campaign_initiated", Author.SYSTEM),
        ("automated", Author.SYSTEM),
        ("operator_initiated", Author.AI),
    ],
)
def test_campaigns_speak_for_nobody(how: str, expected: Author) -> None:
    """They write in an agent's name, who has not taken the conversation by that."""
    payload = load("conversation_admin_single_created")
    payload["data"]["item"]["source"]["delivered_as"] = how
    change = read(payload)[0]
    assert isinstance(change, MessagePosted)
    assert change.message.author is expected


def test_notes_are_private_and_html_becomes_text() -> None:
    """Webhooks of API versions before 2.15 bear HTML."""
    change = posted("conversation_admin_noted")
    assert (change.message.private, change.message.text) == (True, "Known customer.\nBe kind & quick.")
    assert change.message.person == Person("9100", "Lin Wei")


def test_a_text_that_looks_like_no_markup_stays() -> None:
    """Later versions bear the text itself."""
    assert mapping.text("a < b > c &amp; d") == "a < b > c &amp; d"


def test_closing_with_words() -> None:
    """Words and state come in one webhook."""
    said, changed = read(load("conversation_admin_closed"))
    assert isinstance(said, MessagePosted)
    assert (said.message.text, said.message.private) == ("Glad to help!", False)
    assert isinstance(changed, ConversationChanged)
    assert (changed.conversation.status, changed.by) == (Status.RESOLVED, Author.AGENT)


def test_assignments() -> None:
    """Who did it is told, and to whom; to a bot is to nobody."""
    (change,) = read(load("conversation_admin_assigned"))
    assert isinstance(change, ConversationChanged)
    assert (change.conversation.assignee, change.by) == (Person("9100"), Author.AGENT)
    (ours,) = read(load("conversation_admin_assigned", admin_assignee_id=9001))
    assert isinstance(ours, ConversationChanged)
    assert ours.conversation.assignee is None


def test_unknown_values_are_unknown() -> None:
    """New states and sources break nothing."""
    payload = load("conversation_user_replied", state="dreaming")
    payload["data"]["item"]["source"]["type"] = "telepathy"
    (change,) = read(payload)
    assert isinstance(change, MessagePosted)
    assert (change.conversation.status, change.conversation.channel) == (Status.UNKNOWN, Channel.UNKNOWN)


def test_contacts_times_are_iso_in_webhooks() -> None:
    """And Unix times in the API: both are the same moment."""
    (change,) = read(load("contact_user_updated"))
    assert isinstance(change, CustomerChanged)
    assert change.customer.updated_at == datetime(2026, 11, 14, 2, 21, 11, 476000, tzinfo=UTC)
    assert change.customer.attributes == {"member_level": "silver"}
    (same,) = read(load("contact_user_updated", updated_at=1794622871))
    assert isinstance(same, CustomerChanged)
    assert same.customer.updated_at == datetime(2026, 11, 14, 2, 21, 11, tzinfo=UTC)


def test_a_lead_that_was_merged() -> None:
    """Where the history of merges comes along."""
    merged, changed = read(load("contact_lead_signed_up"))
    assert isinstance(merged, CustomersMerged)
    assert isinstance(changed, CustomerChanged)
    assert (merged.gone_id, merged.customer.id) == ("67b0aa01c16da6b56c76cc09", changed.customer.id)


def test_a_delivery_is_known_by_its_notification() -> None:
    """There is no time in the signature: what is sent again is known by the id."""
    payload = load("conversation_user_replied")
    receipt = connect().verify(received(payload), now=NOW)
    (delivery,) = receipt.deliveries
    assert (delivery.key, delivery.lane) == (payload["id"], "4711")
    again = connect().verify(received(payload | {"delivery_attempts": 2}), now=NOW)
    assert again.deliveries[0].key == delivery.key
    (of_contact,) = connect().verify(received(load("contact_user_updated")), now=NOW).deliveries
    assert of_contact.lane == "customer:67b0aa01c16da6b56c76cc01"


def test_pings_are_answered_and_forgotten() -> None:
    """Intercom sends one when the webhook is saved."""
    receipt = connect().verify(received(load("unknown_ping")), now=NOW)
    assert receipt.deliveries == ()
    assert 200 <= receipt.reply.status < 300


def test_what_is_not_intercoms_is_refused() -> None:
    """A wrong signature, and a notification without an id."""
    with pytest.raises(BadSignature):
        connect().verify(received(load("unknown_ping"), x_hub_signature="sha1=" + "0" * 40), now=NOW)
    with pytest.raises(Malformed, match="no id"):
        connect().verify(received(load("conversation_user_replied") | {"id": None}), now=NOW)


def test_recorded_conversations_are_read(reference: Path) -> None:
    """Of a live workspace: Fin as an admin, nulls where the description has none."""
    paths = sorted((reference / "recorded" / "intercom").glob("*.json"))
    assert paths
    for path in paths:
        item = json.loads(path.read_bytes())
        account = mapping.Account.of(connect().settings)
        thread = mapping.conversation(item, account)
        assert isinstance(thread, ConversationRecord)
        assert (thread.status, thread.channel) == (Status.OPEN, UNSET)
        assert mapping.author(item["source"]["author"], account) is Author.AI
        payload = load("conversation_user_created")
        payload["data"]["item"] = item
        (change,) = read(payload)
        assert isinstance(change, ConversationChanged)
        assert change.customer is not None


def test_what_is_redacted_is_emptied() -> None:
    """The part comes once more, under its id, with nothing in it; others that come along say nothing new."""
    whole = load("conversation_user_replied")
    (part,) = whole["data"]["item"]["conversation_parts"]["conversation_parts"]
    emptied = {**part, "body": None, "attachments": [], "redacted": True}
    whole["data"]["item"]["conversation_parts"]["conversation_parts"] = [{**part, "id": "1"}, emptied]
    told = read(whole | {"topic": "conversation_part.redacted"})
    (change,) = told
    assert isinstance(change, MessagePosted)
    assert (change.message.id, change.message.text) == (str(part["id"]), "")
