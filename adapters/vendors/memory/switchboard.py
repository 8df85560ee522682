"""The reference helpdesk's switchboard: one side may speak, and passes that on."""

from typing import Any, Literal

import msgspec

from adapters.vendors.memory.mapping import US
from adapters.vendors.memory.records import Conversation
from adapters.vendors.memory.state import State

THEM = "agents"
Act = Literal["pass", "offer", "accept", "release", "refuse"]


class Move(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is done, and the context that goes along."""

    act: Act
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """How the agents' side takes what is passed or offered to it: accepted, queued or nobody."""

    reception: str = "accepted"
    position: int | None = None


class NotYoursError(ValueError):
    """Control isn't theirs to take or give."""


class Switchboard:
    """Says who may speak in each conversation."""

    def __init__(self, state: State) -> None:
        self.reception = Reception()
        self._state = state

    def move(self, conversation: Conversation, move: Move, *, by: str) -> Reception:
        """Carry out what one side does; how the other takes it. Raises NotYoursError."""
        other = THEM if by == US else US
        active, pending = conversation.active, conversation.pending
        match move.act:
            case "accept" if by not in {pending, active}:
                raise NotYoursError(f"control of {conversation.id} is not offered to {by}")
            case "pass" | "offer" | "release" if active not in {by, None}:
                raise NotYoursError(f"control of {conversation.id} is with {active}")
            case "pass" | "offer" if by == US and self.reception.reception == "nobody":
                return self.reception
            case "pass":
                active, pending = other, None
            case "offer":
                pending = other
            case "accept":
                active, pending = by, None
            case "release":
                active = pending = None
            case "refuse":
                pending = None
        told = {"metadata": move.metadata}
        self._state.move_control(conversation, move.act, by=by, active=active, pending=pending, **told)
        return self.reception
