"""The limits of all connections: paid from, held back by, reported."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

import httpx
from msgspec import Struct

from adapters.errors import Held
from adapters.http import retry_after
from config.clock import Clock
from gateway.limits.arithmetic import Level, Told
from gateway.limits.breaker import Breaker
from gateway.limits.endpoints import Budget, by_account
from gateway.limits.headers import read, refused
from gateway.limits.ledger import SharedLedger
from gateway.limits.purpose import Purpose
from gateway.metrics import Metrics
from sync.priority import Priority
from sync.store.outbox import Hold

SHORTEST_HOLD = timedelta(seconds=0.2)


class Receipt(Struct, frozen=True, kw_only=True):
    """A paid request: from which budgets, and when in the ledger's milliseconds."""

    budgets: Sequence[Budget]
    at: int


class Report(Struct, frozen=True, kw_only=True):
    """How one limit stands."""

    account: str
    name: str
    window: timedelta
    level: Level
    closed_until: datetime | None
    empty_at: datetime | None


class Limits:
    """What the transports pay from, and what the dispatcher asks before it claims."""

    def __init__(
        self,
        *,
        budgets: Mapping[str, tuple[Budget, ...]],
        breakers: Mapping[str, Breaker],
        ledger: SharedLedger,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._budgets = budgets
        self._breakers = breakers
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._holds: dict[Hold, datetime] = {}

    @property
    def shared(self) -> bool:
        """Whether use is counted over all processes."""
        return self._ledger.shared

    def divide_among(self, processes: int) -> None:
        """How many processes send: without Redis each keeps to its part of the limits."""
        self._ledger.local.processes = max(1, processes)

    async def pay(self, connection: str, request: httpx.Request, purpose: Purpose) -> Receipt:
        """Pay one request; a command's later requests may use what is reserved, to finish what was begun.

        Raises:
            Held: it doesn't fit now; `retry_after` says when it will.
        """
        budgets = self._drawn_from(connection, request.method, request.url.path)
        if not budgets:
            return Receipt(budgets=(), at=0)
        begun = purpose.kind and purpose.sent
        drawn = await self._ledger.draw(budgets, Priority.REPLY if begun else purpose.priority)
        if not drawn.paid:
            raise self._refusal(connection, purpose, budgets, drawn.wait)
        return Receipt(budgets=budgets, at=drawn.at)

    def _drawn_from(self, connection: str, method: str, path: str) -> list[Budget]:
        return [each for each in self._budgets.get(connection, ()) if each.covers(method, path)]

    def _refusal(self, connection: str, purpose: Purpose, budgets: Sequence[Budget], wait: timedelta) -> Held:
        wait = max(SHORTEST_HOLD, wait) + _later(purpose.priority)
        name = purpose.priority.name.lower()
        for each in budgets:
            self._metrics.held.labels(each.account, each.name, name).inc()
        if purpose.kind:
            hold = Hold(connection=connection, kind=purpose.kind, priority=purpose.priority)
            self._holds[hold] = self._clock() + wait
        limits = ", ".join(each.name for each in budgets)
        return Held(f"nothing left for {name} in {budgets[0].account}: {limits}", retry_after=wait)

    async def settle(self, receipt: Receipt, response: httpx.Response | None) -> None:
        """Count the request from its answer on, and let its headers correct what we believed."""
        if not receipt.budgets:
            return
        told: dict[str, Told] = {}
        if response is not None:
            now = self._clock()
            told = {each.name: read(response.headers, each.headers, now) for each in receipt.budgets}
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                rules = {each.name: each.rule for each in receipt.budgets}
                told = refused(told, rules, retry_after(response))
        await self._ledger.settle(receipt.budgets, told, paid_at=receipt.at)

    async def wait_for(
        self, connection: str, priority: Priority, *, method: str = "GET", path: str = "/"
    ) -> timedelta:
        """How long a request would have to wait now, without paying it: for who would rather ask first."""
        budgets = self._drawn_from(connection, method, path)
        if not budgets:
            return timedelta()
        return (await self._ledger.draw(budgets, priority, look=True)).wait

    async def look_at_breakers(self) -> None:
        """Hear whether breakers that are open here were closed elsewhere."""
        for breaker in self._breakers.values():
            if not breaker.closed:
                await breaker.look()

    def holds(self, now: datetime) -> dict[Hold, datetime]:
        """What is not to be claimed until when."""
        self._holds = {hold: until for hold, until in self._holds.items() if until > now}
        failing = {
            Hold(connection=name): breaker.due_at
            for name, breaker in self._breakers.items()
            if not breaker.closed and breaker.due_at > now
        }
        return self._holds | failing

    def probed(self, now: datetime) -> set[str]:
        """Connections at which one command may find out whether the vendor is back."""
        return {
            name for name, breaker in self._breakers.items() if not breaker.closed and breaker.due_at <= now
        }

    async def report(self) -> list[Report]:
        """How every limit stands; the gauges are set to it."""
        budgets = by_account(self._budgets)
        levels = await self._ledger.levels(budgets) if budgets else []
        now = self._clock()
        reports = [_report(*pair, now) for pair in zip(budgets, levels, strict=True)]
        for each in reports:
            labels = (each.account, each.name)
            self._metrics.budget_limit.labels(*labels).set(each.level.limit)
            self._metrics.budget_remaining.labels(*labels).set(each.level.remaining)
            empty_at = each.empty_at.timestamp() if each.empty_at else 0
            self._metrics.budget_empty_at.labels(*labels).set(empty_at)
        return reports


def outlook(report: Report) -> str:
    """How a limit stands, in a few words; times are UTC."""
    if report.closed_until is not None:
        return f"closed by the vendor until {report.closed_until:%H:%M:%S}"
    left = f"{report.level.remaining} left"
    if report.empty_at is None:
        return left
    return "used up" if not report.level.remaining else f"{left}, empty at {report.empty_at:%H:%M:%S}"


def _later(priority: Priority) -> timedelta:
    """How much later than the most urgent a class comes back: in its turn, and spread over the processes."""
    rank = list(Priority).index(priority)
    return SHORTEST_HOLD * rank * (1 + random.random())  # noqa: S311 - no secret


def _report(budget: Budget, level: Level, now: datetime) -> Report:
    closed_for = timedelta(milliseconds=level.closed_for)
    return Report(
        account=budget.account,
        name=budget.name,
        window=timedelta(milliseconds=budget.rule.window),
        level=level,
        closed_until=now + closed_for if closed_for else None,
        empty_at=None if level.empty_in is None else now + timedelta(milliseconds=level.empty_in),
    )
