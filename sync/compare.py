"""Comparing what a vendor says with what we hold: which fields differ. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, field

from adapters.model import ConversationRecord, CustomerRecord, MessageRecord
from sync.thread import person_json

MISSING = "missing"
DELETED = "deleted"


class HeldConversation(Struct, frozen=True, kw_only=True):
    """A conversation as we hold it."""

    ref: int
    channel: str
    stream: str
    status: str
    tags: list[str]
    assignee: dict[str, Any] | None
    subject: str
    url: str
    attributes: dict[str, Any]
    vendor_updated_at: datetime | None
    customer_id: str | None = None
    deleted_at: datetime | None = None


class HeldCustomer(Struct, frozen=True, kw_only=True):
    """A customer as we hold them; `known` are their addresses at this connection: kind, value."""

    ref: int
    name: str
    language: str | None
    attributes: dict[str, Any]
    vendor_updated_at: datetime | None
    known: set[tuple[str, str]] = field(default_factory=set)


class HeldMessage(Struct, frozen=True, kw_only=True):
    """A message as we hold it; of our own ones a vendor may tell the text in its own dress."""

    text: str
    own: bool
    seen_at: datetime


def deletion_differs(held: HeldConversation | None) -> tuple[str, ...]:
    """That a vendor's deleted conversation isn't marked as such here, if we hold it."""
    return (DELETED,) if held is not None and held.deleted_at is None else ()


def conversation_differs(record: ConversationRecord, held: HeldConversation | None) -> tuple[str, ...]:
    """The fields in which a vendor's conversation differs; none when what we hold is newer."""
    if held is None:
        return (MISSING,)
    if _is_older(record.updated_at, held.vendor_updated_at):
        return ()
    theirs: dict[str, Any] = {
        "channel": record.channel,
        "stream": record.stream,
        "status": record.status,
        "tags": record.tags if record.tags is UNSET else list(record.tags),
        "assignee": record.assignee if record.assignee is UNSET else person_json(record.assignee),
        "subject": record.subject,
        "url": record.url,
        "attributes": record.attributes,
    }
    differing = tuple(name for name, value in theirs.items() if _differs(value, getattr(held, name)))
    # A customer may have been merged into another: only their absence can be healed.
    unknown_customer = record.customer_id is not UNSET and held.customer_id is None
    return (*differing, "customer") if unknown_customer else differing


def customer_differs(record: CustomerRecord, held: HeldCustomer | None) -> tuple[str, ...]:
    """The fields in which a vendor's customer differs; none when what we hold is newer."""
    if held is None:
        return (MISSING,)
    if _is_older(record.updated_at, held.vendor_updated_at):
        return ()
    theirs = {"name": record.name, "language": record.language, "attributes": record.attributes}
    differing = tuple(name for name, value in theirs.items() if _differs(value, getattr(held, name)))
    fresh = any((each.kind.value, each.value) not in held.known for each in record.identities)
    return (*differing, "identities") if fresh else differing


def message_differs(record: MessageRecord, held: Mapping[str, HeldMessage]) -> tuple[str, ...]:
    """Whether a vendor's message is missing, or reads otherwise."""
    ours = held.get(record.id)
    if ours is None:
        return (MISSING,)
    return ("text",) if record.text != ours.text and not ours.own else ()


def _is_older(theirs: Any, ours: datetime | None) -> bool:
    return theirs is not UNSET and ours is not None and theirs < ours


def _differs(theirs: Any, ours: Any) -> bool:
    return theirs is not UNSET and theirs != ours
