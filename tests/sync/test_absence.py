"""Who is dead, and who was only away for a moment."""

from datetime import UTC, datetime, timedelta

from sync.absence import Absences

NOW = datetime(2026, 1, 2, tzinfo=UTC)
GRACE = timedelta(seconds=3)


def test_a_worker_is_dead_once_it_has_been_missing_for_the_whole_grace() -> None:
    """Not before: its session may come back, and the vendor may still be at work for it."""
    absences = Absences(GRACE)
    assert absences.dead([7], NOW) == []
    assert absences.any
    assert absences.dead([7, 8], NOW + timedelta(seconds=2)) == []
    assert absences.dead([7, 8], NOW + GRACE) == [7]
    assert absences.dead([7, 8], NOW + timedelta(seconds=5)) == [7, 8]


def test_a_worker_that_came_back_begins_anew() -> None:
    """The database restarts: everybody is missing for a moment, and nobody is dead."""
    absences = Absences(GRACE)
    absences.dead([7], NOW)
    assert absences.dead([], NOW + timedelta(seconds=1)) == []
    assert not absences.any
    assert absences.dead([7], NOW + GRACE) == []
