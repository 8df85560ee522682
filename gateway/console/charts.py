"""The overview's charts as numbers: what the templates draw. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median

from msgspec import Struct

VERDICTS = ("resolved", "unresolved", "open")
MOST_RULES = 6
EDGES = (0.0, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, float("inf"))
_LABELS = ("<0.5 s", "<1 s", "<2 s", "<5 s", "<15 s", "<1 min", ">1 min")


class Bar(Struct, frozen=True, kw_only=True):
    """One bar: `start` and `size` in thousandths of the whole."""

    label: str
    count: int
    start: float
    size: float


class Responses(Struct, frozen=True, kw_only=True):
    """How long customers waited for a first word."""

    bars: list[Bar]
    count: int
    median: float


def verdict_bars(counts: Mapping[str, int]) -> list[Bar]:
    """One stacked bar."""
    total = sum(counts.get(verdict, 0) for verdict in VERDICTS)
    bars: list[Bar] = []
    start = 0.0
    for verdict in VERDICTS:
        count = counts.get(verdict, 0)
        size = 1000 * count / total if total else 0.0
        bars.append(Bar(label=verdict, count=count, start=start, size=size))
        start += size
    return bars if total else []


def rule_bars(counts: Mapping[str, int]) -> list[Bar]:
    """The busiest rules, each against the busiest."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_RULES]
    most = max((count for _, count in ranked), default=1)
    return [Bar(label=rule, count=count, start=0, size=1000 * count / most) for rule, count in ranked]


def response_bars(waits: Sequence[timedelta]) -> Responses | None:
    """How many turns were answered how fast; `None` when none was."""
    if not waits:
        return None
    seconds = sorted(max(0.0, wait.total_seconds()) for wait in waits)
    counts = [sum(low <= second < high for second in seconds) for low, high in pairwise(EDGES)]
    most = max(counts)
    bars = [
        Bar(label=label, count=count, start=index * 1000 / len(_LABELS), size=1000 * count / most)
        for index, (label, count) in enumerate(zip(_LABELS, counts, strict=True))
    ]
    return Responses(bars=bars, count=len(seconds), median=median(seconds))
