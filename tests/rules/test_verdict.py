"""A turn's verdict follows from declared signals, each with its evidence."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.signals import SignalName
from rules.verdict import (
    AnswerState,
    Measures,
    Outcome,
    Returned,
    TurnView,
    Verdict,
    Weights,
    failed_streak,
    judge,
)

QUESTION = ("怎么退货",)


def judged(
    *, texts: tuple[str, ...] = QUESTION, answer: AnswerState = AnswerState.SENT, **after: Any
) -> Verdict:
    """The verdict on an answered turn, by default measures."""
    return judge(TurnView(number=1, texts=texts, answer=answer, **after))


def test_turn_without_an_outcome_is_open() -> None:
    """Neither good nor bad until something shows."""
    for answer in (AnswerState.NONE, AnswerState.SENT):
        verdict = judged(answer=answer)
        assert verdict == Verdict(outcome=Outcome.OPEN, score=0.0, signals=())


@pytest.mark.parametrize(
    ("answer", "signal"),
    [
        (AnswerState.NOTHING_FOUND, SignalName.NOTHING_FOUND),
        (AnswerState.REFUSED, SignalName.ANSWER_FAILED),
        (AnswerState.FAILED, SignalName.ANSWER_FAILED),
        (AnswerState.TIMED_OUT, SignalName.ANSWER_FAILED),
    ],
)
def test_turn_without_an_answer_is_unresolved_at_once(answer: AnswerState, signal: SignalName) -> None:
    """Nobody waits for the customer to complain, and later silence heals nothing."""
    for after in ({}, {"closed": True}, {"quiet_for": timedelta(days=1)}, {"follow_up": ("谢谢",)}):
        verdict = judged(answer=answer, failure="why", **after)
        assert verdict.outcome is Outcome.UNRESOLVED
        assert verdict.has(signal)
        assert "why" in verdict.signals[0].evidence


def test_asking_for_a_person_is_unresolved_before_any_answer() -> None:
    """The AI could not help as wished."""
    verdict = judged(texts=("你好", "转人工"), answer=AnswerState.NONE)
    assert verdict.outcome is Outcome.UNRESOLVED
    assert [(signal.name, signal.evidence) for signal in verdict.signals] == [
        (SignalName.ASKED_FOR_PERSON, "转人工")
    ]


@pytest.mark.parametrize(
    ("follow_up", "signal"),
    [
        ("没用", SignalName.DID_NOT_HELP),
        ("👎", SignalName.DID_NOT_HELP),
        ("我问的是怎么退货", SignalName.REPHRASED),
        ("找真人", SignalName.ASKED_FOR_PERSON),
    ],
)
def test_complaint_after_an_answer_makes_it_unresolved(follow_up: str, signal: SignalName) -> None:
    """What the customer says next is the judge."""
    verdict = judged(follow_up=(follow_up,), closed=True)
    assert verdict.outcome is Outcome.UNRESOLVED
    assert verdict.has(signal)
    assert not verdict.has(SignalName.CLOSED)


@pytest.mark.parametrize(
    ("follow_up", "signal"),
    [("谢谢，解决了", SignalName.THANKED), ("有没有红色的L码", SignalName.MOVED_ON)],
)
def test_thanks_or_another_question_makes_it_resolved(follow_up: str, signal: SignalName) -> None:
    """The customer is done with this one."""
    verdict = judged(follow_up=(follow_up,))
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.has(signal)


def test_knocking_decides_nothing() -> None:
    """'Are you there?' is neither a complaint nor another matter."""
    assert judged(follow_up=("在吗",)).outcome is Outcome.OPEN


@pytest.mark.parametrize("after", [{"closed": True}, {"quiet_for": timedelta(hours=4)}])
def test_closing_or_silence_after_an_answer_makes_it_resolved(after: dict[str, Any]) -> None:
    """An answer that needed no more words."""
    assert judged(**after).outcome is Outcome.RESOLVED


def test_short_silence_decides_nothing() -> None:
    """They may still be reading."""
    assert judged(quiet_for=timedelta(hours=3)).outcome is Outcome.OPEN


def test_coming_back_within_a_day_on_the_same_matter_undoes_a_resolution() -> None:
    """It was not solved after all."""
    same = Returned(text="退货到底怎么弄", after=timedelta(hours=20))
    verdict = judged(closed=True, returned=same)
    assert verdict.outcome is Outcome.UNRESOLVED
    assert verdict.has(SignalName.RETURNED_WITHIN_A_DAY)
    other = Returned(text="有没有红色的", after=timedelta(hours=20))
    late = Returned(text="退货到底怎么弄", after=timedelta(hours=30))
    assert judged(closed=True, returned=other).outcome is Outcome.RESOLVED
    assert judged(closed=True, returned=late).outcome is Outcome.RESOLVED


def test_what_follows_a_person_is_no_evidence_about_the_ai() -> None:
    """Thanks and complaints are then the person's."""
    for words in ("谢谢", "没用"):
        assert judged(person_took_over=True, follow_up=(words,), closed=True).outcome is Outcome.OPEN


