"""Where use of limits is counted: in Redis for all processes, and in each for itself."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from redis.asyncio import Redis

from config.clock import Clock
from gateway.limits import arithmetic
from gateway.limits.arithmetic import Bucket, Level, Told
from gateway.limits.endpoints import Budget
from gateway.limits.link import Link
from sync.priority import RESERVED, Priority

_HERE = Path(__file__).parent
_PRELUDE = (_HERE / "prelude.lua").read_text(encoding="utf-8")
DRAW = _PRELUDE + (_HERE / "draw.lua").read_text(encoding="utf-8")
SETTLE = _PRELUDE + (_HERE / "settle.lua").read_text(encoding="utf-8")


class Drawn(Struct, frozen=True, kw_only=True):
    """Whether a request was paid; else how long to wait. `at` is when, in the ledger's milliseconds."""

    wait: timedelta
    at: int
    epochs: Sequence[str] = ()

    @property
    def paid(self) -> bool:
        """Whether it may go out."""
        return not self.wait


class LocalLedger:
    """This process's own count: the twin of the one in Redis, with a share of the limits."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.buckets: dict[str, Bucket] = {}
        self.processes = 1
        """Among how many processes the limits are divided."""

    def bucket(self, budget: Budget) -> Bucket:
        """The bucket of a budget, new at its first use."""
        return self.buckets.setdefault(budget.key, Bucket())

    async def draw(self, budgets: Sequence[Budget], priority: Priority, *, look: bool = False) -> Drawn:
        """Pay one request from all of these or from none; `look` only says how long it would have to wait."""
        now = self._clock()
        wait = max(
            arithmetic.wait_for(
                self.bucket(each), each.rule, now, reserved=RESERVED[priority], share=self.processes
            )
            for each in budgets
        )
        if not wait and not look:
            self.note(budgets, now)
        return Drawn(wait=timedelta(milliseconds=wait), at=now)

    def note(self, budgets: Sequence[Budget], now: int) -> None:
        """Count a request of this process, wherever it was paid."""
        for each in budgets:
            arithmetic.spend(self.bucket(each), each.rule, now)

    async def settle(self, budgets: Sequence[Budget], told: Mapping[str, Told], *, paid_at: int) -> None:
        """Count an answered request from now on, and believe what the vendor told."""
        now = self._clock()
        for each in budgets:
            arithmetic.settle(self.bucket(each), each.rule, now, paid_at=paid_at)
            arithmetic.correct(self.bucket(each), each.rule, told.get(each.name, Told()), now)

    async def levels(self, budgets: Sequence[Budget]) -> list[Level]:
        """How full each is."""
        now = self._clock()
        return [arithmetic.level(self.bucket(each), each.rule, now) for each in budgets]


class RedisLedger:
    """The count that all processes share: atomic scripts, and Redis's own clock."""

    def __init__(self, redis: "Redis", clock: Callable[[], int] | None = None) -> None:
        """`clock` instead of Redis's is for tests."""
        self._redis = redis
        self._clock = clock
        self._draw = redis.register_script(DRAW)
        self._settle = redis.register_script(SETTLE)

    def _now(self) -> str:
        return str(self._clock()) if self._clock else ""

    async def draw(self, budgets: Sequence[Budget], priority: Priority, *, look: bool = False) -> Drawn:
        """As `LocalLedger.draw`."""
        arguments: list[Any] = [self._now(), RESERVED[priority], _epoch(), "look" if look else ""]
        for each in budgets:
            arguments += _rule(each)
        wait, at, *epochs = await self._draw(keys=[each.key for each in budgets], args=arguments)
        return Drawn(wait=timedelta(milliseconds=int(wait)), at=int(at), epochs=epochs)

    async def settle(self, budgets: Sequence[Budget], told: Mapping[str, Told], *, paid_at: int) -> None:
        """As `LocalLedger.settle`."""
        arguments: list[Any] = [self._now(), paid_at]
        for each in budgets:
            news = told.get(each.name, Told())
            parts = (news.limit, news.remaining, news.reset)
            arguments += [*_rule(each), each.rule.window, *("" if p is None else p for p in parts)]
            arguments.append(news.closed_for)
        await self._settle(keys=[each.key for each in budgets], args=arguments)

    async def levels(self, budgets: Sequence[Budget]) -> list[Level]:
        """As `LocalLedger.levels`."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for each in budgets:
            pipe.hgetall(each.key)
        (seconds, micros), *hashes = await pipe.execute()
        now = self._clock() if self._clock else int(seconds) * 1000 + int(micros) // 1000
        return [
            arithmetic.level(_bucket(stored), each.rule, now)
            for each, stored in zip(budgets, hashes, strict=True)
        ]

    async def contribute(self, slots: Mapping[str, Mapping[int, int]]) -> None:
        """Add counts that Redis doesn't know, by key and slot."""
        pipe = self._redis.pipeline(transaction=False)
        for key, counts in slots.items():
            for index, count in counts.items():
                pipe.hincrby(key, str(index), count)
        await pipe.execute()


