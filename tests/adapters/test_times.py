"""The times that vendors write: one moment in every spelling that was seen."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest

from adapters.times import EPOCH, moment

AT = datetime(2026, 11, 14, 2, 20, 11, 476000, tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize("unit", ["s", "ms"])
@pytest.mark.parametrize(
    "told",
    [
        1794622811.476,
        "1794622811.476",
        1794622811476,
        "1794622811476",
        "2026-11-14T02:20:11.476Z",
        "2026-11-14T02:20:11.476000000Z",
        "2026-11-14T10:20:11.476+08:00",
        "2026-11-14 02:20:11.476+00:00",
    ],
)
def test_one_moment_in_every_spelling(told: Any, unit: Literal["s", "ms"]) -> None:
    """Seconds or milliseconds, as a number or a text, whatever the field is documented as; ISO 8601."""
    assert moment(told, unit=unit) == AT


def test_a_time_without_an_offset_is_local_there() -> None:
    """UTC unless the vendor says otherwise."""
    assert moment("2026-11-14T10:20:11.476", zone=SHANGHAI) == AT
    assert moment("2026-11-14T02:20:11.476") == AT


@pytest.mark.parametrize("told", [None, "", False, True])
def test_no_time_is_none(told: Any) -> None:
    """Missing, empty, or a flag where a time may stand."""
    assert moment(told) is None


def test_small_numbers_keep_their_unit() -> None:
    """Zero is the beginning in any unit."""
    assert moment(0, unit="ms") == moment(0) == EPOCH
    assert moment(1500, unit="ms") == EPOCH + timedelta(seconds=1.5)


@pytest.mark.parametrize("told", ["yesterday", 10**30, [1], {"at": 1}])
def test_what_is_no_time_is_refused(told: Any) -> None:
    """In a way that readers turn into a refusal of the event."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        moment(told)
