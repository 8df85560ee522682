"""A circuit breaker per connection: who fails is left alone for a while, then probed by one request.

pybreaker decides; its state is kept in a replica, which Redis keeps equal among the processes.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import structlog
from pybreaker import (
    STATE_CLOSED,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitMemoryStorage,
)
from redis.asyncio import Redis

from adapters.errors import Held
from config.clock import utc_now
from config.settings import BreakerSettings
from gateway.limits.link import Link
from gateway.metrics import Metrics

log = structlog.get_logger()
LOOK_EVERY_SECONDS = 1.0
PROBE_LASTS = timedelta(seconds=15)
WHILE_PROBED = timedelta(seconds=1)
_DAY_SECONDS = 86400
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MEET = """
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[1], 'opened_at', ARGV[2]) end
if ARGV[3] == 'reset' then redis.call('HSET', KEYS[1], 'failures', 0)
elseif ARGV[3] ~= '0' then redis.call('HINCRBY', KEYS[1], 'failures', ARGV[3]) end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
return redis.call('HMGET', KEYS[1], 'state', 'opened_at', 'failures')
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class ServerError(Exception):
    """A 5xx, which counts as a failure; `response` is given back all the same."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Replica(CircuitMemoryStorage):
    """pybreaker's storage in memory, which knows what of it is news to the other processes."""

    def __init__(self) -> None:
        super().__init__(STATE_CLOSED)
        self.news_state = False
        self.news_failures = 0
        self.news_reset = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return str(self._state)

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        self.news_state = True

    def increment_counter(self) -> None:
        """One more failure in a row."""
        super().increment_counter()
        self.news_failures += 1

    def reset_counter(self) -> None:
        """The row is over."""
        if self.counter:
            self.news_reset, self.news_failures = True, 0
        super().reset_counter()

    @property
    def has_news(self) -> bool:
        """Whether the others should hear of it."""
        return bool(self.news_state or self.news_failures or self.news_reset)

    def take_news(self) -> tuple[str, str, str]:
        """State and time of opening ('' when unchanged), and new failures or `reset`."""
        opened = "" if self.opened_at is None else self.opened_at.isoformat()
        state = self.state if self.news_state else ""
        failures = "reset" if self.news_reset and not self.news_failures else str(self.news_failures)
        self.news_state, self.news_failures, self.news_reset = False, 0, False
        return state, opened, failures

    def absorb(self, state: str | None, opened_at: str | None, failures: str | None) -> None:
        """Take over what all processes know."""
        self._state = state or STATE_CLOSED
        self._opened_at = datetime.fromisoformat(opened_at) if opened_at else None
        self._fail_counter = int(failures or 0)


