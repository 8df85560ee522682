"""What each of Chatwoot's webhooks means, and where it belongs."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from adapters.errors import Malformed
from adapters.model import (
    Change,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    MessageFailed,
    MessagePosted,
    Raw,
)
from adapters.reading import whole
from adapters.vendors.chatwoot import mapping

MESSAGE_EVENTS = frozenset({"message_created", "message_updated"})
CONVERSATION_EVENTS = frozenset(
    {
        "conversation_created",
        "conversation_updated",
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
    }
)
CONTACT_EVENTS = frozenset({"contact_created", "contact_updated"})


def lane(event: Raw) -> str | None:
    """The conversation or contact that an event belongs to; `None` for those that are not for us."""
    match event:
        case {"event": str(name), "conversation": {"id": number}} if name in MESSAGE_EVENTS and whole(number):
            return str(whole(number))
        case {"event": str(name), "id": number} if name in CONVERSATION_EVENTS and whole(number):
            return str(whole(number))
        case {"event": str(name), "id": number} if name in CONTACT_EVENTS and whole(number):
            return f"contact:{whole(number)}"
        case {"event": str(name)} if name not in MESSAGE_EVENTS | CONVERSATION_EVENTS | CONTACT_EVENTS:
            return None
        case _:
            raise Malformed("the body is no event, or names nothing that it is about")


def derived_key(event: Raw, body: bytes) -> str:
    """A key for releases that send no delivery id: a repeated delivery has the same body."""
    return f"{event['event']}:{event.get('id')}:{hashlib.sha256(body).hexdigest()[:32]}"


def changes(event: Raw, conversation: Callable[[Raw], ConversationRecord]) -> tuple[Change, ...]:
    """The changes an event tells of; none for those that are not for us."""
    if lane(event) is None:
        return ()
    if event["event"] in MESSAGE_EVENTS:
        return _of_message(event, conversation)
    return (_of_object(event, conversation),)


def _of_message(event: Raw, conversation: Callable[[Raw], ConversationRecord]) -> tuple[Change, ...]:
    thread = event["conversation"]
    message = mapping.message(event)
    edited = mapping.edited_at(event) if event["event"] == "message_updated" else None
    posted = MessagePosted(
        message=message,
        conversation=conversation(thread),
        customer=mapping.customer_of(thread) or _sender(event),
        occurred_at=edited or message.sent_at,
    )
    reason = mapping.failure(event)
    if reason is None:
        return (posted,)
    failed = MessageFailed(
        conversation_id=posted.conversation.id,
        message_id=message.id,
        token=message.token,
        reason=reason,
        occurred_at=posted.occurred_at,
    )
    return (posted, failed)


def _of_object(event: Raw, conversation: Callable[[Raw], ConversationRecord]) -> Change:
    # A new contact's webhook carries no time at all; the time of reading is the best there is.
    occurred_at = mapping.changed_at(event) or datetime.now(UTC)
    if event["event"] in CONTACT_EVENTS:
        return CustomerChanged(customer=mapping.customer(event), occurred_at=occurred_at)
    return ConversationChanged(
        conversation=conversation(event), customer=mapping.customer_of(event), occurred_at=occurred_at
    )


def _sender(event: Raw) -> CustomerRecord | None:
    """The contact who wrote: alone among senders, a contact has no `type`."""
    sender = event.get("sender") or {}
    written_by_contact = event["message_type"] in {"incoming", 0} and sender.get("id") is not None
    return mapping.customer(sender) if written_by_contact else None
