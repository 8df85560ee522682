"""Turns: bursts of customer messages, what answered them and how that went. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, field

from rules.signals import thanked
from rules.verdict import AnswerState, Measures, Outcome, TurnView, failed_streak, judge

MOST_READ = 20
"""How many messages of a burst are read: a flood must not cost more with each of its messages."""
MOST_TOLD = 4000
"""How many characters of another bot's answer a turn keeps; the conversation has them all."""
OTHER_BOT = "other_bot"
"""Who answered, or whom the customer went on with: a bot that isn't ours."""
_WITHIN_A_SECOND = timedelta(seconds=1)
"""Some vendors' clocks count in seconds: within one, nobody knows which was first."""


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

    @property
    def unanswered(self) -> bool:
        """Whether it still waits for the word of a bot."""
        return self.state == "collecting" and self.ended_by is None

    @property
    def is_others(self) -> bool:
        """Whether a bot that isn't ours has answered it."""
        return self.answer is not None and self.answer.get("by") == OTHER_BOT


class History(Struct, kw_only=True):
    """The latest turns of one conversation, oldest first."""

    conversation_ref: int
    turns: list[TurnState] = field(default_factory=list)

    @property
    def current(self) -> TurnState | None:
        """The latest turn."""
        return self.turns[-1] if self.turns else None

    def stretch(self, since: int) -> list[TurnState]:
        """The turns since the epoch in which bots, ours or another, got the conversation."""
        return [turn for turn in self.turns if turn.epoch >= since]


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
    if turn is not None and turn.unanswered and turn.epoch == epoch:
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


def overhear(history: History, text: str, *, said_at: datetime | None = None) -> bool:
    """A bot that isn't ours spoke: its first words after the burst are the answer, further ones join it.

    How sure it is of them it doesn't say. Returns whether they belong to the latest turn: words said before
    the burst began, by the same clock (`said_at`), answer something else.
    """
    turn = history.current
    if turn is None or turn.ended_by is not None:
        return False
    if turn.unanswered:
        began = min(_moment(item["at"]) for item in turn.texts)
        if said_at is not None and said_at + _WITHIN_A_SECOND <= began:
            return False
        answered(turn, _of_other_bot(AnswerState.SENT, text=text[:MOST_TOLD]))
        return True
    if turn.answer is None or not turn.is_others:
        return False
    told = "\n".join(part for part in (turn.answer["text"], text) if part)
    answered(turn, _of_other_bot(AnswerState.SENT, text=told[:MOST_TOLD]))
    return True


def give_up(history: History, *, before: datetime) -> None:
    """Another bot has fallen silent: a burst of before that moment it has failed, unless that was thanks."""
    turn = history.current
    if turn is None or not turn.unanswered or turn.opened_at > before:
        return
    if thanked("\n".join(turn.words)):
        end(history, OTHER_BOT)
    else:
        answered(turn, _of_other_bot(AnswerState.TIMED_OUT, failure="the other bot fell silent"))


def _of_other_bot(
    state: AnswerState, *, text: str | None = None, failure: str | None = None
) -> dict[str, Any]:
    return {
        "by": OTHER_BOT,
        "state": state.value,
        "text": text,
        "confidence": None,
        "language": None,
        "citations": [],
        "failure": failure,
    }


def pass_on(history: History, epoch: int) -> None:
    """The word has gone from bot to bot: a burst that nobody has answered is for the one that has it now."""
    turn = history.current
    if turn is not None and turn.unanswered:
        turn.epoch = epoch
        turn.dirty = True


def leave(history: History) -> None:
    """Another bot spoke after ours had answered: what the customer says next is no evidence about ours."""
    turn = history.current
    if turn is not None and turn.answer is not None and not turn.is_others:
        end(history, OTHER_BOT)


def reopen(history: History) -> None:
    """A bot has what was meant for people: if nobody has answered the latest burst, it is that bot's now."""
    turn = history.current
    if turn is not None and (turn.state, turn.ended_by) == ("collecting", "person"):
        turn.ended_by = None
        turn.dirty = True


def end(history: History, by: str) -> None:
    """The latest turn got its outcome from outside: `person` or `other_bot` took over, or it was `closed`.

    `deleted`: nobody knows what would have become of it.
    """
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
        person_took_over=turn.ended_by in {"person", OTHER_BOT},
        quiet_for=now - turn.last_customer_at if turn.answer and follower is None else timedelta(),
    )


def failed_in_a_row(turns: Sequence[TurnState]) -> int:
    """How many of these turns failed in a row, up to now."""
    return failed_streak([Outcome(turn.verdict) for turn in turns])