def test_weak_grounding_and_a_failed_look_up_add_up() -> None:
    """Each alone is half a failure."""
    assert judged(confidence=0.1).outcome is Outcome.OPEN
    assert judged(tool_failure="orders: timed out").outcome is Outcome.OPEN
    both = judged(confidence=0.1, tool_failure="orders: timed out")
    assert both.outcome is Outcome.UNRESOLVED
    assert both.score == 1.0


def test_weakly_grounded_answer_that_helped_is_resolved() -> None:
    """The customer knows best."""
    assert judged(confidence=0.1, follow_up=("谢谢",)).outcome is Outcome.RESOLVED


def test_policy_sets_the_weights() -> None:
    """A signal that it ignores is not even listed."""
    lenient = Measures(weights=Weights(rephrased=0.0, did_not_help=0.5))
    again = TurnView(number=1, texts=QUESTION, answer=AnswerState.SENT, follow_up=("我问的是怎么退货",))
    useless = TurnView(number=1, texts=QUESTION, answer=AnswerState.SENT, follow_up=("没用",))
    assert judge(again, lenient).signals == ()
    assert judge(useless, lenient).outcome is Outcome.OPEN


turns = st.builds(
    TurnView,
    number=st.integers(1, 9),
    texts=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    answer=st.sampled_from(AnswerState),
    confidence=st.none() | st.floats(0, 1),
    tool_failure=st.sampled_from(["", "orders"]),
    follow_up=st.none() | st.lists(st.sampled_from(["谢谢", "没用", "转人工", "hi", "x y z"])).map(tuple),
    closed=st.booleans(),
    quiet_for=st.timedeltas(),
    person_took_over=st.booleans(),
    returned=st.none() | st.builds(Returned, text=st.text(max_size=9), after=st.timedeltas()),
)


@given(turns)
def test_verdict_is_total_and_explained(turn: TurnView) -> None:
    """Every turn has one, and none but an open one is without signals and their evidence."""
    verdict = judge(turn)
    names = [signal.name for signal in verdict.signals]
    assert len(set(names)) == len(names)
    assert verdict.outcome is Outcome.OPEN or verdict.signals
    assert all(0 < signal.weight <= 2 for signal in verdict.signals)


@pytest.mark.parametrize(
    ("outcomes", "streak"),
    [("", 0), ("uuu", 3), ("uru", 1), ("uur", 0), ("uuo", 2), ("uou", 2), ("ruouo", 2), ("ooo", 0)],
)
def test_failed_turns_count_in_a_row(outcomes: str, streak: int) -> None:
    """A success ends the row; an open turn does not."""
    names = {"u": Outcome.UNRESOLVED, "r": Outcome.RESOLVED, "o": Outcome.OPEN}
    assert failed_streak([names[letter] for letter in outcomes]) == streak
