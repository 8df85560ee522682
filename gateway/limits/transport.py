"""What every request to a vendor passes: its budgets, the breaker, a last question, then the network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from adapters import registry
from adapters.errors import Held
from adapters.stand_in import StandIn
from config.clock import Clock
from config.redis import open_redis
from config.settings import ConfigError, ConnectionSettings, Settings
from gateway.limits import purpose
from gateway.limits.breaker import Breaker, BreakingTransport
from gateway.limits.endpoints import Budget, budgets_of
from gateway.limits.ledger import SharedLedger
from gateway.limits.limits import Limits
from gateway.limits.link import Link
from gateway.limits.owning import OwnedTransport
from gateway.metrics import Metrics


class PayingTransport(httpx.AsyncBaseTransport):
    """Pays each request before it is sent, and learns from the answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, limits: Limits, connection: str) -> None:
        self._inner = inner
        self._limits = limits
        self._connection = connection

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request. Raises `Held` when it was not sent."""
        why = purpose.current()
        receipt = await self._limits.pay(self._connection, request, why)
        response = None
        try:
            response = await self._inner.handle_async_request(request)
        except Held:
            raise
        except BaseException:
            _sent(why, request)
            raise
        finally:
            await self._limits.settle(receipt, response)
        _sent(why, request)
        return response

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


def _to_the_vendor() -> httpx.AsyncBaseTransport:
    return OwnedTransport(registry.open_transport())


def _sent(why: purpose.Purpose, request: httpx.Request) -> None:
    why.sent += 1
    why.wrote = why.wrote or not purpose.is_safe(request.method)


def _budgets(name: str, connection: ConnectionSettings) -> tuple[Budget, ...]:
    """Of a broken adapter nobody knows any limits."""
    manifest = registry.manifest_of(connection.adapter, connection.settings)
    return () if manifest is StandIn.manifest else budgets_of(name, connection, manifest)


@asynccontextmanager
async def open_limits(
    settings: Settings, *, clock: Clock, metrics: Metrics
) -> AsyncIterator[tuple[Limits, Mapping[str, httpx.AsyncBaseTransport]]]:
    """The limits of all connections, and the transport for each.

    Raises:
        ConfigError: `redis_url` is no address of a Redis.
        InvalidSettings: a connection overrides a limit that its adapter doesn't have.
    """
    try:
        redis = open_redis(settings.redis_url) if settings.redis_url else None
    except ValueError as error:
        raise ConfigError(f"redis_url (DESKBRIDGE_REDIS_URL): {error}") from None
    link = Link(redis)
    budgets = {name: _budgets(name, each) for name, each in settings.connections.items()}
    breakers = {name: Breaker(name, settings.breaker, link, redis, metrics) for name in budgets}
    ledger = SharedLedger(link, redis, clock)
    limits = Limits(budgets=budgets, breakers=breakers, ledger=ledger, clock=clock, metrics=metrics)
    transports = {
        name: PayingTransport(BreakingTransport(_to_the_vendor(), breakers[name]), limits, name)
        for name in budgets
    }
    try:
        yield limits, transports
    finally:
        await link.close()
