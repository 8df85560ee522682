"""What each of Sunshine Conversations' events means, and where it belongs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from adapters.model import (
    Author,
    Change,
    ConversationChanged,
    ConversationDeleted,
    CustomerChanged,
    CustomerDeleted,
    CustomerRecord,
    CustomersMerged,
    MessageFailed,
    MessagePosted,
    MessageRecord,
    Raw,
)
from adapters.times import moment
from adapters.vendors.sunshine import mapping, switchboard


def is_for_us(event: Any) -> bool:
    """Whether an event means anything to us."""
    kind = event.get("type") if isinstance(event, dict) else None
    return isinstance(kind, str) and (kind in _READERS or switchboard.tells(kind))


def lane(event: Raw) -> str | None:
    """The conversation or user that an event belongs to; `None` if it names none."""
    match event.get("payload"):
        case {"mergedUsers": {"surviving": {"id": str(user)}}}:
            return f"user:{user}"
        case {"conversation": {"id": str(conversation)}}:
            return conversation
        case {"user": {"id": str(user)}}:
            return f"user:{user}"
        case _:
            return None


def changes(event: Raw, *, ours: str, sdk_channel: str) -> Iterator[Change]:
    """What an event tells; `ours` is our switchboard integration, by any of its names.

    Before what a customer says comes whose it is to answer, where that isn't us: it is told with every event,
    and we may not have heard when it was given away.
    """
    kind = event["type"]
    occurred_at = moment(event.get("createdAt")) or datetime.now(UTC)
    if switchboard.tells(kind):
        yield switchboard.change(event, ours=ours, sdk_channel=sdk_channel, occurred_at=occurred_at)
        return
    told = _READERS[kind](event, sdk_channel, occurred_at)
    if isinstance(told, MessagePosted) and told.message.author is Author.CUSTOMER:
        yield from switchboard.held_by_others(told.conversation, ours=ours, occurred_at=occurred_at)
    if told is not None:
        yield told


def _opened(event: Raw, sdk_channel: str, occurred_at: datetime) -> ConversationChanged:
    payload = event["payload"]
    thread = mapping.conversation(
        payload["conversation"], sdk_channel=sdk_channel, source=payload.get("source"), by=_user(payload)
    )
    return ConversationChanged(conversation=thread, customer=_told(payload), occurred_at=occurred_at)


def _posted(event: Raw, sdk_channel: str, occurred_at: datetime) -> MessagePosted:
    payload = event["payload"]
    raw = payload["message"]
    writer = mapping.author_of(raw)
    source = raw.get("source") if writer else None
    by = {"id": writer.id} if writer else None
    thread = mapping.conversation(payload["conversation"], sdk_channel=sdk_channel, source=source, by=by)
    said = mapping.message(raw, otherwise=occurred_at)
    return MessagePosted(message=said, conversation=thread, customer=writer, occurred_at=said.sent_at)


def _postback(event: Raw, sdk_channel: str, occurred_at: datetime) -> MessagePosted:
    """A button that the customer has pressed: what it stands for is what they say."""
    payload = event["payload"]
    pressed = payload.get("postback") or {}
    thread = mapping.conversation(
        payload["conversation"], sdk_channel=sdk_channel, source=payload.get("source"), by=_user(payload)
    )
    said = MessageRecord(
        id=f"postback:{event['id']}",
        author=Author.CUSTOMER,
        text=str(pressed.get("text") or pressed.get("payload") or ""),
        sent_at=occurred_at,
        raw=payload,
    )
    told = _told(payload)
    return MessagePosted(message=said, conversation=thread, customer=told, occurred_at=occurred_at)


def _failed(event: Raw, _: str, occurred_at: datetime) -> MessageFailed | None:
    """A message that no channel took; while others are still to be tried, nothing has failed."""
    payload = event["payload"]
    if payload.get("isFinalEvent") is False:
        return None
    error = payload.get("error") or {}
    return MessageFailed(
        conversation_id=str(payload["conversation"]["id"]),
        message_id=str(payload["message"]["id"]),
        reason=str(error.get("message") or error.get("code") or ""),
        occurred_at=occurred_at,
    )


def _updated(event: Raw, _: str, occurred_at: datetime) -> CustomerChanged:
    return CustomerChanged(customer=mapping.customer(event["payload"]["user"]), occurred_at=occurred_at)


def _merged(event: Raw, _: str, occurred_at: datetime) -> CustomersMerged:
    users = event["payload"]["mergedUsers"]
    surviving = mapping.customer(users["surviving"])
    gone = str(users["discarded"]["id"])
    return CustomersMerged(customer=surviving, gone_id=gone, occurred_at=occurred_at)


def _removed(event: Raw, _: str, occurred_at: datetime) -> ConversationDeleted:
    number = str(event["payload"]["conversation"]["id"])
    return ConversationDeleted(conversation_id=number, occurred_at=occurred_at)


def _user_removed(event: Raw, _: str, occurred_at: datetime) -> CustomerDeleted:
    return CustomerDeleted(customer_id=str(event["payload"]["user"]["id"]), occurred_at=occurred_at)


def _user(payload: Raw) -> Raw | None:
    user = payload.get("user") or {}
    return user if user.get("id") else None


def _told(payload: Raw) -> CustomerRecord | None:
    user = _user(payload)
    client = (payload.get("source") or {}).get("client")
    return mapping.customer(user, client=client) if user else None


_READERS: dict[str, Callable[[Raw, str, datetime], Change | None]] = {
    "conversation:create": _opened,
    "conversation:message": _posted,
    "conversation:message:delivery:failure": _failed,
    "conversation:postback": _postback,
    "conversation:referral": _opened,
    "conversation:remove": _removed,
    "user:merge": _merged,
    "user:remove": _user_removed,
    "user:update": _updated,
}
