"""What others read of turns and decisions: the shapes of `rules.store.reading`, and of the HTTP API."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class Turn(Struct, frozen=True, kw_only=True):
    """A burst of customer messages, what answered it, and the verdict with its signals and evidence."""

    ref: int
    number: int
    epoch: int
    state: str
    texts: list[dict[str, Any]]
    answer: dict[str, Any] | None
    opened_at: datetime
    last_customer_at: datetime
    ended_by: str | None
    verdict: str
    signals: list[dict[str, Any]]
    score: float
    judged_at: datetime | None


class Decision(Struct, frozen=True, kw_only=True):
    """What a rule decided, by which revision of its policy, on which inputs, because of which event."""

    ref: int
    turn: int | None
    epoch: int
    policy: str
    revision: str
    rule: str
    actions: list[dict[str, Any]]
    inputs: dict[str, Any]
    event_ref: int | None
    decided_at: datetime
