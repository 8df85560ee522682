"""Breakers: who fails is left alone, then probed by one; one suite with Redis and without."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from adapters.errors import Held
from config.settings import BreakerSettings
from gateway.limits.breaker import Breaker, BreakingTransport
from gateway.limits.link import Link
from gateway.metrics import Metrics

PAUSE = timedelta(seconds=0.3)
SETTINGS = BreakerSettings(failures=3, pause=PAUSE)


class Vendor:
    """A vendor that answers as it is told, and counts."""

    def __init__(self) -> None:
        self.status = 200
        self.error: Exception | None = None
        self.seen = 0
        self.slow: asyncio.Event | None = None

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.seen += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.error is not None:
            raise self.error
        return httpx.Response(self.status)


@pytest.fixture
def vendor() -> Vendor:
    """It works, at first."""
    return Vendor()


Client = Callable[[], httpx.AsyncClient]


@pytest.fixture(params=["local", "redis"])
def client(request: pytest.FixtureRequest, vendor: Vendor, redis: Redis) -> Client:
    """The client of one process; with Redis every call makes that of another."""
    shared = request.param == "redis"

    def make() -> httpx.AsyncClient:
        own = redis if shared else None
        breaker = Breaker("shop", SETTINGS, Link(own), own, Metrics())
        transport = BreakingTransport(httpx.MockTransport(vendor), breaker)
        return httpx.AsyncClient(transport=transport, base_url="https://v.example")

    if shared:
        return make
    only = make()
    return lambda: only


async def fail(http: httpx.AsyncClient, times: int) -> None:
    """Ask as often, whatever comes of it."""
    for _ in range(times):
        try:
            await http.get("/")
        except httpx.TransportError:
            continue


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, None), (503, None), (200, httpx.ReadTimeout("slow")), (200, httpx.ConnectError("refused"))],
)
async def test_failures_in_a_row_open_it(
    client: Client, vendor: Vendor, status: int, error: Exception | None
) -> None:
    """Five hundreds, time-outs, connections refused; then nothing is sent."""
    vendor.status, vendor.error = status, error
    http = client()
    await fail(http, 3)
    with pytest.raises(Held) as caught:
        await http.get("/")
    assert vendor.seen == 3
    assert caught.value.retry_after is not None


@pytest.mark.parametrize("status", [400, 404, 422, 429])
async def test_the_vendors_no_is_no_failure(client: Client, vendor: Vendor, status: int) -> None:
    """It answers: it is there."""
    vendor.status = status
    http = client()
    await fail(http, 10)
    assert vendor.seen == 10


async def test_a_success_between_failures_ends_the_row(client: Client, vendor: Vendor) -> None:
    """Two of three, twice."""
    http = client()
    for status in (500, 500, 200, 500, 500, 200):
        vendor.status = status
        await fail(http, 1)
    assert vendor.seen == 6


async def test_one_probe_at_a_time_finds_out(client: Client, vendor: Vendor) -> None:
    """When the pause is over, one of ten goes through; the others wait for what it finds."""
    vendor.status = 500
    first, second = client(), client()
    await fail(first, 3)
    await asyncio.sleep(PAUSE.total_seconds() + 0.05)
    vendor.seen, vendor.status, vendor.slow = 0, 200, asyncio.Event()
    asked = [asyncio.ensure_future((first, second)[n % 2].get("/")) for n in range(10)]
    _, waiting = await asyncio.wait(asked, timeout=0.3)
    assert len(waiting) == 1
    vendor.slow.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, Held) for each in found) == 9
    assert vendor.seen == 1
    assert (await first.get("/")).status_code == 200


async def test_a_failed_probe_opens_it_again(client: Client, vendor: Vendor) -> None:
    """For another pause; and that is no news."""
    vendor.status = 500
    http = client()
    with capture_logs() as logs:
        await fail(http, 3)
        for _ in range(2):
            await asyncio.sleep(PAUSE.total_seconds() + 0.05)
            await fail(http, 1)
            with pytest.raises(Held):
                await http.get("/")
        await asyncio.sleep(PAUSE.total_seconds() + 0.05)
        vendor.status = 200
        await fail(http, 2)
    assert [entry["event"] for entry in logs] == ["breaker_opened", "breaker_closed"]
    assert vendor.seen == 7


async def test_what_one_process_found_out_the_others_know(vendor: Vendor, redis: Redis) -> None:
    """Open for one is open for all, and so is closed; who only hears of it tells nobody."""

    def process() -> tuple[Breaker, httpx.AsyncClient]:
        breaker = Breaker("shop", SETTINGS, Link(redis), redis, Metrics())
        transport = BreakingTransport(httpx.MockTransport(vendor), breaker)
        return breaker, httpx.AsyncClient(transport=transport, base_url="https://v.example")

    (_, first), (heard, second) = process(), process()
    vendor.status = 500
    with capture_logs() as logs:
        await fail(first, 3)
        with pytest.raises(Held):
            await second.get("/")
        assert not heard.closed
        vendor.status = 200
        await asyncio.sleep(PAUSE.total_seconds() + 0.05)
        await fail(first, 1)
        await heard.look(at_once=True)
        assert heard.closed
    assert [entry["event"] for entry in logs] == ["breaker_opened", "breaker_closed"]


async def test_its_state_is_a_metric(vendor: Vendor) -> None:
    """For those who watch at night."""
    metrics = Metrics()
    breaker = Breaker("shop", SETTINGS, Link(None), None, metrics)
    transport = BreakingTransport(httpx.MockTransport(vendor), breaker)
    vendor.status = 500
    async with httpx.AsyncClient(transport=transport, base_url="https://v.example") as http:
        await fail(http, 3)
    value: Any = metrics.registry.get_sample_value("deskbridge_breaker_open", {"connection": "shop"})
    assert value == 1
