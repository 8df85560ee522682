"""Turns: bursts of customer messages, what answered them and how that went. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, field

from rules.verdict import AnswerState, Measures, Outcome, TurnView, failed_streak, judge

MOST_READ = 20
"""How many messages of a burst are read: a flood must not cost more with each of its messages."""


class TurnState(Struct, kw_only=True):
    """A turn as stored, plus what this batch changes."""

    ref: int
    conversation_ref: int
    number: int
    epoch: int
    generation: int = 1
    """Grows with the burst: an answer to an earlier generation comes too late."""
    state: str = "collecting"
    texts: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    opened_at: datetime
    last_customer_at: datetime
    ended_by: str | None = None
    verdict: str = Outcome.OPEN.value
    signals: list[Any] = field(default_factory=list)
    score: float = 0.0
    judged_at: datetime | None = None
    dirty: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What the customer wrote last, in the order they wrote it: as much as anybody reads of a burst."""
        return tuple(item["text"] for item in self.texts[-MOST_READ:])

    @property
    def answer_state(self) -> AnswerState:
        """What the AI did with it."""
        return AnswerState(self.answer["state"]) if self.answer else AnswerState.NONE


class History(Struct, kw_only=True):
    """The latest turns of one conversation, oldest first."""

    conversation_ref: int
    turns: list[TurnState] = field(default_factory=list)

    @property
    def current(self) -> TurnState | None:
        """The latest turn."""
        return self.turns[-1] if self.turns else None

    def stretch(self, epoch: int) -> list[TurnState]:
        """The turns since the AI last took the conversation."""
        return [turn for turn in self.turns if turn.epoch == epoch]


def hear(
    history: History,
    *,
    ref: int,
    message_id: str,
    text: str,
    sent_at: datetime,
    heard_at: datetime,
    epoch: int,
) -> TurnState:
    """Add a customer's message: to the burst that is still unanswered, or as a new turn with `ref`.

    Messages are put in order by the vendor's clock (`sent_at`); waits are told by ours (`heard_at`).
    """
    said = {"id": message_id, "text": text, "at": sent_at}
    turn = history.current
    if turn is not None and turn.state == "collecting" and turn.epoch == epoch and not turn.ended_by:
        turn.texts = sorted([*turn.texts, said], key=lambda item: (_moment(item["at"]), item["id"]))
        turn.generation += 1
        turn.last_customer_at = heard_at
    else:
        turn = TurnState(
            ref=ref,
            conversation_ref=history.conversation_ref,
            number=turn.number + 1 if turn else 1,
            epoch=epoch,
            texts=[said],
            opened_at=heard_at,
            last_customer_at=heard_at,
        )
        history.turns.append(turn)
    turn.dirty = True
    return turn


def _moment(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def answered(turn: TurnState, answer: dict[str, Any]) -> None:
    """Record what the AI did; `answer["state"]` is an AnswerState."""
    turn.answer = answer
    turn.state = "answered"
    turn.dirty = True


def end(history: History, by: str) -> None:
    """The latest turn got its outcome from outside: `person` or `other_bot` took over, or it was `closed`."""
    turn = history.current
    if turn is not None and turn.ended_by is None:
        turn.ended_by = by
        turn.dirty = True


def judge_latest(history: History, measures: Measures, *, now: datetime) -> list[TurnState]:
    """Judge the last two turns anew: a turn's fate may lie in what the next one says.

    Returns those whose verdict changed.
    """
    changed = []
    for index in range(max(0, len(history.turns) - 2), len(history.turns)):
        turn = history.turns[index]
        follower = history.turns[index + 1] if index + 1 < len(history.turns) else None
        verdict = judge(_view(turn, follower, now), measures)
        signals = msgspec.to_builtins(verdict.signals)
        if (verdict.outcome.value, signals) != (turn.verdict, turn.signals):
            if verdict.outcome.value != turn.verdict:
                changed.append(turn)
            turn.verdict = verdict.outcome.value
            turn.signals = list(signals)
            turn.score = verdict.score
            turn.judged_at = now
            turn.dirty = True
    return changed


def _view(turn: TurnState, follower: TurnState | None, now: datetime) -> TurnView:
    answer = turn.answer or {}
    return TurnView(
        number=turn.number,
        texts=turn.words,
        answer=turn.answer_state,
        failure=answer.get("failure") or "",
        confidence=answer.get("confidence"),
        follow_up=follower.words if follower else None,
        closed=turn.ended_by == "closed",
        person_took_over=turn.ended_by in {"person", "other_bot"},
        quiet_for=now - turn.last_customer_at if turn.answer and follower is None else timedelta(),
    )


def failed_in_a_row(turns: Sequence[TurnState]) -> int:
    """How many of these turns failed in a row, up to now."""
    return failed_streak([Outcome(turn.verdict) for turn in turns])
