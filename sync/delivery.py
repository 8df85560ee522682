"""What becomes of a command after an attempt. Pure."""

import random
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from adapters.errors import AdapterError, Fatal, Rejected, Retryable, Unsupported


class Outcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FOUND = "found"
    RETRY = "retry"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    FATAL = "fatal"
    SUPERSEDED = "superseded"


class Verdict(Struct, frozen=True, kw_only=True):
    """The command's next state. `pause` asks for the whole connection to be paused."""

    state: str
    outcome: Outcome
    ready_at: datetime | None = None
    outcome_unknown: bool = False
    pause: bool = False
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
        case Unsupported():
            return Verdict(state="parked", outcome=Outcome.UNSUPPORTED, reason=detail)
        case Rejected():
            return Verdict(state="parked", outcome=Outcome.REJECTED, reason=detail)
        case Fatal():
            return Verdict(
                state="waiting",
                outcome=Outcome.FATAL,
                ready_at=now + patience.longest,
                outcome_unknown=unknown_before,
                pause=True,
                reason=detail,
            )
        case Retryable() if attempt < patience.attempts:
            wait = max(back_off(attempt, patience, jitter=jitter), error.retry_after or timedelta())
            return Verdict(
                state="waiting",
                outcome=Outcome.UNKNOWN if error.outcome_unknown else Outcome.RETRY,
                ready_at=now + wait,
                outcome_unknown=error.outcome_unknown or unknown_before,
                reason=detail,
            )
        case _:
            return Verdict(state="parked", outcome=Outcome.REJECTED, reason=f"gave up: {detail}")
