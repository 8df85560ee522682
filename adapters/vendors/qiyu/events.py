"""What each of Qiyu's notifications means."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.errors import Malformed
from adapters.model import (
    Author,
    Change,
    Control,
    ControlChanged,
    ConversationChanged,
    MessagePosted,
    Raw,
    Status,
)
from adapters.reading import whole
from adapters.vendors.qiyu import mapping
from adapters.vendors.qiyu.mapping import Ground

MESSAGE, START, END, INVITATION = "MSG", "SESSION_START", "SESSION_END", "EVA_INVITATION"
_TOLD = {"eventType", "time", "event"}

_ENDS = {
    0: (Status.RESOLVED, Control.RELEASED, "closed by the agent"),
    2: (Status.RESOLVED, Control.RELEASED, "closed after a long silence of the visitor"),
    3: (Status.OPEN, Control.THEIRS, "went from the robot to a person"),
    4: (Status.OPEN, Control.RELEASED, "the agent left"),
    5: (Status.OPEN, Control.THEIRS, "transferred to another"),
}
"""By `closeReason`: what becomes of the conversation, who has it, and why."""
_LEFT = 4


def wrapped(query: Mapping[str, str], event: Raw) -> bytes:
    """A notification with what stands beside it in the address: its kind and its time."""
    told = {"eventType": query.get("eventType"), "time": query.get("time"), "event": event}
    return msgspec.json.encode(told)


def kind_of(told: str | None, event: Raw) -> str | None:
    """What an event is; `None` if it is not for us.

    The kind stands in the address, which the checksum doesn't cover: it must go with the body.
    """
    seen = _seen(event)
    if told is None:
        return seen
    if told not in {MESSAGE, START, END, INVITATION}:
        return None
    if "uid" not in event or (told == MESSAGE) != ("msgId" in event):
        raise Malformed(f"the body is no {told}, whatever the address says")
    return told


def key_of(kind: str, event: Raw) -> str:
    """What is the same when Qiyu sends an event again."""
    return f"{kind}:{event['msgId'] if kind == MESSAGE else event['sessionId']}"


def changes(body: bytes, ground: Ground) -> Sequence[Change]:
    """The changes that a wrapped notification means."""
    told = msgspec.json.decode(body)
    if not isinstance(told, dict) or set(told) != _TOLD or not isinstance(told["event"], dict):
        raise Malformed("no notification of Qiyu, as it is kept with its kind and time")
    event = told["event"]
    match kind_of(told["eventType"], event):
        case "MSG":
            return (_message(event, ground),)
        case "SESSION_START":
            return _started(event, ground, told["time"])
        case "SESSION_END":
            return _ended(event, ground, told["time"])
        case "EVA_INVITATION":
            # That a person asked the visitor for their opinion changes nothing in the conversation.
            return (_changed(event, ground, told["time"], Author.AGENT),)
        case _:
            return ()


def _seen(event: Raw) -> str | None:
    if "uid" not in event:
        return None
    if "msgId" in event:
        return MESSAGE
    if "closeReason" in event:
        return END
    if "sessionId" not in event:
        return None
    return START if "code" in event else INVITATION


def _message(event: Raw, ground: Ground) -> MessagePosted:
    message = mapping.message(event, ground)
    status = Status.PENDING if message.author is Author.AI else Status.OPEN
    return MessagePosted(
        message=message,
        conversation=mapping.conversation(event, ground, status=status, at=message.sent_at),
        customer=mapping.customer(event),
        occurred_at=message.sent_at,
    )


def _started(event: Raw, ground: Ground, time: Any) -> Sequence[Change]:
    """Only a person's session is told of, though the printed sample bears a robot's `staffType`."""
    holder = mapping.staff(event)
    changed = _changed(event, ground, time, Author.AGENT, status=Status.OPEN, assignee=holder)
    return (changed, _moved(changed, event, Control.THEIRS, "a session began"))


def _ended(event: Raw, ground: Ground, time: Any) -> Sequence[Change]:
    reason = whole(event.get("closeReason"))
    status, control, why = _ENDS.get(
        -1 if reason is None else reason,
        (Status.UNKNOWN, Control.UNKNOWN, f"ended for the reason {event.get('closeReason')!r}"),
    )
    if reason == _LEFT and ground.robot_first:  # whoever writes now gets the robot
        status = Status.PENDING
    by = Author.AGENT if reason in {0, _LEFT, 5} else Author.SYSTEM
    changed = _changed(event, ground, time, by, status=status, assignee=None)
    return (changed, _moved(changed, event, control, why))


def _changed(event: Raw, ground: Ground, time: Any, by: Author, **fields: Any) -> ConversationChanged:
    at = mapping.latest(time)
    return ConversationChanged(
        conversation=mapping.conversation(event, ground, at=at, **fields),
        customer=mapping.customer(event),
        occurred_at=at or datetime.now(UTC),
        by=by,
    )


def _moved(changed: ConversationChanged, event: Raw, control: Control, why: str) -> ControlChanged:
    named = ("sessionId", "transferFrom", "transferTo")
    return ControlChanged(
        conversation=changed.conversation,
        control=control,
        occurred_at=changed.occurred_at,
        holder=changed.conversation.assignee or None,
        customer=changed.customer,
        metadata={name: event[name] for name in named if name in event},
        reason=why,
    )
