"""What is parked, why, and whether it may be tried again. Pure."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

POISON_AFTER = 3
"""Replayed this often and parked again: more of the same won't help."""
SPEAKING = frozenset({"reply", "note", "answer", "fetch"})
"""Commands that add something, or only ask. All others set something, and the last one counts."""


class Kind(StrEnum):
    """What can be parked."""

    EVENT = "event"
    COMMAND = "command"


class Reason(StrEnum):
    """Why something was parked: a closed set, whatever the details."""

    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    DATABASE_ERROR = "database_error"
    FAILED = "failed"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    GAVE_UP = "gave_up"
    UNDELIVERED = "undelivered"


class Explanation(Struct, frozen=True):
    """A reason in words: what it means, and what cures it."""

    meaning: str
    cure: str


EXPLANATIONS = {
    Reason.MALFORMED: Explanation(
        "A webhook came from the vendor, but its body could not be read; the vendor was told so (400).",
        "Look at the body. Cut short on the way: nothing to save, drop it. A format that is new to the"
        " adapter: install one that knows it, then replay.",
    ),
    Reason.UNREADABLE: Explanation(
        "The adapter could not make sense of an accepted event, or its connection is no longer configured.",
        "Add the connection again, or install an adapter that reads what the vendor sends now; then replay.",
    ),
    Reason.DATABASE_ERROR: Explanation(
        "The database refused what the event would have written; the event left no trace.",
        "The detail names the constraint or the value. Mend that (a migration, a fix of ours), then replay.",
    ),
    Reason.FAILED: Explanation(
        "Our own code failed on it; nothing of it was kept.",
        "It is our bug: the detail says where. Install the fix, then replay.",
    ),
    Reason.REJECTED: Explanation(
        "The vendor answered that it will not take this command as it is.",
        "Read what the vendor says in the last attempt. Mend it over there (a closed conversation, a missing"
        " permission), then replay; if nobody needs it any more, drop it.",
    ),
    Reason.UNSUPPORTED: Explanation(
        "The vendor, or our adapter for it, has no way to do this.",
        "Change the rule that asks for it, and drop this one; or install an adapter that can, and replay.",
    ),
    Reason.GAVE_UP: Explanation(
        "It failed for a passing reason, `delivery.attempts` times in a row, so it was no passing reason.",
        "Check that the vendor works again, then replay: it is looked for there before it is sent.",
    ),
    Reason.UNDELIVERED: Explanation(
        "The vendor accepted this message, and told us later that it never reached the customer.",
        "Read the vendor's reason: a closed channel, replies no longer allowed, a blocked number. Mend that,"
        " then replay: it is sent again. Otherwise reach the customer elsewhere, and drop it.",
    ),
}


def reason_of(stored: str | None) -> Reason:
    """The reason that a stored word means; what nobody foresaw is a failure of ours."""
    try:
        return Reason(stored or "")
    except ValueError:
        return Reason.FAILED


class Item(Struct, frozen=True, order=True):
    """Which event or command: `event-123`, `command-456`."""

    kind: Kind
    ref: int

    def __str__(self) -> str:
        return f"{self.kind.value}-{self.ref}"


_ITEM = re.compile(r"(event|command)-([1-9][0-9]{0,17})", re.ASCII)


def item(written: str) -> Item:
    """Read an id. Raises ValueError that says how one looks."""
    found = _ITEM.fullmatch(written)
    if found is None:
        raise ValueError(f"{written!r} is no id of something parked; they look like event-123 or command-456")
    return Item(Kind(found[1]), int(found[2]))


class Parked(Struct, frozen=True, kw_only=True):
    """Something that was parked. `about` is an event's lane or what a command does."""

    id: str
    kind: Kind
    ref: int
    state: str
    connection: str
    about: str
    conversation_ref: int | None
    reason: Reason
    detail: str
    created_at: datetime
    parked_at: datetime | None
    replays: int
    poison: bool = False

    @property
    def item(self) -> Item:
        """Its id in parts."""
        return Item(self.kind, self.ref)

    @property
    def waiting_for_somebody(self) -> bool:
        """Whether it is parked now."""
        return self.state in {"parked", "malformed"}


class ParkingAct(Struct, frozen=True, kw_only=True):
    """What somebody did about it (`replayed` or `dropped`), and how it had failed before that."""

    act: str
    by: str
    why: str
    origin: str | None
    at: datetime
    failed_as: str
    failed_at: datetime
    failed_detail: str


class Behind(Struct, frozen=True, kw_only=True):
    """What comes after it in its lane or order: how much waits, and how much has gone past it."""

    waiting: int
    passed: int
    next: list[str] = field(default_factory=list)


class CommandFacts(Struct, frozen=True, kw_only=True):
    """What decides whether a command may still be sent."""

    ref: int
    conversation_ref: int | None
    customer_ref: int | None
    connection: str
    kind: str
    body: dict[str, Any]
    key: str
    epoch: int | None
    lease_epoch: int | None
    created_at: datetime
    overtaken_by: int | None
    """A later command of the same kind that was carried out meanwhile."""


class Objection(Struct, frozen=True, kw_only=True):
    """Why it should not be replayed; a `firm` one can't be forced."""

    why: str
    firm: bool = False


def object_to(parked: Parked, facts: CommandFacts | None) -> list[Objection]:
    """All that speaks against replaying this; nothing when it may."""
    found: list[Objection] = []
    if not parked.waiting_for_somebody:
        found.append(Objection(why=f"it is not parked but {parked.state}", firm=True))
    if facts is not None and facts.epoch is not None and facts.epoch != facts.lease_epoch:
        found.append(
            Objection(
                why=f"the lease has moved on (epoch {facts.epoch}, now {facts.lease_epoch}):"
                " the AI may not say it any more; drop it",
                firm=True,
            )
        )
    if facts is not None and facts.overtaken_by is not None and facts.kind not in SPEAKING:
        found.append(
            Objection(why=f"command-{facts.overtaken_by} set the same later on: a replay would undo that")
        )
    return found


def poison_of(parked: Parked) -> Objection | None:
    """What speaks against replaying it together with many others."""
    if not parked.poison:
        return None
    return Objection(why=f"poison: replayed {parked.replays} times, and parked again each time")
