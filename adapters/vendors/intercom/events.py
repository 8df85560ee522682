"""What Intercom's notifications mean, by topic."""

from datetime import datetime
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from adapters.errors import Malformed
from adapters.model import (
    Author,
    Change,
    ConversationChanged,
    ConversationDeleted,
    CustomerChanged,
    CustomerDeleted,
    CustomersMerged,
    MessagePosted,
    MessageRecord,
    Raw,
)
from adapters.times import moment
from adapters.vendors.intercom import mapping
from adapters.vendors.intercom.mapping import Account, ident

SPOKEN = frozenset(
    {
        "conversation.user.created",
        "conversation.user.replied",
        "conversation.admin.single.created",
        "conversation.admin.replied",
        "conversation.admin.noted",
        "conversation.admin.assigned",
        "conversation.admin.open.assigned",
        "conversation.admin.closed",
        "conversation.admin.opened",
        "conversation.admin.snoozed",
        "conversation.operator.replied",
    }
)
"""Topics whose parts, if they say something, are new messages."""
REDACTED = "conversation_part.redacted"
"""What somebody has made unreadable comes once more, with nothing in it."""
CHANGED = frozenset(
    {
        "conversation.admin.unsnoozed",
        "conversation.priority.updated",
        "conversation.rating.added",
        "conversation.contact.attached",
        "conversation.contact.detached",
        "conversation_part.tag.created",
    }
)
"""Topics that tell of a conversation as it is now; what is said in them was said before."""
DELETED = "conversation.deleted"
"""Only ids come with it, and with the like of contacts."""
_ASIDE = ("archived", "archive")


def lane(event: Any) -> str | None:
    """The conversation or contact that a notification belongs to; `None` for those not for us."""
    if not isinstance(event, dict):
        raise Malformed("the body is no notification")
    topic, item = str(event.get("topic")), _item(event)
    number = ident(item.get("id"))
    if number is None:
        return None
    if topic in SPOKEN | CHANGED | {REDACTED, DELETED} and item.get("type") in (None, "conversation"):
        return number
    is_contact = topic.startswith("contact.") and item.get("type") in (None, "contact")
    return f"customer:{number}" if is_contact and not topic.endswith(_ASIDE) else None


def changes(event: Raw, account: Account) -> tuple[Change, ...]:
    """What a notification tells of; nothing for those that are not for us."""
    if lane(event) is None:
        return ()
    item, topic = _item(event), str(event["topic"])
    at = moment(event.get("created_at")) or moment(item.get("updated_at"))
    if at is None:
        raise ValueError("a notification without a time")
    if topic == DELETED:
        return (ConversationDeleted(conversation_id=str(item["id"]), occurred_at=at),)
    if topic.startswith("contact.") and topic.endswith(".deleted"):
        return (CustomerDeleted(customer_id=str(item["id"]), occurred_at=at),)
    if topic.startswith("contact."):
        return _of_contact(item, account, at)
    said = _news(topic, mapping.messages(item, account, fallback=at))
    customer = mapping.customer_of(item, account)
    conversation = mapping.conversation(item, account)
    posted = tuple(
        MessagePosted(message=each, conversation=conversation, customer=customer, occurred_at=at)
        for each in said
    )
    if topic.endswith((".replied", ".noted", ".created", ".redacted")) and posted:
        return posted
    by = _by(topic, item, account)
    changed = ConversationChanged(conversation=conversation, customer=customer, occurred_at=at, by=by)
    return (*posted, changed)


def _news(topic: str, said: list[MessageRecord]) -> list[MessageRecord]:
    """What of a conversation's messages this topic tells of; the first one was told when it was new."""
    if topic == REDACTED:
        return [each for each in said if each.raw.get("redacted") is True]
    if topic not in SPOKEN:
        return []
    is_new = topic in {"conversation.user.created", "conversation.admin.single.created"}
    return [each for each in said if is_new or not each.id.startswith(mapping.SOURCE)]


def _by(topic: str, item: Raw, account: Account) -> Author:
    """Whoever wrote the latest part did it; without one the topic says what kind of person."""
    latest = mapping.parts(item)[-1:]
    told = mapping.author(latest[0].get("author"), account) if latest else Author.UNKNOWN
    if told is Author.UNKNOWN and topic.startswith("conversation.user."):
        return Author.CUSTOMER
    return told


def _of_contact(item: Raw, account: Account, at: datetime) -> tuple[Change, ...]:
    customer = mapping.customer(item, account)
    gone = [ident(each.get("source_contact_id")) for each in item.get("merge_history") or () if each]
    merged = tuple(
        CustomersMerged(customer=replace(customer, attributes=UNSET), gone_id=each, occurred_at=at)
        for each in gone
        if each and each != customer.id
    )
    return (*merged, CustomerChanged(customer=customer, occurred_at=at))


def _item(event: Raw) -> Raw:
    data = event.get("data")
    item = data.get("item") if isinstance(data, dict) else None
    return item if isinstance(item, dict) else {}
