"""Whether an AI turn helped: declared signals, weighed (see docs/decisions/0004)."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct, field

from rules.signals import Signal, SignalName


class Outcome(StrEnum):
    """What became of a turn."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    OPEN = "open"


class AnswerState(StrEnum):
    """What the AI (ours or the vendor's) did with a turn."""

    NONE = "none"
    SENT = "sent"
    NOTHING_FOUND = "nothing_found"
    REFUSED = "refused"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class Returned(Struct, frozen=True, kw_only=True):
    """The same customer came back, in this conversation or another, after it seemed over."""

    text: str
    after: timedelta


class TurnView(Struct, frozen=True, kw_only=True):
    """One turn and what came after it, as far as it is known now."""

    number: int
    texts: tuple[str, ...]
    answer: AnswerState = AnswerState.NONE
    failure: str = ""
    """Why the answer is not `sent`, for the evidence."""
    tool_failure: str = ""
    """Which look-up failed and how; empty when none did."""
    confidence: float | None = None
    """How well the answer is grounded; `None` where the bot doesn't say (a vendor's own)."""
    follow_up: tuple[str, ...] | None = None
    """The customer's next burst; `None` while there is none."""
    closed: bool = False
    """The conversation was resolved after the answer."""
    quiet_for: timedelta = timedelta(0)
    """How long nobody has spoken since the answer."""
    person_took_over: bool = False
    """A person spoke before the customer did: what follows is no evidence about the AI."""
    returned: Returned | None = None


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each signal counts; 0 switches one off."""

    asked_for_person: float = 1.0
    did_not_help: float = 1.0
    rephrased: float = 1.0
    nothing_found: float = 1.0
    weak_grounding: float = 0.5
    answer_failed: float = 1.0
    tool_failed: float = 0.5
    returned_within_a_day: float = 1.0
    thanked: float = 1.0
    moved_on: float = 1.0
    closed: float = 1.0
    silence: float = 1.0


class Measures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which measure turns are judged; a policy's `verdicts:` section."""

    weights: Weights = field(default_factory=Weights)
    unresolved_at: float = 1.0
    """Failure signals that weigh this much make a turn unresolved, whatever else happened."""
    resolved_at: float = 0.5
    """Success signals that outweigh the failures by this much make it resolved."""
    weak_below: float = 0.35
    """A confidence below this is weak grounding."""
    silence_after: timedelta = timedelta(hours=4)
    """A customer who is quiet this long after an answer is content with it."""
    return_within: timedelta = timedelta(days=1)


class Verdict(Struct, frozen=True, kw_only=True):
    """A turn's outcome; `score` is failure weight less success weight."""

    outcome: Outcome
    score: float
    signals: tuple[Signal, ...]

    def has(self, name: SignalName) -> bool:
        """Whether the verdict rests on this signal."""
        return any(signal.name is name for signal in self.signals)


def judge(turn: TurnView, measures: Measures | None = None) -> Verdict:
    """Weigh every signal that the turn shows."""
    raise NotImplementedError


def failed_streak(outcomes: Sequence[Outcome]) -> int:
    """How many of the latest turns failed in a row, oldest first; open ones neither count nor break it."""
    raise NotImplementedError
