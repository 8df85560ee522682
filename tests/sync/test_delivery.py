"""What becomes of a command after each kind of failure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Fatal, Rejected, Retryable, Unsupported
from sync.delivery import Outcome, Patience, after_failure, back_off

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATIENCE = Patience(attempts=5, first=timedelta(seconds=1), longest=timedelta(seconds=30))


def test_a_passing_fault_is_tried_again_later() -> None:
    """Not before the vendor's own wish."""
    wish = timedelta(seconds=17)
    verdict = after_failure(Retryable("429", retry_after=wish), attempt=1, now=NOW, patience=PATIENCE)
    assert (verdict.state, verdict.outcome) == ("waiting", Outcome.RETRY)
    assert verdict.ready_at == NOW + wish
    assert not verdict.outcome_unknown


def test_an_unknown_outcome_asks_to_look_first() -> None:
    """The request may have worked."""
    error = Retryable("timed out", outcome_unknown=True)
    verdict = after_failure(error, attempt=1, now=NOW, patience=PATIENCE)
    assert (verdict.outcome, verdict.outcome_unknown) == (Outcome.UNKNOWN, True)


@pytest.mark.parametrize("error", [Retryable("the look failed"), Fatal("the look was refused")])
def test_what_was_not_found_out_stays_unknown(error: Retryable | Fatal) -> None:
    """A look that fails tells nothing about the try before it."""
    verdict = after_failure(error, attempt=2, now=NOW, patience=PATIENCE, unknown_before=True)
    assert (verdict.state, verdict.outcome_unknown) == ("waiting", True)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Rejected("422"), Outcome.REJECTED), (Unsupported("no tags"), Outcome.UNSUPPORTED)],
)
def test_what_will_never_work_is_parked_with_its_reason(error: Rejected, outcome: Outcome) -> None:
    """The next command of the conversation goes on."""
    verdict = after_failure(error, attempt=1, now=NOW, patience=PATIENCE)
    assert (verdict.state, verdict.outcome) == ("parked", outcome)
    assert error.detail in (verdict.reason or "")


def test_a_refused_credential_pauses_the_connection() -> None:
    """Nothing is lost meanwhile: the command waits."""
    verdict = after_failure(Fatal("401"), attempt=1, now=NOW, patience=PATIENCE)
    assert (verdict.state, verdict.pause) == ("waiting", True)


def test_patience_ends() -> None:
    """The last attempt parks, and so does an error of our own making."""
    assert after_failure(Retryable("503"), attempt=5, now=NOW, patience=PATIENCE).state == "parked"
    assert after_failure(KeyError("bug"), attempt=1, now=NOW, patience=PATIENCE).state == "parked"


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_waits_grow_up_to_a_limit_and_are_spread(attempt: int, jitter: float) -> None:
    """Between half and the whole of the doubling ceiling."""
    ceiling = min(PATIENCE.longest, PATIENCE.first * 2 ** min(attempt - 1, 10))
    assert ceiling / 2 <= back_off(attempt, PATIENCE, jitter=jitter) <= ceiling
