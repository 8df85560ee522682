"""Everything a lane batch holds in memory, from all rooms."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from adapters import model
from adapters.manifest import Capability
from adapters.model import DeskActed, Reception
from config.settings import Settings
from gateway.streams import Key as StreamKey
from gateway.streams import Stream
from rules.engine import Fired
from rules.policy import Policy
from rules.turns import History
from rules.verdict import Measures
from sync.echo import Sent
from sync.fields import FieldRules
from sync.lease import Holder
from sync.people import People
from sync.store.tickets import Origin
from sync.thread import CustomerState, MessageState, NewCommand, Refs, Thread

AI = "ai"
"""The connection of our AI: its commands are questions, its events are answers."""
DESK = "desk"
"""The connection of the built-in desk."""
CLOCK = "clock"
"""The connection of our own timers."""
INSIDE = frozenset({AI, DESK, CLOCK})


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """Told to a conversation at a desk elsewhere: it was opened for this hand-off."""

    conversation_id: str
    hand_off: int


class Received(Struct, frozen=True, kw_only=True, tag="received"):
    """How another side took a hand-off: what it answered, or why we could not even ask (`failure`)."""

    conversation_id: str
    hand_off: int
    desk: str
    reception: Reception | None = None
    position: int | None = None
    ticket: str | None = None
    failure: str | None = None


class Tick(Struct, frozen=True, kw_only=True, tag="tick"):
    """Time has passed in a conversation whose customer waits."""

    conversation_id: str


class BotSilence(Struct, frozen=True, kw_only=True, tag="bot_silence"):
    """The other bot that took the conversation in `epoch` has said nothing for as long as it may."""

    conversation_id: str
    epoch: int


class OfferExpired(Struct, frozen=True, kw_only=True, tag="offer_expired"):
    """Nobody has claimed a hand-off in time."""

    conversation_id: str
    hand_off: int


class DoubtSettled(Struct, frozen=True, kw_only=True, tag="doubt_settled"):
    """It can be known now whether a message that was held for an echo of ours is one."""

    conversation_id: str


Timer = Tick | BotSilence | OfferExpired | DoubtSettled
"""What the clock puts into a lane."""


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


class Deed(Struct, frozen=True, kw_only=True):
    """Something that happened in one lane and concerns another: an event of ours for that one."""

    key: str
    home: str
    told: DeskActed | Opened


class Policies(Struct, frozen=True):
    """The policies in force, and the measure for turns that they set."""

    all: tuple[Policy, ...]
    measures: Measures
    packaged: tuple[Policy, ...]
    """Ours, in whose words is said what no policy in force has words for."""

    def phrase(self, key: str, language: str) -> str:
        """A text for customers, from the first policy that has it. Raises KeyError."""
        for policy in (*self.all, *self.packaged):
            if key in policy.messages:
                return policy.message(key, language)
        raise KeyError(key)


class Scene(Struct, kw_only=True):
    """One conversation with its turns and decisions."""

    thread: Thread
    history: History
    fired: list[Fired] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    """The rules of hand-offs that nobody claimed in time."""
    origin: Origin | None = None
    """Of a conversation at a desk at another vendor: for which hand-off it was opened."""
    said: list[MessageState] = field(default_factory=list)
    """What people said there before we knew that."""
    closed_there: set[int] = field(default_factory=set)
    """Hand-offs that were resolved at a desk elsewhere: they need not be told."""
    passed: dict[str, Any] = field(default_factory=dict)
    """The context that came along when the conversation was passed to us."""


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
    abilities: Mapping[str, frozenset[Capability]] = field(default_factory=dict)
    """What the adapter of each connection can do."""
    origins: dict[tuple[str, str], tuple[Origin, list[Sent]]] = field(default_factory=dict)
    """Of conversations at desks elsewhere that are new: for what they were opened, and what we said there."""
    streams: dict[StreamKey, Stream] = field(default_factory=dict)
    """What was said lately in the live streams that the batch touches."""
    deeds: list[Deed] = field(default_factory=list)
    """What this batch has to tell other lanes."""
    errands: list[tuple[CustomerState, NewCommand]] = field(default_factory=list)
    """Commands about customers."""

    def has_ai(self, connection: str) -> bool:
        """Whether our AI answers at this connection."""
        return self.first_voice(connection) is Holder.AI

    def first_voice(self, connection: str) -> Holder:
        """Who answers first at this connection: our AI, the vendor's own bot, or nobody."""
        found = self.settings.connections.get(connection)
        if found is None or not found.ai or found.role == "desk":
            return Holder.NOBODY
        return Holder.OTHER_BOT if found.ai == "theirs" else Holder.AI

    def can(self, connection: str, capability: Capability) -> bool:
        """Whether the vendor at this connection can do that."""
        found = self.abilities.get(connection)
        return found is None or capability in found

    def quiet_for(self, channel: str) -> timedelta:
        """How long a burst must be quiet on this channel."""
        return self.settings.turns.quiet_for(channel)


class Occasion(Struct, frozen=True, kw_only=True):
    """What everything decided now goes back to: an event, and perhaps the decision of a rule."""

    event_ref: int | None
    origin: model.Origin
    received_at: datetime | None = None
    """When the event reached us."""
    decision_ref: int | None = None
    rule: str = ""

    @property
    def live(self) -> bool:
        """Whether it may act at all (promise 5)."""
        return self.origin is model.Origin.LIVE
