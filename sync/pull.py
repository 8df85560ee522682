"""Pulled records: how they enter the inbox, which of them may act, where a walk goes on. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec
from msgspec import Struct

from adapters.model import (
    ConversationChanged,
    ConversationDeleted,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    MessagePosted,
    Origin,
)

Pulled = CustomerChanged | ConversationChanged | ConversationDeleted | MessagePosted
"""What a page may hold."""


MOST_CHANGES = 25
"""In one event: a batch of lanes stays short, however long a conversation is."""


class PulledEvent(Struct, frozen=True, kw_only=True):
    """Changes that enter the inbox together: of one lane, of one origin, in their order."""

    key: str
    lane: str
    origin: Origin
    changes: tuple[Pulled, ...]

    def body(self) -> bytes:
        """As the inbox keeps it."""
        return msgspec.json.encode(self.changes)


def lane_name(change: Pulled) -> str:
    """The lane of a change at its connection: its conversation, as webhooks have it, or its customer."""
    match change:
        case CustomerChanged():
            return f"customer:{change.customer.id}"
        case ConversationChanged() | MessagePosted():
            return change.conversation.id
        case ConversationDeleted():
            return change.conversation_id


def events(changes: Iterable[Pulled], *, space: str, live_from: datetime | None) -> list[PulledEvent]:
    """The events that these changes make.

    What happened at or after `live_from` is live; everything else, or all without it, is history. Keys
    start with `space` and are the same for the same changes: a page that is read again adds nothing.
    """
    told: list[PulledEvent] = []
    for (lane, origin), group in groupby(
        changes, key=lambda change: (lane_name(change), _origin(change, live_from))
    ):
        whole = tuple(bare(change) for change in group)
        for start in range(0, len(whole), MOST_CHANGES):
            part = whole[start : start + MOST_CHANGES]
            digest = hashlib.blake2b(msgspec.json.encode(part), digest_size=12).hexdigest()
            told.append(PulledEvent(key=f"{space}/{lane}/{digest}", lane=lane, origin=origin, changes=part))
    return told


def _origin(change: Pulled, live_from: datetime | None) -> Origin:
    return Origin.LIVE if live_from is not None and change.occurred_at >= live_from else Origin.BACKFILL


def bare(change: Pulled) -> Pulled:
    """A change without what the vendor's own shape adds: the vendor still has that, and it may be large."""
    match change:
        case ConversationDeleted():
            return change
        case CustomerChanged():
            return msgspec.structs.replace(change, customer=_bare_customer(change.customer))
        case ConversationChanged():
            return msgspec.structs.replace(
                change,
                conversation=_bare_conversation(change.conversation),
                customer=_bare_customer(change.customer),
            )
        case MessagePosted():
            return msgspec.structs.replace(
                change,
                message=msgspec.structs.replace(change.message, raw={}),
                conversation=_bare_conversation(change.conversation),
                customer=_bare_customer(change.customer),
            )


def _bare_customer(record: CustomerRecord | None) -> CustomerRecord | None:
    return None if record is None else msgspec.structs.replace(record, raw={})


def _bare_conversation(record: ConversationRecord) -> ConversationRecord:
    return msgspec.structs.replace(record, raw={})


class RepeatedCursorError(Exception):
    """A vendor's pages go round in circles."""


class Circle:
    """Notices when cursors repeat, however long the circle, in constant memory (Brent's algorithm)."""

    def __init__(self) -> None:
        self._kept: str | None = None
        self._steps = 0
        self._until = 1

    def step(self, cursor: str | None) -> None:
        """Take the cursor of a page that others follow. Raises RepeatedCursorError."""
        if cursor is None or cursor == self._kept:
            raise RepeatedCursorError(
                f"the helpdesk's pages go round in circles: it gave the cursor {cursor!r} again"
                if cursor is not None
                else "the helpdesk says that pages follow, but not from where"
            )
        self._steps += 1
        if self._steps >= self._until:
            self._kept, self._steps, self._until = cursor, 0, self._until * 2


class End(Struct, frozen=True):
    """Where a walk ended, and when."""

    at: datetime
    cursor: str | None


def restart(ends: Sequence[End], *, now: datetime, overlap: timedelta) -> str | None:
    """Where the next walk begins: where one ended at least `overlap` ago, else at the oldest end known."""
    if not ends:
        return None
    old = [end for end in ends if now - end.at >= overlap]
    return (old[-1] if old else ends[0]).cursor


def remember(ends: Sequence[End], end: End, *, overlap: timedelta) -> list[End]:
    """The ends worth keeping once a walk has ended at `end`; ordered, at most one older than needed."""
    every = [*ends, end]
    needed = [each for each in every if end.at - each.at < overlap]
    older = every[: len(every) - len(needed)]
    return [*older[-1:], *needed]
