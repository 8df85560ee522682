"""One conversation's story: what the rooms know of it, merged into one ordered list. Pure merging."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.store import reading as rules_reading
from rules.views import Decision, Turn
from sync.store import desk, reading
from sync.views import Command, HandOff, LeaseChange, Message, Overlap


class _Entry(Struct, frozen=True, kw_only=True, tag_field="type"):
    at: datetime


class MessageEntry(_Entry, frozen=True, kw_only=True, tag="message"):
    """Somebody said something."""

    message: Message


class TurnEntry(_Entry, frozen=True, kw_only=True, tag="turn"):
    """A burst of the customer began; with its answer, citations, verdict, signals and evidence."""

    turn: Turn


class DecisionEntry(_Entry, frozen=True, kw_only=True, tag="decision"):
    """A rule acted."""

    decision: Decision


class LeaseEntry(_Entry, frozen=True, kw_only=True, tag="lease"):
    """The right to speak changed hands."""

    lease: LeaseChange


class CommandEntry(_Entry, frozen=True, kw_only=True, tag="command"):
    """Something was to be done at a connection; with every attempt."""

    command: Command


class HandOffEntry(_Entry, frozen=True, kw_only=True, tag="hand_off"):
    """The conversation was offered to people."""

    hand_off: HandOff


class OverlapEntry(_Entry, frozen=True, kw_only=True, tag="overlap"):
    """A person and our AI spoke at the same moment."""

    overlap: Overlap


class DeletedEntry(_Entry, frozen=True, kw_only=True, tag="deleted"):
    """The helpdesk has deleted the conversation; what we hold of it stays."""


Entry = (
    MessageEntry
    | TurnEntry
    | DecisionEntry
    | LeaseEntry
    | CommandEntry
    | HandOffEntry
    | OverlapEntry
    | DeletedEntry
)


async def tell(connection: AsyncConnection, conversation_ref: int) -> list[Entry]:
    """Everything that happened in a conversation, in order."""
    return merge(
        messages=await reading.messages_of(connection, conversation_ref),
        turns=await rules_reading.turns_of(connection, conversation_ref),
        decisions=await rules_reading.decisions_of(connection, conversation_ref),
        leases=await reading.leases_of(connection, conversation_ref),
        commands=await reading.commands_of(connection, conversation_ref),
        hand_offs=await desk.hand_offs_of(connection, conversation_ref),
        overlaps=await reading.overlaps_of(connection, conversation_ref),
        deleted_at=await reading.deleted_at(connection, conversation_ref),
    )


def merge(
    *,
    messages: Iterable[Message],
    turns: Iterable[Turn],
    decisions: Iterable[Decision],
    leases: Iterable[LeaseChange],
    commands: Iterable[Command],
    hand_offs: Iterable[HandOff],
    overlaps: Iterable[Overlap] = (),
    deleted_at: datetime | None = None,
) -> list[Entry]:
    """Order by time. At one moment: what was said to us, the turn it opened, what we made of it."""
    ordered = list(commands)
    asked = {command.ref: command.created_at for command in ordered}
    placed: list[tuple[datetime, int, int, Entry]] = []
    for message in messages:
        at = _heard(message, asked)
        ours = message.command_ref in asked
        placed.append((at, 1 if ours else -1, message.ref, MessageEntry(at=at, message=message)))
    placed += [(t.opened_at, 0, t.ref, TurnEntry(at=t.opened_at, turn=t)) for t in turns]
    placed += [(d.decided_at, 1, d.ref, DecisionEntry(at=d.decided_at, decision=d)) for d in decisions]
    placed += [(c.created_at, 1, c.ref, CommandEntry(at=c.created_at, command=c)) for c in ordered]
    placed += [(h.offered_at, 1, h.ref, HandOffEntry(at=h.offered_at, hand_off=h)) for h in hand_offs]
    placed += [(o.sent_at, 2, o.ref, OverlapEntry(at=o.sent_at, overlap=o)) for o in overlaps]
    start = min((at for at, *_ in placed), default=None)
    for lease in leases:
        at = min(lease.at, start) if lease.epoch == 1 and start else lease.at
        placed.append((at, -2 if lease.epoch == 1 else 1, lease.ref, LeaseEntry(at=at, lease=lease)))
    if deleted_at is not None:
        placed.append((deleted_at, 3, 0, DeletedEntry(at=deleted_at)))
    placed.sort(key=lambda item: item[:3])
    return [entry for *_, entry in placed]


def _heard(message: Message, asked: dict[int, datetime]) -> datetime:
    """When it was said. Vendors' clocks run differently, some in whole seconds.

    So nothing is said after we have seen it, and nothing of ours before we decided to say it.
    """
    if message.command_ref in asked:
        return max(message.sent_at, asked[message.command_ref])
    return min(message.sent_at, message.seen_at)
