"""What HubSpot's events mean: they hold ids only, so nearly all are errands to look something up."""

from datetime import datetime

from adapters.model import (
    Author,
    Change,
    ConversationDeleted,
    CustomerDeleted,
    CustomerRecord,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    Query,
    Raw,
    ThinEvent,
)
from adapters.times import moment

_DELETIONS = ("deletion", "privacyDeletion")
_CONVERSATION = frozenset(
    f"conversation.{what}" for what in ("creation", "newMessage", "propertyChange", *_DELETIONS)
)
_CONTACT = frozenset(
    f"contact.{what}" for what in ("creation", "propertyChange", "merge", "restore", *_DELETIONS)
)
_CONTACT_OBJECTS = frozenset({"0-1", "CONTACT"})
"""What contacts are called where one subscription serves objects of any kind."""


def _kind(event: Raw) -> str:
    """What an event is; of an object of any kind, as the subscription to that kind would call it."""
    kind = str(event.get("subscriptionType"))
    is_contact = str(event.get("objectTypeId")) in _CONTACT_OBJECTS
    return f"contact.{kind.removeprefix('object.')}" if kind.startswith("object.") and is_contact else kind


def lane(event: Raw) -> str | None:
    """The thread or contact that an event belongs to; `None` for those not for us."""
    kind, number = _kind(event), event.get("objectId") or event.get("primaryObjectId")
    if not number:
        return None
    if kind in _CONVERSATION:
        return str(number)
    return f"customer:{number}" if kind in _CONTACT else None


def key(event: Raw) -> str:
    """What makes an event one: `eventId` alone is not promised to be unique."""
    names = ("subscriptionType", "eventId", "objectId", "occurredAt", "messageId", "propertyName")
    return ":".join(str(event[name]) for name in names if event.get(name) is not None)


def changes(event: Raw) -> tuple[Change, ...]:
    """What an event tells of; nothing for those that are not for us."""
    if lane(event) is None:
        return ()
    at, number = moment(event.get("occurredAt"), unit="ms"), str(event.get("objectId"))
    if at is None:
        raise ValueError("an event without a time")
    is_contact = _kind(event) in _CONTACT
    if _kind(event).endswith(_DELETIONS):
        if is_contact:
            return (CustomerDeleted(customer_id=number, occurred_at=at),)
        return (ConversationDeleted(conversation_id=number, occurred_at=at),)
    if is_contact:
        return _of_contact(event, at)
    # sourceId names the user who did it, where one did.
    by = Author.AGENT if str(event.get("sourceId")).startswith("userId:") else Author.UNKNOWN
    thread = ThinEvent(query=FindConversation(conversation_id=number), occurred_at=at, by=by)
    if event.get("messageId") is None:
        return (thread,)
    asked: Query = GetMessage(conversation_id=number, message_id=str(event["messageId"]))
    return (thread, ThinEvent(query=asked, occurred_at=at))


def _of_contact(event: Raw, at: datetime) -> tuple[Change, ...]:
    """A merge makes a contact of two; its id may be a new one."""
    number = str(event.get("newObjectId") or event.get("primaryObjectId") or event.get("objectId"))
    told = [event.get("primaryObjectId"), *(event.get("mergedObjectIds") or ())]
    gone = [str(each) for each in told if each and str(each) != number]
    merged = [
        CustomersMerged(customer=CustomerRecord(id=number), gone_id=each, occurred_at=at) for each in gone
    ]
    query = FindCustomer(identity=Identity(IdentityKind.VENDOR, number))
    return (*merged, ThinEvent(query=query, occurred_at=at))
