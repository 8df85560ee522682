"""What a vendor's answer says about its limits. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from adapters.manifest import LimitHeaders
from gateway.limits.arithmetic import Rule, Told

_PAIR = re.compile(r"(\w+)\s*=\s*(\d+)")
_FRACTION = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_NUMBER = re.compile(r"\s*(\d+)")
_NAMES = {"total": "limit", "limit": "limit", "remaining": "remaining", "resets": "reset", "reset": "reset"}
_UNIX_SECONDS, _UNIX_MILLISECONDS = 10**9, 10**12
_SHORTEST_CLOSURE = 1000
_PART_OF_WINDOW = 12


def read(headers: Mapping[str, str], named: LimitHeaders, now: datetime) -> Told:
    """What the headers that the manifest names tell of one limit; what can't be read was not told."""
    told: dict[str, int] = {}
    if named.packed is not None:
        told = _unpacked(headers.get(named.packed, ""))
    for part in ("limit", "remaining", "reset"):
        name = getattr(named, part)
        found = _NUMBER.match(headers.get(name, "")) if name else None
        if found:
            told[part] = int(found[1])
    if "reset" in told:
        told["reset"] = _milliseconds(told["reset"], now)
    return Told(**told)


def _unpacked(value: str) -> dict[str, int]:
    if fraction := _FRACTION.fullmatch(value):
        used, limit = int(fraction[1]), int(fraction[2])
        return {"limit": limit, "remaining": max(0, limit - used)}
    return {_NAMES[name]: int(number) for name, number in _PAIR.findall(value) if name in _NAMES}


def _milliseconds(reset: int, now: datetime) -> int:
    """A reset as a duration: some vendors count from now, some since 1970, some of those in milliseconds."""
    if reset >= _UNIX_MILLISECONDS:
        return max(0, reset - int(now.timestamp() * 1000))
    if reset >= _UNIX_SECONDS:
        return max(0, reset * 1000 - int(now.timestamp() * 1000))
    return reset * 1000


def refused(told: Mapping[str, Told], rules: Mapping[str, Rule], wish: timedelta | None) -> dict[str, Told]:
    """What a 429 adds: which limits are closed, and for how long.

    Those of which the answer says that nothing is left; all that the request drew from, where it says so
    of none. Without `Retry-After` until the reset it names, else for a twelfth of the window.
    """
    spent = [name for name, each in told.items() if each.remaining == 0] or list(told)
    return {
        name: Told(
            limit=each.limit,
            remaining=each.remaining,
            reset=each.reset,
            closed_for=_closed_for(each, rules[name], wish) if name in spent else 0,
        )
        for name, each in told.items()
    }


def _closed_for(told: Told, rule: Rule, wish: timedelta | None) -> int:
    if wish is not None:
        return int(wish.total_seconds() * 1000) + 1
    if told.reset is not None:
        return told.reset + 1
    return max(_SHORTEST_CLOSURE, rule.window // _PART_OF_WINDOW)
