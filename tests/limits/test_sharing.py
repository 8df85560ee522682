"""Several processes on one Redis, which is killed, emptied and frozen: a limit stays a limit."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs
from support.bridge import eventually
from support.redis import RedisServer

from adapters.manifest import LimitHeaders
from config.clock import utc_now
from config.redis import open_redis
from gateway.limits.arithmetic import Rule
from gateway.limits.endpoints import Budget
from gateway.limits.ledger import SharedLedger
from gateway.limits.link import Link
from sync.priority import Priority

LIMIT = Budget(
    key="test:all",
    account="acme",
    name="all",
    rule=Rule(requests=40, window=600_000),
    only=(),
    headers=LimitHeaders(),
)


class Process:
    """What one process has: its own client, link and ledger."""

    def __init__(self, url: str) -> None:
        redis = open_redis(url)
        self.link = Link(redis)
        self.ledger = SharedLedger(self.link, redis, utc_now)
        self.ledger.local.processes = 2

    async def drain(self, most: int = 1000) -> int:
        """Draw as long as it is paid."""
        count = 0
        while count < most and (await self.ledger.draw([LIMIT], Priority.REPLY)).paid:
            count += 1
        return count

    async def back(self) -> bool:
        """Whether Redis is found again."""
        await self.ledger.draw([LIMIT], Priority.EXPORT, look=True)
        return self.link.shares


@pytest.fixture
async def pair(redis_server: RedisServer) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes on one Redis."""
    async with AsyncExitStack() as stack:
        processes = Process(redis_server.url), Process(redis_server.url)
        for each in processes:
            stack.push_async_callback(each.link.close)
        yield processes


Pair = tuple[Process, Process]


async def test_processes_share_one_limit(pair: Pair) -> None:
    """Forty in all, whoever draws them."""
    drawn = await asyncio.gather(*(each.drain() for each in pair))
    assert sum(drawn) == 40


async def test_without_redis_each_keeps_to_its_part(pair: Pair, redis_server: RedisServer) -> None:
    """Half of forty, when two send; told once when it is lost and once when it is back."""
    with capture_logs() as logs:
        redis_server.kill()
        assert [await each.drain() for each in pair] == [20, 20]
        redis_server.start()
        for each in pair:
            await eventually(each.back, what="Redis is found again")
    assert [entry["event"] for entry in logs] == ["redis_lost"] * 2 + ["redis_back"] * 2


async def test_what_was_used_while_redis_was_lost_is_used(pair: Pair, redis_server: RedisServer) -> None:
    """A new and empty Redis hears of it from those who used it."""
    one, two = pair
    assert await one.drain(4) == 4
    redis_server.kill()
    assert await one.drain(10) == 10
    assert await two.drain(10) == 10
    redis_server.start()
    for each in pair:
        await eventually(each.back, what="Redis is found again")
    assert await one.drain() + await two.drain() == 40 - 24


async def test_an_emptied_redis_is_told_what_was_used(pair: Pair, redis_server: RedisServer) -> None:
    """A flush in the middle opens no second limit; what each draws before it notices is one request."""
    one, two = pair
    assert await one.drain(15) == 15
    assert await two.drain(15) == 15
    client = open_redis(redis_server.url)
    await client.flushall()
    await client.aclose()
    more = 0
    while True:
        drawn = await one.drain(1) + await two.drain(1)
        more += drawn
        if not drawn:
            break
    assert 10 <= more <= 10 + len(pair)


async def test_a_frozen_redis_holds_nobody_up_for_long(pair: Pair, redis_server: RedisServer) -> None:
    """The first waits half a second, those after it not at all; its question counts when Redis thaws."""
    one, _ = pair
    assert await one.drain(1) == 1
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert await one.drain() == 19
        assert time.monotonic() - started < 3
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    await eventually(one.back, what="Redis is found again")
    assert 19 <= await one.drain() <= 20
