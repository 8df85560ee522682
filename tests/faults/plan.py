"""What goes wrong, when, and to whom: drawn from a seed, so that a run can be played again. Pure."""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """One way in which things go wrong."""

    KILL_WORKER = "kill_worker"
    KILL_SERVE = "kill_serve"
    FREEZE_BRIEFLY = "freeze_briefly"
    FREEZE_LONG = "freeze_long"
    FREEZE_MINUTE = "freeze_minute"
    POSTGRES_FAST = "postgres_fast"
    POSTGRES_IMMEDIATE = "postgres_immediate"
    REDIS_FLUSH = "redis_flush"
    REDIS_KILL = "redis_kill"
    VENDOR_CLOCK = "vendor_clock"
    ERROR = "error"
    ERROR_AFTER = "error_after"
    RATE_LIMIT = "rate_limit"
    TIME_OUT_BEFORE = "time_out_before"
    TIME_OUT_AFTER = "time_out_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SLOW = "slow"
    LATE = "late"
    DUPLICATE = "duplicate"
    STALE = "stale"
    REORDER = "reorder"
    DROP = "drop"


LONG_ONLY = frozenset({Kind.FREEZE_MINUTE})
"""Takes longer than a short run lasts."""
OURS = (
    Kind.KILL_WORKER,
    Kind.KILL_SERVE,
    Kind.FREEZE_BRIEFLY,
    Kind.FREEZE_LONG,
    Kind.FREEZE_MINUTE,
    Kind.POSTGRES_FAST,
    Kind.POSTGRES_IMMEDIATE,
    Kind.REDIS_FLUSH,
    Kind.REDIS_KILL,
)
"""What befalls our own processes and engines."""
THEIRS = tuple(kind for kind in Kind if kind not in OURS)
"""What befalls the vendors."""
WEBHOOK_KINDS = frozenset({Kind.DUPLICATE, Kind.STALE, Kind.REORDER, Kind.DROP})
_SECONDS = {
    Kind.FREEZE_BRIEFLY: (1.0, 6.0),
    Kind.FREEZE_LONG: (11.0, 15.0),  # longer than PostgreSQL lets a transaction idle (10 s)
    Kind.FREEZE_MINUTE: (62.0, 70.0),  # longer than a claim lasts (60 s)
    Kind.TIME_OUT_BEFORE: (12.0, 12.0),  # longer than our HTTP client waits (10 s)
    Kind.TIME_OUT_AFTER: (12.0, 12.0),
    Kind.SLOW: (0.5, 4.0),
    Kind.LATE: (0.3, 1.6),  # shorter than the grace (2 s) after which a dead worker's command is looked for
    Kind.STALE: (1.0, 8.0),
    Kind.REORDER: (0.05, 2.0),
}
_WRITES = ("/messages", "/api/conversations")


class Planned(Struct, frozen=True, kw_only=True):
    """One fault: `at` seconds after the start. `draw` in [0, 1) chooses among the targets there are then.

    A vendor's clock is wrong from the beginning, and jumps `ahead` by so many seconds.
    """

    at: float
    kind: Kind
    draw: float
    seconds: float = 0.0
    times: int = 1
    path: str = ""
    ahead: float = 0.0


def make_plan(seed: int, seconds: float, *, drops: bool) -> list[Planned]:
    """The faults of a run of so many seconds, in order; each kind comes early once, then at random."""
    dice = random.Random(f"plan-{seed}")
    long = seconds >= 300
    ours = [kind for kind in OURS if long or kind not in LONG_ONLY]
    theirs = [kind for kind in THEIRS if drops or kind is not Kind.DROP]
    pace = 7.0 if long else seconds / (len(ours) + 2)
    planned = [
        *_spread(dice, ours, seconds, every=pace),
        *_spread(dice, theirs, seconds, every=1.5 if long else seconds / (2.5 * len(theirs))),
    ]
    return sorted(planned, key=lambda each: each.at)


def _spread(dice: random.Random, kinds: Sequence[Kind], seconds: float, *, every: float) -> Iterator[Planned]:
    waiting: list[Kind] = []
    at = every * dice.uniform(0.3, 1.0)
    while at < seconds:
        if not waiting:
            waiting = list(kinds)
            dice.shuffle(waiting)
            waiting.sort(key=lambda kind: kind is not Kind.FREEZE_LONG)  # its end shall lie in the run, too
        yield _draw(dice, waiting.pop(0), at)
        at += every * dice.uniform(0.5, 1.5) if seconds >= 300 else every


def _draw(dice: random.Random, kind: Kind, at: float) -> Planned:
    low, high = _SECONDS.get(kind, (0.0, 0.0))
    return Planned(
        at=round(at, 3),
        kind=kind,
        draw=dice.random(),
        seconds=round(dice.uniform(low, high), 3),
        times=dice.choice((1, 1, 2, 3, 5)),
        path=dice.choice(_WRITES),
        ahead=round(dice.uniform(0.5, 20), 1),
    )
