"""Everything a lane batch holds in memory, from all rooms."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from adapters.model import Origin
from config.settings import Settings
from rules.engine import Fired
from rules.policy import Policy
from rules.turns import History
from rules.verdict import Measures
from sync.fields import FieldRules
from sync.people import People
from sync.thread import CustomerState, NewCommand, Refs, Thread

AI = "ai"
"""The connection of our AI: its commands are questions, its events are answers."""
DESK = "desk"
"""The connection of the built-in desk."""
CLOCK = "clock"
"""The connection of our own timers."""
INSIDE = frozenset({AI, DESK, CLOCK})


class Answering(Struct, frozen=True, kw_only=True, tag="answer"):
    """The command to the AI: answer this turn."""

    key: str
    conversation_id: str
    turn: int
    generation: int
    texts: tuple[str, ...]
    earlier: tuple[str, ...]
    language: str | None
    channel: str


class Policies(Struct, frozen=True):
    """The policies in force, and the measure for turns that they set."""

    all: tuple[Policy, ...]
    measures: Measures

    def phrase(self, key: str, language: str) -> str:
        """A text for customers, from the first policy that has it. Raises KeyError."""
        return next(p for p in self.all if key in p.messages).message(key, language)


class Scene(Struct, kw_only=True):
    """One conversation with its turns and decisions."""

    thread: Thread
    history: History
    fired: list[Fired] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    turns_opened: list[int] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    """The rules of hand-offs that nobody claimed in time."""


class Stage(Struct, kw_only=True):
    """What the pure part of a batch works with: what is loaded, and how to decide."""

    settings: Settings
    policies: Policies
    refs: Refs
    now: datetime
    new_key: Callable[[], str]
    people: People
    scenes: dict[tuple[str, str], Scene] = field(default_factory=dict)
    customers: dict[tuple[str, str], CustomerState] = field(default_factory=dict)
    field_rules: FieldRules
    told: dict[int, tuple[CustomerState, int | None]] = field(default_factory=dict)
    """The customers of whom live events told something new, each with the last of these events."""
    errands: list[tuple[CustomerState, NewCommand]] = field(default_factory=list)
    """Commands about customers."""

    def has_ai(self, connection: str) -> bool:
        """Whether our AI answers at this connection."""
        found = self.settings.connections.get(connection)
        return found is not None and found.ai

    def quiet_for(self, channel: str) -> timedelta:
        """How long a burst must be quiet on this channel."""
        return self.settings.turns.quiet_for(channel)


class Occasion(Struct, frozen=True, kw_only=True):
    """What everything decided now goes back to: an event, and perhaps the decision of a rule."""

    event_ref: int | None
    origin: Origin
    received_at: datetime | None = None
    """When the event reached us."""
    decision_ref: int | None = None
    rule: str = ""

    @property
    def live(self) -> bool:
        """Whether it may act at all (promise 5)."""
        return self.origin is Origin.LIVE
