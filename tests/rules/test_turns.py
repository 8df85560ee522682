"""Turns: bursts, generations, and verdicts that wait for what comes next."""

from datetime import UTC, datetime, timedelta

from rules import turns
from rules.turns import History, TurnState
from rules.verdict import Measures

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def hear(history: History, text: str, *, after: float = 0, epoch: int = 1) -> TurnState:
    """The customer writes."""
    return turns.hear(
        history,
        ref=len(history.turns) + 1,
        message_id=f"m{after}",
        text=text,
        sent_at=NOW + timedelta(seconds=after),
        heard_at=NOW,
        epoch=epoch,
    )


def answer(turn: TurnState, failure: str | None = None) -> None:
    """The AI answers, or finds nothing."""
    state = "sent" if failure is None else failure
    turns.answered(turn, {"state": state, "confidence": 0.9, "failure": failure})


def test_a_burst_is_one_turn_in_the_order_it_was_written() -> None:
    """The middle one arrives last; each message makes earlier answers too late."""
    history = History(conversation_ref=1)
    for after, text in ((1, "one"), (3, "three"), (2, "two")):
        turn = hear(history, text, after=after)
    assert turn.words == ("one", "two", "three")
    assert (len(history.turns), turn.generation) == (1, 3)


def test_what_follows_an_answer_is_a_new_turn_and_judges_the_old() -> None:
    """A complaint about the answer is a failure, and the complaint is the evidence."""
    history = History(conversation_ref=1)
    first = hear(history, "where is my parcel?")
    answer(first)
    turns.judge_latest(history, Measures(), now=NOW)
    assert first.verdict == "open"
    hear(history, "That is not what I asked", after=60)
    changed = turns.judge_latest(history, Measures(), now=NOW)
    assert changed == [first]
    assert first.verdict == "unresolved"
    assert first.signals[0]["name"] == "did_not_help"


def test_three_in_a_row_are_counted_within_one_stretch_of_the_ai() -> None:
    """A new epoch starts the count anew."""
    history = History(conversation_ref=1)
    for number in range(4):
        turn = hear(
            history, f"question {number} about {'abcd'[number] * 6}", after=number, epoch=1 + (number == 3)
        )
        answer(turn, "nothing_found")
        turns.judge_latest(history, Measures(), now=NOW)
    assert turns.failed_in_a_row(history.stretch(1)) == 3
    assert turns.failed_in_a_row(history.stretch(2)) == 1


def test_a_turn_that_a_person_took_over_gathers_no_more_messages() -> None:
    """What the customer says to the AI later is another matter."""
    history = History(conversation_ref=1)
    hear(history, "I want a person")
    turns.end(history, "person")
    hear(history, "hello again", after=900, epoch=3)
    assert [turn.number for turn in history.turns] == [1, 2]
