"""The timeline page as a story: entries gathered under the lease that held when they happened. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from msgspec import Struct, field

from gateway.timeline import (
    CommandEntry,
    DecisionEntry,
    DeletedEntry,
    Entry,
    HandOffEntry,
    LeaseEntry,
    MessageEntry,
    OverlapEntry,
    TurnEntry,
)
from rules.views import Turn
from sync.views import Command, LeaseChange, Message

_SPEAKS = {"reply", "note"}


class Said(Struct, frozen=True, kw_only=True, tag="said"):
    """A bubble: a message with what it rests on and the command that sent it."""

    at: datetime
    message: Message
    command: Command | None
    turn: Turn | None


class Unsaid(Struct, frozen=True, kw_only=True, tag="unsaid"):
    """Something to say that nobody has heard: on its way, withdrawn or parked."""

    at: datetime
    command: Command


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """Any other command."""

    at: datetime
    command: Command


class Stretch(Struct, kw_only=True):
    """What happened under one lease."""

    lease: LeaseChange
    items: list[Any] = field(default_factory=list)


def stretches(entries: Sequence[Entry]) -> list[Stretch]:
    """The story in stretches of one speaker each."""
    commands = {e.command.ref: e.command for e in entries if isinstance(e, CommandEntry)}
    turns = {e.turn.number: e.turn for e in entries if isinstance(e, TurnEntry)}
    heard = {e.message.command_ref for e in entries if isinstance(e, MessageEntry)}
    found: list[Stretch] = []
    for entry in entries:
        if isinstance(entry, LeaseEntry):
            found.append(Stretch(lease=entry.lease))
        elif found:
            found[-1].items.extend(_items(entry, commands, turns, heard))
    return found


def _items(
    entry: Entry, commands: dict[int, Command], turns: dict[int, Turn], heard: Iterable[int | None]
) -> list[Any]:
    match entry:
        case MessageEntry(message=message):
            command = commands.get(message.command_ref) if message.command_ref else None
            return [Said(at=entry.at, message=message, command=command, turn=_answered(command, turns))]
        case CommandEntry(command=command):
            if command.kind not in _SPEAKS:
                return [Done(at=entry.at, command=command)]
            return [] if command.ref in heard else [Unsaid(at=entry.at, command=command)]
        case TurnEntry() | DecisionEntry() | HandOffEntry() | OverlapEntry() | LeaseEntry() | DeletedEntry():
            return [entry]
        case _:
            assert_never(entry)


def _answered(command: Command | None, turns: dict[int, Turn]) -> Turn | None:
    """The turn whose answer a reply carries."""
    if command is None or command.kind != "reply" or command.turn is None:
        return None
    return turns.get(command.turn)


def kind_of(item: Any) -> str:
    """Which macro draws an item."""
    return str(type(item).__struct_config__.tag)
