"""The limits that the reference helpdesk can be told to keep, exact over any window."""

import math
import time
from collections import deque
from collections.abc import Mapping

import msgspec

_WRITES = frozenset({"POST", "PATCH"})


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many API requests in any such window; with `updates_only`, so many that write."""

    requests: int
    seconds: float
    updates_only: bool = False


class Allowances:
    """Counts requests, and refuses those beyond a limit; a refused one is not counted."""

    def __init__(self) -> None:
        self._kept: list[tuple[Allowance, deque[float]]] = []

    def keep(self, *allowances: Allowance) -> None:
        """Keep these from now on, and no others."""
        self._kept = [(each, deque()) for each in allowances]

    def take(self, method: str) -> tuple[bool, Mapping[str, str]]:
        """Whether the request may pass, and the headers that tell of the limits."""
        now = time.monotonic()
        concerned = [
            (each, times) for each, times in self._kept if not each.updates_only or method in _WRITES
        ]
        for each, times in concerned:
            while times and times[0] <= now - each.seconds:
                times.popleft()
        spent = [each.seconds - (now - times[0]) for each, times in concerned if len(times) >= each.requests]
        headers = {"retry-after": str(math.ceil(max(spent)))} if spent else {}
        for each, times in concerned:
            if not spent:
                times.append(now)
            headers |= _told(each, times, now)
        return not spent, headers


def _told(allowance: Allowance, times: deque[float], now: float) -> dict[str, str]:
    remaining = max(0, allowance.requests - len(times))
    reset = math.ceil(allowance.seconds - (now - times[0])) if times else 0
    if allowance.updates_only:
        packed = f"total={allowance.requests}; remaining={remaining}; resets={reset}"
        return {"x-ratelimit-updates": packed}
    return {
        "x-ratelimit-limit": str(allowance.requests),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
