"""From the reference helpdesk's words to ours."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import UNSET, to_builtins

from adapters.model import (
    Attachment,
    Author,
    Change,
    Channel,
    Control,
    ControlChanged,
    ConversationChanged,
    ConversationDeleted,
    ConversationRecord,
    CustomerChanged,
    CustomerDeleted,
    CustomerRecord,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    GetMessage,
    HandOver,
    Identity,
    IdentityKind,
    MessageFailed,
    MessagePosted,
    MessageRecord,
    OpenConversation,
    Person,
    PullKind,
    Query,
    Raw,
    ReleaseControl,
    Status,
    TakeControl,
    ThinEvent,
    UpdateConversation,
)

US = "deskbridge"
"""What its switchboard calls us."""
_AUTHORS = {
    "customer": Author.CUSTOMER,
    "bot": Author.AI,
    "agent": Author.AGENT,
    "system": Author.SYSTEM,
}
_CHANNELS = {channel.value: channel for channel in Channel}
STATUSES = {status.value: status for status in Status if status is not Status.UNKNOWN}


def change(event: dict[str, Any]) -> Change | None:
    """The change that one event tells of; `None` for events unknown to us."""
    read = _READERS.get(event["type"])
    return read(event, moment(event["occurred_at"])) if read else None


def _posted(event: Raw, at: datetime) -> Change:
    return MessagePosted(
        message=message(event["message"]),
        conversation=conversation(event["conversation"]),
        customer=customer(event["customer"]),
        occurred_at=at,
    )


def _changed(event: Raw, at: datetime) -> Change:
    return ConversationChanged(
        conversation=conversation(event["conversation"]),
        customer=customer(event["customer"]),
        occurred_at=at,
        by=_AUTHORS.get(event["by"], Author.UNKNOWN),
    )


def _customer_changed(event: Raw, at: datetime) -> Change:
    by = _AUTHORS.get(event["by"], Author.UNKNOWN)
    return CustomerChanged(customer=customer(event["customer"]), occurred_at=at, by=by)


def _merged(event: Raw, at: datetime) -> Change:
    return CustomersMerged(customer=customer(event["customer"]), gone_id=event["gone_id"], occurred_at=at)


def _deleted(event: Raw, at: datetime) -> Change:
    return ConversationDeleted(conversation_id=event["conversation"]["id"], occurred_at=at)


def _customer_deleted(event: Raw, at: datetime) -> Change:
    return CustomerDeleted(customer_id=event["customer"]["id"], occurred_at=at)


def _failed(event: Raw, at: datetime) -> Change:
    failed = event["message"]
    return MessageFailed(
        conversation_id=failed["conversation_id"],
        message_id=failed["id"],
        token=failed.get("token"),
        reason=event.get("reason") or "",
        temporary=event.get("temporary") is True,
        occurred_at=at,
    )


def _moved(event: Raw, at: datetime) -> Change:
    return ControlChanged(
        conversation=conversation(event["conversation"]),
        customer=customer(event["customer"]),
        control=_control(event["conversation"], event.get("act")),
        holder=_side(event["conversation"]),
        metadata=event.get("metadata") or {},
        occurred_at=at,
    )


_READERS: dict[str, Callable[[Raw, datetime], Change]] = {
    "message_posted": _posted,
    "conversation_changed": _changed,
    "conversation_deleted": _deleted,
    "customer_changed": _customer_changed,
    "customer_deleted": _customer_deleted,
    "customers_merged": _merged,
    "message_failed": _failed,
    "control_changed": _moved,
}


def thin(event: dict[str, Any]) -> ThinEvent:
    """What an event means that tells ids only."""
    by = _AUTHORS.get(event["by"], Author.UNKNOWN)
    return ThinEvent(query=_named(event), occurred_at=moment(event["occurred_at"]), by=by)


def _named(event: dict[str, Any]) -> Query:
    """What an event is about that tells ids only."""
    match event:
        case {"conversation": {"id": str(conversation_id)}, "message": {"id": str(message_id)}}:
            return GetMessage(conversation_id=conversation_id, message_id=message_id)
        case {"conversation": {"id": str(conversation_id)}}:
            return FindConversation(conversation_id=conversation_id)
        case _:
            return FindCustomer(identity=Identity(IdentityKind.VENDOR, event["customer"]["id"]))


def message(raw: dict[str, Any]) -> MessageRecord:
    """A message."""
    agent = raw.get("agent")
    return MessageRecord(
        id=raw["id"],
        author=_AUTHORS.get(raw["author"], Author.UNKNOWN),
        text=raw["text"],
        sent_at=moment(raw["created_at"]),
        person=Person(agent["id"], agent["name"]) if agent else None,
        private=bool(raw.get("private")),
        token=raw.get("token"),
        attachments=tuple(Attachment(**each) for each in raw.get("files") or ()),
        raw=raw,
    )


def conversation(raw: dict[str, Any]) -> ConversationRecord:
    """A conversation."""
    assignee = raw.get("assignee")
    return ConversationRecord(
        id=raw["id"],
        customer_id=raw["customer_id"],
        channel=_CHANNELS.get(raw["channel"], Channel.UNKNOWN),
        stream=(raw["stream"] or "") if "stream" in raw else UNSET,
        status=STATUSES.get(raw["status"], Status.UNKNOWN),
        tags=tuple(raw.get("tags") or ()),
        assignee=Person(assignee["id"], assignee["name"]) if assignee else None,
        subject=raw.get("subject") or "",
        attributes=raw.get("attributes", UNSET),
        updated_at=moment(raw["updated_at"]),
        raw=raw,
    )


def customer(raw: dict[str, Any]) -> CustomerRecord:
    """A customer with every address the helpdesk knows."""
    proven = raw.get("verified") or ()
    addresses = (
        (IdentityKind.EMAIL, "email"),
        (IdentityKind.PHONE, "phone"),
        (IdentityKind.EXTERNAL, "external_id"),
    )
    return CustomerRecord(
        id=raw["id"],
        name=raw["name"],
        identities=(
            Identity(IdentityKind.VENDOR, raw["id"]),
            *(Identity(kind, raw[name], name in proven) for kind, name in addresses if raw.get(name)),
        ),
        attributes=raw["attributes"],
        language=raw.get("language") or UNSET,
        updated_at=moment(raw["updated_at"]),
        revision=raw["revision"],
        raw=raw,
    )


def _control(raw: dict[str, Any], act: Any) -> Control:
    """Where the switch stands, seen from us."""
    active, pending = raw.get("active"), raw.get("pending")
    if act == "refuse":
        return Control.REFUSED
    if pending is not None:
        return Control.OFFERED_TO_US if pending == US else Control.OFFERED_AWAY
    if active is None:
        return Control.RELEASED
    return Control.OURS if active == US else Control.THEIRS


def _side(raw: dict[str, Any]) -> Person | None:
    side = raw.get("pending") or raw.get("active")
    return Person(side, side) if isinstance(side, str) else None


def pulled(kind: PullKind, raw: dict[str, Any]) -> Change:
    """What a record of a page tells."""
    match kind:
        case PullKind.CUSTOMERS:
            return CustomerChanged(customer=customer(raw), occurred_at=moment(raw["updated_at"]))
        case PullKind.CONVERSATIONS:
            return ConversationChanged(conversation=conversation(raw), occurred_at=moment(raw["updated_at"]))
        case PullKind.MESSAGES:
            said, about = message(raw), ConversationRecord(id=raw["conversation_id"])
            return MessagePosted(message=said, conversation=about, occurred_at=said.sent_at)


def patch(command: UpdateConversation) -> dict[str, Any]:
    """The body that makes the change; it is refused if the conversation has another time by then."""
    named = ("subject", "status", "tags", "attributes")
    fields = {name: getattr(command, name) for name in named} | {"if_updated_at": command.updated_at}
    return {name: to_builtins(value) for name, value in fields.items() if value is not UNSET}


def new(command: OpenConversation) -> dict[str, Any]:
    """The body that opens a conversation in a customer's name."""
    kinds = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "phone", IdentityKind.EXTERNAL: "external_id"}
    addresses = {kinds[each.kind]: each.value for each in reversed(command.identities) if each.kind in kinds}
    return {
        "token": command.key,
        "subject": command.subject,
        "text": command.text,
        "private": command.private,
        "channel": command.channel.value,
        "tags": list(command.tags),
        "name": command.customer_name,
        **addresses,
    }


def move(command: HandOver | TakeControl | ReleaseControl) -> dict[str, Any]:
    """The body that moves control."""
    match command:
        case HandOver():
            act = "offer" if command.offer else "pass"
            about = {"summary": command.summary, "package": command.package, "url": command.url}
            return {"act": act, "metadata": about | ({"to": command.to} if command.to else {})}
        case TakeControl():
            return {"act": "accept"}
        case ReleaseControl():
            return {"act": "release", "metadata": {"reason": command.reason}}


def moment(text: str) -> datetime:
    """A time in the helpdesk's ISO 8601."""
    return datetime.fromisoformat(text)
