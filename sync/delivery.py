"""What becomes of a command after an attempt. Pure."""

import random
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from adapters.errors import AdapterError, Fatal, Held, Rejected, Retryable, Unsupported


class Outcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FOUND = "found"
    NEEDLESS = "needless"
    RETRY = "retry"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    FATAL = "fatal"
    SUPERSEDED = "superseded"
    HELD = "held"
    GAVE_UP = "gave_up"
    FAILED = "failed"
    UNDELIVERED = "undelivered"


class Verdict(Struct, frozen=True, kw_only=True):
    """The command's next state. `pause` asks for the whole connection to be paused.

    One that doesn't `count` uses up no attempt: the command itself was not what failed.
    """

    state: str
    outcome: Outcome
    ready_at: datetime | None = None
    outcome_unknown: bool = False
    pause: bool = False
    counts: bool = True
    reason: str | None = None


class Patience(Struct, frozen=True, kw_only=True):
    """How often and how long to try: delays double from `first` to `longest`, jittered above half."""

    attempts: int = 12
    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(minutes=5)


def back_off(attempt: int, patience: Patience, *, jitter: float) -> timedelta:
    """The wait before the try after `attempt` (counted from 1); `jitter` is uniform in [0, 1)."""
    ceiling: timedelta = min(patience.longest, patience.first * (1 << min(attempt - 1, 20)))
    return ceiling * (0.5 + jitter / 2)


def after_failure(
    error: AdapterError | Exception,
    *,
    attempt: int,
    now: datetime,
    patience: Patience,
    unknown_before: bool = False,
    jitter: float | None = None,
) -> Verdict:
    """What to do after `error`: wait and try again, look first, park, or pause the connection.

    `unknown_before`: an earlier try may have worked, and this one did not find out: that stays so.
    """
    jitter = random.random() if jitter is None else jitter  # noqa: S311 - spreading load, not secrets
    detail = f"{type(error).__name__}: {error}"
    match error:
        case Fatal():
            return _again(Outcome.FATAL, now + patience.longest, detail, doubt=unknown_before, counts=False)
        case Held():
            return _again(
                Outcome.HELD,
                now + (error.retry_after or patience.first),
                detail,
                doubt=unknown_before,
                counts=False,
            )
        case Retryable() if attempt < patience.attempts:
            wait = max(back_off(attempt, patience, jitter=jitter), error.retry_after or timedelta())
            outcome = Outcome.UNKNOWN if error.outcome_unknown else Outcome.RETRY
            return _again(outcome, now + wait, detail, doubt=unknown_before or error.outcome_unknown)
        case _:
            # What broke while the answer was read may have worked, as may what the vendor left open.
            doubt = unknown_before or not isinstance(error, AdapterError) or _left_open(error)
            outcome = _parked_as(error)
            return Verdict(state="parked", outcome=outcome, outcome_unknown=doubt, reason=detail)


def _left_open(error: AdapterError) -> bool:
    return isinstance(error, Retryable) and error.outcome_unknown


def _parked_as(error: Exception) -> Outcome:
    match error:
        case Unsupported():
            return Outcome.UNSUPPORTED
        case Rejected():
            return Outcome.REJECTED
        case Retryable():
            return Outcome.GAVE_UP
        case _:
            return Outcome.FAILED


def _again(outcome: Outcome, ready_at: datetime, reason: str, *, doubt: bool, counts: bool = True) -> Verdict:
    return Verdict(
        state="waiting",
        outcome=outcome,
        ready_at=ready_at,
        outcome_unknown=doubt,
        pause=outcome is Outcome.FATAL,
        counts=counts,
        reason=reason,
    )
