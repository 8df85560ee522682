"""Floors under the figures of the demo shop, so that a change for the worse fails.

`dev` may be tuned on; `heldout` may not. The floors of `heldout` are wide: a few questions make a lot
of per cent there.
"""

import pytest

from knowledge.evaluation import Figures, figures, judge
from knowledge.index import Snapshot
from tests.benchmarks.retrieval import demo, questions
from tests.knowledge.conftest import NOW


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """The demo shop, without a database."""
    return demo()


def _measure(snapshot: Snapshot, name: str) -> Figures:
    return figures(judge(snapshot, questions(name), now=NOW), threshold=0.5)


def test_development_questions_are_answered_as_well_as_before(snapshot: Snapshot) -> None:
    """Found, answered, not misled, refused."""
    measured = _measure(snapshot, "dev")
    assert measured.found >= 0.92
    assert measured.answered >= 0.80
    assert measured.misled <= 0.06
    assert measured.refused >= 0.93
    assert measured.separation >= 0.96


def test_questions_never_tuned_on_are_answered_nearly_as_well(snapshot: Snapshot) -> None:
    """The same promise on questions that nobody looked at while tuning."""
    measured = _measure(snapshot, "heldout")
    assert measured.found >= 0.80
    assert measured.answered >= 0.70
    assert measured.misled <= 0.07
    assert measured.refused >= 0.78
    assert measured.separation >= 0.92


def test_question_sets_are_large_and_apart() -> None:
    """At least 80 questions, 25 of them unanswerable, none in both sets."""
    dev, heldout = questions("dev"), questions("heldout")
    assert len(dev) >= 80
    assert sum(not question.right for question in dev) >= 25
    assert not {question.text for question in dev} & {question.text for question in heldout}
