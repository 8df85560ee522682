"""Whether an AI turn helped: declared signals, weighed (see docs/decisions/0004)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from msgspec import Struct, field

from rules.signals import Signal, SignalName, asked_for_person, did_not_help, rephrased, thanked
from rules.similarity import alike, says_something

SAME_MATTER = 0.3
"""From this likeness on, a customer who comes back comes back on the same matter."""


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
    WITHHELD = "withheld"
    """There was an answer, but not for this place: too many at once, or too personal."""


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
    """Somebody else spoke before the customer did: what follows is no evidence about the AI."""
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


_FAILURES = frozenset(
    {
        SignalName.ASKED_FOR_PERSON,
        SignalName.DID_NOT_HELP,
        SignalName.REPHRASED,
        SignalName.NOTHING_FOUND,
        SignalName.WEAK_GROUNDING,
        SignalName.ANSWER_FAILED,
        SignalName.TOOL_FAILED,
        SignalName.RETURNED_WITHIN_A_DAY,
    }
)


def judge(turn: TurnView, measures: Measures | None = None) -> Verdict:
    """Weigh every signal that the turn shows."""
    measures = measures or Measures()
    signals = _weighed(_signals(turn, measures), measures.weights)
    failure = sum(signal.weight for signal in signals if signal.name in _FAILURES)
    success = sum(signal.weight for signal in signals if signal.name not in _FAILURES)
    score = round(failure - success, 6)
    if failure > 0 and failure >= measures.unresolved_at:
        return Verdict(outcome=Outcome.UNRESOLVED, score=score, signals=signals)
    if success > 0 and -score >= measures.resolved_at:
        return Verdict(outcome=Outcome.RESOLVED, score=score, signals=signals)
    return Verdict(outcome=Outcome.OPEN, score=score, signals=signals)


def _weighed(signals: Iterable[Signal], weights: Weights) -> tuple[Signal, ...]:
    """Each signal once, with the policy's weight; those that the policy ignores are left out."""
    first = {signal.name: signal for signal in reversed(tuple(signals))}
    ordered = sorted(first.values(), key=lambda signal: list(SignalName).index(signal.name))
    weighed = (Signal(signal.name, signal.evidence, getattr(weights, signal.name)) for signal in ordered)
    return tuple(signal for signal in weighed if signal.weight > 0)


def _signals(turn: TurnView, measures: Measures) -> Iterator[Signal]:
    question = "\n".join(turn.texts)
    if asked := asked_for_person(question):
        yield asked
    yield from _from_answer(turn, measures)
    if turn.answer is AnswerState.SENT and not turn.person_took_over:
        yield from _from_what_followed(turn, question, measures)


def _from_answer(turn: TurnView, measures: Measures) -> Iterator[Signal]:
    match turn.answer:
        case AnswerState.NONE | AnswerState.WITHHELD:
            return
        case AnswerState.SENT:
            if turn.confidence is not None and turn.confidence < measures.weak_below:
                evidence = f"confidence {turn.confidence:.2f} is below {measures.weak_below:.2f}"
                yield Signal(SignalName.WEAK_GROUNDING, evidence)
        case AnswerState.NOTHING_FOUND:
            yield Signal(SignalName.NOTHING_FOUND, turn.failure or "no knowledge on this")
        case AnswerState.REFUSED | AnswerState.FAILED | AnswerState.TIMED_OUT:
            reason = f": {turn.failure}" if turn.failure else ""
            yield Signal(SignalName.ANSWER_FAILED, f"{turn.answer}{reason}")
        case _:
            assert_never(turn.answer)
    if turn.tool_failure:
        yield Signal(SignalName.TOOL_FAILED, turn.tool_failure)


def _from_what_followed(turn: TurnView, question: str, measures: Measures) -> Iterator[Signal]:
    """What came after an answer; its end in peace counts only where no complaint came first."""
    complaints = []
    if turn.follow_up is not None:
        complaints = list(_complaints(question, "\n".join(turn.follow_up)))
    returned = turn.returned
    if returned and _same_matter(question, returned, measures):
        complaints.append(Signal(SignalName.RETURNED_WITHIN_A_DAY, returned.text))
    yield from complaints
    if not complaints:
        yield from _contentment(turn, measures)


def _same_matter(question: str, returned: Returned, measures: Measures) -> bool:
    return returned.after <= measures.return_within and alike(question, returned.text) >= SAME_MATTER


def _complaints(question: str, follow_up: str) -> Iterator[Signal]:
    signs = (asked_for_person(follow_up), did_not_help(follow_up), rephrased(question, follow_up))
    yield from (sign for sign in signs if sign)


def _contentment(turn: TurnView, measures: Measures) -> Iterator[Signal]:
    follow_up = "\n".join(turn.follow_up or ())
    if thanks := thanked(follow_up):
        yield thanks
    elif says_something(follow_up):
        yield Signal(SignalName.MOVED_ON, follow_up)
    if turn.closed:
        yield Signal(SignalName.CLOSED, "the conversation was resolved")
    if turn.follow_up is None and turn.quiet_for >= measures.silence_after:
        yield Signal(SignalName.SILENCE, f"quiet for {turn.quiet_for}")


def failed_streak(outcomes: Sequence[Outcome]) -> int:
    """How many of the latest turns failed in a row, oldest first; open ones neither count nor break it."""
    streak = 0
    for outcome in reversed(outcomes):
        match outcome:
            case Outcome.UNRESOLVED:
                streak += 1
            case Outcome.RESOLVED:
                return streak
            case Outcome.OPEN:
                continue
            case _:
                assert_never(outcome)
    return streak
