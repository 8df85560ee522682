"""Turns: bursts, generations, and verdicts that wait for what comes next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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


def test_three_in_a_row_are_counted_within_one_stretch_of_the_bots() -> None:
    """What comes to bots again is counted anew; from bot to bot, in epochs 3 and 4, it is one stretch."""
    history = History(conversation_ref=1)
    for number, epoch in enumerate((1, 1, 3, 4)):
        turn = hear(history, f"question {number} about {'abcd'[number] * 6}", after=number, epoch=epoch)
        answer(turn, "nothing_found")
        turns.judge_latest(history, Measures(), now=NOW)
    assert turns.failed_in_a_row(history.stretch(3)) == 2
    assert turns.failed_in_a_row(history.stretch(4)) == 1
    assert turns.failed_in_a_row(history.stretch(5)) == 0


def test_a_turn_that_a_person_took_over_gathers_no_more_messages() -> None:
    """What the customer says to the AI later is another matter."""
    history = History(conversation_ref=1)
    hear(history, "I want a person")
    turns.end(history, "person")
    hear(history, "hello again", after=900, epoch=3)
    assert [turn.number for turn in history.turns] == [1, 2]


def overhear(history: History, text: str, *, after: float) -> bool:
    """A bot that isn't ours speaks."""
    return turns.overhear(history, text, said_at=NOW + timedelta(seconds=after))


def test_the_next_words_of_another_bot_are_the_turns_answer() -> None:
    """All it says until the customer speaks again; how sure it is nobody knows, and that is no weakness."""
    history = History(conversation_ref=1)
    turn = hear(history, "where is my parcel?")
    assert overhear(history, "One moment.", after=2)
    assert overhear(history, "It is on its way.", after=3)
    assert turn.answer is not None
    assert (turn.answer["by"], turn.answer["text"]) == ("other_bot", "One moment.\nIt is on its way.")
    assert (turn.answer_state, turn.answer["confidence"], turn.answer["citations"]) == ("sent", None, [])
    turns.judge_latest(history, Measures(), now=NOW)
    assert (turn.verdict, turn.signals) == ("open", [])


def test_another_bots_turn_fails_like_ours() -> None:
    """What follows judges it: the same question again, a complaint, a wish for a person."""
    for words in ("where is my parcel then?", "That is not what I asked", "I want a person"):
        history = History(conversation_ref=1)
        theirs, ours = hear(history, "where is my parcel?"), History(conversation_ref=1)
        overhear(history, "We have parcels.", after=2)
        answer(hear(ours, "where is my parcel?"))
        for each in (history, ours):
            hear(each, words, after=60)
            turns.judge_latest(each, Measures(), now=NOW)
        assert theirs.verdict == "unresolved", words
        assert (theirs.verdict, theirs.signals) == (ours.turns[0].verdict, ours.turns[0].signals)


def test_what_was_said_before_the_burst_is_no_answer_to_it() -> None:
    """A greeting that comes late; within a second nobody knows."""
    history = History(conversation_ref=1)
    assert not overhear(history, "Welcome!", after=0)
    turn = hear(history, "where is my parcel?", after=10)
    assert not overhear(history, "Welcome!", after=9)
    assert turn.answer is None
    assert overhear(history, "On its way.", after=9.5)


def test_words_beside_our_answer_are_not_ours() -> None:
    """Nor do they reopen what has ended."""
    history = History(conversation_ref=1)
    turn = hear(history, "where is my parcel?")
    answer(turn)
    assert not overhear(history, "I am Captain", after=2)
    turns.leave(history)
    hear(history, "that did not help", after=60)
    turns.judge_latest(history, Measures(), now=NOW)
    assert (turn.ended_by, turn.verdict) == ("other_bot", "open"), "it may be the other's that did not"
    turns.end(history, "person")
    assert not overhear(history, "Bye", after=90)


def test_an_unanswered_burst_goes_on_with_the_bot_that_has_the_word() -> None:
    """What the customer adds joins it under the new epoch; an answered one stays where it was."""
    history = History(conversation_ref=1)
    turn = hear(history, "hello")
    turns.pass_on(history, 2)
    assert hear(history, "where is my parcel?", after=1, epoch=2) is turn
    answer(turn)
    turns.pass_on(history, 3)
    assert turn.epoch == 2


def test_a_bot_that_says_nothing_has_failed_unless_nothing_was_asked() -> None:
    """A burst of just now may still be answered; thanks want no answer."""
    outcomes = []
    for text, opened in (("where is my parcel?", 0), ("thank you!", 0), ("where is my parcel?", 20)):
        history = History(conversation_ref=1)
        turn = hear(history, text)
        turn.opened_at += timedelta(minutes=opened)
        turns.give_up(history, before=NOW + timedelta(minutes=10))
        turns.judge_latest(history, Measures(), now=NOW)
        outcomes.append((turn.answer_state.value, turn.ended_by, turn.verdict))
    assert outcomes == [
        ("timed_out", None, "unresolved"),
        ("none", "other_bot", "open"),
        ("none", None, "open"),
    ]


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=30)), max_size=30))
def test_whoever_speaks_when_a_turn_is_answered_once_and_by_its_first_words(
    spoken: list[tuple[bool, str]],
) -> None:
    """In any order of customer and bot: every turn but the last has an answer, and nothing is said twice."""
    history = History(conversation_ref=1)
    for second, (by_customer, text) in enumerate(spoken):
        if by_customer:
            hear(history, text, after=second)
        else:
            turns.overhear(history, text, said_at=NOW + timedelta(seconds=second))
    assert [turn.number for turn in history.turns] == list(range(1, len(history.turns) + 1))
    assert all(turn.is_others and turn.texts for turn in history.turns[:-1])
    customers = [text for by_customer, text in spoken if by_customer]
    assert [item["text"] for turn in history.turns for item in turn.texts] == customers
