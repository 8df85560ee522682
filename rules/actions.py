"""What a rule may do."""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from adapters.model import Status


class Side(StrEnum):
    """Whose people take over."""

    DESK = "desk"
    SAAS = "saas"


class Receiver(StrEnum):
    """Who gets a hand-off that nobody has claimed in time."""

    DESK = "desk"
    SAAS = "saas"
    AI = "ai"


class Priority(StrEnum):
    """How urgent a hand-off is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Fallback(Struct, frozen=True, kw_only=True):
    """Where a hand-off goes that nobody has claimed in time: to another queue, or back to the AI.

    What isn't given stays as it was; `say` tells the customer.
    """

    to: str
    """A `Receiver`, or the name of a connection with the role `desk`."""
    queue: str = ""
    priority: Priority | None = None
    say: str | None = None
    accept_within: timedelta = timedelta(0)
    otherwise: "Fallback | None" = None


class HandOff(Struct, frozen=True, kw_only=True, tag="hand_off"):
    """Give the conversation to a person; `say` is the message that tells the customer.

    `same_people`: if people had it and gave it back, to their queue, and meant for the agent who had it.
    Nobody claims it within `accept_within`: `otherwise` happens. Without these it waits as long as it takes.
    """

    to: str
    """A `Side`, or the name of a connection with the role `desk`."""
    queue: str = "general"
    priority: Priority = Priority.NORMAL
    say: str | None = None
    reason: str = ""
    same_people: bool = False
    accept_within: timedelta = timedelta(0)
    otherwise: Fallback | None = None


class Say(Struct, frozen=True, kw_only=True, tag="say"):
    """Say a message to the customer, in their language."""

    message: str


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """Write something that only agents see."""

    text: str


class Tag(Struct, frozen=True, kw_only=True, tag="tag"):
    """Add and remove tags of the conversation."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class SetStatus(Struct, frozen=True, kw_only=True, tag="set_status"):
    """Move the conversation to a status."""

    status: Status


class Assign(Struct, frozen=True, kw_only=True, tag="assign"):
    """Assign the conversation at the helpdesk to an agent or a team, by the vendor's id."""

    agent: str | None = None
    team: str | None = None


Action = HandOff | Say | Note | Tag | SetStatus | Assign
