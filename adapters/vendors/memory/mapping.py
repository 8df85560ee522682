"""From the reference helpdesk's words to ours."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, to_builtins

from adapters.model import (
    Author,
    Change,
    Channel,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    CustomersMerged,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    MessageFailed,
    MessagePosted,
    MessageRecord,
    Person,
    Query,
    Status,
    ThinEvent,
    UpdateConversation,
)

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
    occurred_at = moment(event["occurred_at"])
    match event["type"]:
        case "message_posted":
            return MessagePosted(
                message=message(event["message"]),
                conversation=conversation(event["conversation"]),
                customer=customer(event["customer"]),
                occurred_at=occurred_at,
            )
        case "conversation_changed":
            return ConversationChanged(
                conversation=conversation(event["conversation"]),
                customer=customer(event["customer"]),
                occurred_at=occurred_at,
                by=_AUTHORS.get(event["by"], Author.UNKNOWN),
            )
        case "customer_changed":
            return CustomerChanged(
                customer=customer(event["customer"]),
                occurred_at=occurred_at,
                by=_AUTHORS.get(event["by"], Author.UNKNOWN),
            )
        case "message_failed":
            failed = event["message"]
            return MessageFailed(
                conversation_id=failed["conversation_id"],
                message_id=failed["id"],
                token=failed.get("token"),
                reason=event.get("reason") or "",
                temporary=event.get("temporary") is True,
                occurred_at=occurred_at,
            )
        case "customers_merged":
            return CustomersMerged(
                customer=customer(event["customer"]), gone_id=event["gone_id"], occurred_at=occurred_at
            )
        case _:
            return None


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
        raw=raw,
    )


def conversation(raw: dict[str, Any]) -> ConversationRecord:
    """A conversation."""
    assignee = raw.get("assignee")
    return ConversationRecord(
        id=raw["id"],
        customer_id=raw["customer_id"],
        channel=_CHANNELS.get(raw["channel"], Channel.UNKNOWN),
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


def patch(command: UpdateConversation) -> dict[str, Any]:
    """The body that makes the change; it is refused if the conversation has another time by then."""
    named = ("subject", "status", "tags", "attributes")
    fields = {name: getattr(command, name) for name in named} | {"if_updated_at": command.updated_at}
    return {name: to_builtins(value) for name, value in fields.items() if value is not UNSET}


def moment(text: str) -> datetime:
    """A time in the helpdesk's ISO 8601."""
    return datetime.fromisoformat(text)
