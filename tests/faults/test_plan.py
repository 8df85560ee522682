"""A run can be played again: plan and stories come from the seed alone."""

from collections import Counter

import pytest

from tests.faults.plan import LONG_ONLY, Kind, make_plan
from tests.faults.stories import KINDS, Says, write_story


@pytest.mark.parametrize("seconds", [36, 1200])
def test_a_plan_comes_from_its_seed_and_has_every_kind(seconds: float) -> None:
    """The same seed draws the same faults; a short run has all kinds but those that take a minute."""
    plan = make_plan(7, seconds, drops=True)
    assert plan == make_plan(7, seconds, drops=True)
    assert plan != make_plan(8, seconds, drops=True)
    assert all(0 <= each.at < seconds for each in plan)
    expected = set(Kind) if seconds > 300 else set(Kind) - LONG_ONLY
    assert {each.kind for each in plan} == expected


def test_no_webhook_is_dropped_where_nobody_could_know() -> None:
    """Without polling, what was never told can't be worked."""
    assert Kind.DROP not in {each.kind for each in make_plan(7, 1200, drops=False)}


def test_stories_come_from_their_seed_and_never_ask_the_same_twice() -> None:
    """What is asked twice could rightly be answered twice, and the checker would be blind."""
    stories = [write_story(7, number, vendors=2) for number in range(300)]
    assert stories == [write_story(7, number, vendors=2) for number in range(300)]
    assert {story.kind for story in stories} == set(KINDS)
    for story in stories:
        said = Counter(text for step in story.steps if isinstance(step, Says) for text in step.texts)
        assert all(count == 1 or len(text) < 6 for text, count in said.items())