def _epoch() -> str:
    return f"x{secrets.token_hex(6)}"


def _rule(budget: Budget) -> list[Any]:
    rule = budget.rule
    return [rule.requests, rule.cap or 0, rule.slot, rule.span]


def _bucket(stored: Mapping[str, str]) -> Bucket:
    return Bucket(
        slots={int(name): int(value) for name, value in stored.items() if name.isdecimal()},
        limit=int(stored["limit"]) if "limit" in stored else None,
        foreign=int(stored.get("foreign", 0)),
        foreign_until=int(stored.get("foreign_until", 0)),
        closed_until=int(stored.get("closed_until", 0)),
    )


class _Owed(Struct):
    """What Redis may not know of this process's requests."""

    epochs: dict[str, str] = field(default_factory=dict)
    unshared: dict[str, dict[int, int]] = field(default_factory=dict)


class SharedLedger:
    """Redis while it answers, else this process's own count with its share of the limits.

    The own count goes on all the time. So a Redis that was lost or emptied is told, at the next
    request, what this process has used meanwhile.
    """

    def __init__(self, link: Link, redis: "Redis | None", clock: Clock) -> None:
        self._link = link
        self._offset = 0
        self._clock = clock
        self.local = LocalLedger(self._now)
        self._remote = None if redis is None else RedisLedger(redis)
        self._owed = _Owed()

    @property
    def shared(self) -> bool:
        """Whether there is a Redis that answers."""
        return self._link.shares

    def _own_now(self) -> int:
        return int(self._clock().timestamp() * 1000)

    def _now(self) -> int:
        return self._own_now() + self._offset

    async def draw(self, budgets: Sequence[Budget], priority: Priority, *, look: bool = False) -> Drawn:
        """As `LocalLedger.draw`."""
        remote = self._remote
        drawn = None
        if remote is not None:
            drawn = await self._link.run(lambda: remote.draw(budgets, priority, look=look))
        if drawn is None:
            drawn = await self.local.draw(budgets, priority, look=look)
            if drawn.paid and not look:
                self._owe(budgets, drawn.at)
            return drawn
        self._offset = drawn.at - self._own_now()
        await self._make_good(budgets, drawn.epochs)
        if drawn.paid and not look:
            self.local.note(budgets, drawn.at)
        return drawn

    def _owe(self, budgets: Sequence[Budget], at: int) -> None:
        for each in budgets:
            counts = self._owed.unshared.setdefault(each.key, {})
            index = at // each.rule.slot
            counts[index] = counts.get(index, 0) + 1

    async def _make_good(self, budgets: Sequence[Budget], epochs: Sequence[str]) -> None:
        owed: dict[str, dict[int, int]] = {}
        for each, epoch in zip(budgets, epochs, strict=True):
            known = self._owed.epochs.get(each.key)
            if known is not None and known != epoch:
                # Redis has forgotten all: it is told all that we remember.
                self._owed.unshared[each.key] = dict(self.local.bucket(each).slots)
            self._owed.epochs[each.key] = epoch
            if counts := self._owed.unshared.pop(each.key, {}):
                owed[each.key] = counts
        remote = self._remote
        if owed and remote is not None:
            await self._link.run(lambda: remote.contribute(owed))

    async def settle(self, budgets: Sequence[Budget], told: Mapping[str, Told], *, paid_at: int) -> None:
        """As `LocalLedger.settle`."""
        await self.local.settle(budgets, told, paid_at=paid_at)
        remote = self._remote
        if remote is not None:
            await self._link.run(lambda: remote.settle(budgets, told, paid_at=paid_at))

    async def levels(self, budgets: Sequence[Budget]) -> list[Level]:
        """As `LocalLedger.levels`."""
        remote = self._remote
        found = None
        if remote is not None:
            found = await self._link.run(lambda: remote.levels(budgets))
        return found or await self.local.levels(budgets)