class _Telling(CircuitBreakerListener):
    """Tells once that it opened and once that it closed; failed probes in between are no news."""

    def __init__(self, breaker: "Breaker") -> None:
        self._breaker = breaker

    def state_change(
        self,
        cb: CircuitBreaker,  # noqa: ARG002 - pybreaker calls it so
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Hear of a change."""
        old = old_state.name if old_state else STATE_CLOSED
        self._breaker.changed(old, new_state.name)


class Breaker:
    """The breaker of one connection."""

    def __init__(
        self, connection: str, settings: BreakerSettings, link: Link, redis: "Redis | None", metrics: Metrics
    ) -> None:
        self.connection = connection
        self._pause = settings.pause
        self._link = link
        self._redis = redis
        self._metrics = metrics
        self._replica = Replica()
        self._looked_at = float("-inf")
        self._key = f"deskbridge:breaker:{connection}"
        self._probe_key = f"{self._key}:probe"
        self._probe_until = _LONG_AGO
        self._hearing = False
        self._looking = asyncio.Lock()
        self._circuit = CircuitBreaker(
            fail_max=settings.failures,
            reset_timeout=settings.pause.total_seconds(),
            exclude=[Held, httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL],
            listeners=[_Telling(self)],
            state_storage=self._replica,
            throw_new_error_on_trip=False,
        )
        metrics.breaker_open.labels(connection).set(0)

    @property
    def closed(self) -> bool:
        """Whether requests go through, as far as this process knows."""
        return self._replica.state == STATE_CLOSED

    @property
    def due_at(self) -> datetime:
        """When an open one may be probed."""
        opened = self._replica.opened_at or _LONG_AGO
        due: datetime = max(opened + self._pause, self._probe_until)
        return due

    def changed(self, old: str, new: str) -> None:
        """Pybreaker moved from one state to another."""
        self._metrics.breaker_open.labels(self.connection).set(0 if new == STATE_CLOSED else 1)
        if self._hearing or STATE_CLOSED not in {old, new} or old == new:
            return
        if new == STATE_CLOSED:
            log.info("breaker_closed", connection=self.connection)
        else:
            log.error("breaker_opened", connection=self.connection, failures=self._circuit.fail_max)

    async def look(self, *, at_once: bool = False) -> None:
        """Hear from the other processes what they know, and tell them; at most once a second without news."""
        async with self._looking:
            clock = asyncio.get_running_loop().time()
            recent = clock - self._looked_at < LOOK_EVERY_SECONDS and not at_once
            if self._redis is not None and (self._replica.has_news or not recent):
                self._looked_at = clock
                await self._meet(self._redis)

    async def _meet(self, redis: "Redis") -> None:
        news = self._replica.take_news()
        known = await self._link.run(lambda: redis.eval(_MEET, 1, self._key, *news, str(_DAY_SECONDS)))
        if known is None or self._replica.has_news:
            return
        self._hearing = True
        try:
            self._replica.absorb(*known)
            _ = self._circuit.state  # pybreaker takes over what its storage says
        finally:
            self._hearing = False
            self._replica.take_news()

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Around one request: raises `Held` while it is open; what is raised inside counts as a failure."""
        await self.look()
        probe = None if self.closed else await self._become_probe()
        try:
            with self._circuit.calling():
                yield
        except CircuitBreakerError as error:
            raise self._held() from error
        finally:
            await self.look()
            if probe is not None:
                await self._end_probe(probe)

    async def _become_probe(self) -> str | None:
        """Take the lock that lets one request through; `None` when it has closed meanwhile, else `Held`."""
        await self.look(at_once=True)
        if self.closed:
            return None
        token = secrets.token_hex(8)
        if utc_now() < self.due_at or not await self._lock(token):
            raise self._held()
        return token

    async def _lock(self, token: str) -> bool:
        redis, key = self._redis, self._probe_key
        if redis is not None:
            lasts = int(PROBE_LASTS.total_seconds() * 1000)
            taken = await self._link.run(lambda: _lock(redis, key, token, lasts))
            if taken is False:
                return False
        if utc_now() < self._probe_until:
            return False
        self._probe_until = utc_now() + PROBE_LASTS
        return True

    async def _end_probe(self, token: str) -> None:
        self._probe_until = _LONG_AGO
        redis, key = self._redis, self._probe_key
        if redis is not None:
            await self._link.run(lambda: redis.eval(_RELEASE, 1, key, token))

    def _held(self) -> Held:
        wait = max(WHILE_PROBED, self.due_at - utc_now())
        return Held(f"{self.connection} fails; nothing is sent to it for now", retry_after=wait)


async def _lock(redis: "Redis", key: str, token: str, milliseconds: int) -> bool:
    return bool(await redis.set(key, token, nx=True, px=milliseconds))


class BreakingTransport(httpx.AsyncBaseTransport):
    """Sends only while the connection's breaker lets it; time-outs, connection errors and 5xx count."""

    def __init__(self, inner: httpx.AsyncBaseTransport, breaker: Breaker) -> None:
        self._inner = inner
        self._breaker = breaker

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request. Raises `Held` when it was not sent."""
        try:
            async with self._breaker.guard():
                response = await self._inner.handle_async_request(request)
                if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise ServerError(response)  # noqa: TRY301 - the breaker counts what is raised
        except ServerError as error:
            return error.response
        return response

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()
