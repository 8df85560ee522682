"""The ways in which the reference helpdesk can be told to misbehave."""

import random
from collections.abc import Callable
from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """One way to misbehave; the last four concern outgoing webhooks, the others the API."""

    ERROR = "error"
    ERROR_AFTER = "error_after"
    RATE_LIMIT = "rate_limit"
    TIME_OUT_BEFORE = "time_out_before"
    TIME_OUT_AFTER = "time_out_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SLOW = "slow"
    LATE = "late"
    SAME_CURSOR = "same_cursor"
    DUPLICATE = "duplicate"
    STALE = "stale"
    REORDER = "reorder"
    DROP = "drop"


WEBHOOK_FAULTS = frozenset({Fault.DUPLICATE, Fault.STALE, Fault.REORDER, Fault.DROP})
AFTER = frozenset({Fault.ERROR_AFTER, Fault.TIME_OUT_AFTER, Fault.RESET_AFTER})


class Misbehaviour(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fault and when it strikes.

    It strikes the next `times` matching requests or webhooks (`None`: all), each with `chance`.
    `method` and `path` (a part of it) narrow API requests, `event` narrows webhooks by type.
    `seconds` is how long a time-out lasts, by how much an answer (`slow`) or the deed itself (`late`) is
    delayed, or how late a stale or reordered webhook comes. With `same_cursor` a list never gets further.
    """

    fault: Fault
    times: int | None = 1
    chance: float = 1.0
    method: str | None = None
    path: str = ""
    event: str | None = None
    status: int = 500
    retry_after: float = 1.0
    seconds: float | None = None


class Faults:
    """The misbehaviours in force, in the order they were asked for."""

    def __init__(self, seed: int = 0) -> None:
        self._pending: list[Misbehaviour] = []
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets

    def add(self, misbehaviour: Misbehaviour) -> None:
        """Put one in force."""
        self._pending.append(misbehaviour)

    def clear(self) -> None:
        """Behave again."""
        self._pending.clear()

    def for_request(self, method: str, path: str) -> Misbehaviour | None:
        """The misbehaviour that this API request meets, if any; it is used up by one."""
        return self._strike(
            lambda each: (
                each.fault not in WEBHOOK_FAULTS and each.method in {None, method} and each.path in path
            )
        )

    def for_webhook(self, event: str) -> Misbehaviour | None:
        """The misbehaviour that this webhook meets, if any; it is used up by one."""
        return self._strike(lambda each: each.fault in WEBHOOK_FAULTS and each.event in {None, event})

    def _strike(self, matches: Callable[[Misbehaviour], bool]) -> Misbehaviour | None:
        for each in self._pending:
            if not matches(each) or self._random.random() >= each.chance:
                continue
            if each.times is not None:
                each.times -= 1
                if each.times <= 0:
                    self._pending.remove(each)
            return each
        return None
