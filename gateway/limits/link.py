"""The way to Redis: tried, lost, found again; each told once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.redis import TIMEOUT_SECONDS

log = structlog.get_logger()
TRY_AGAIN_SECONDS = 1.0

Answer = TypeVar("Answer")


class Link:
    """Runs commands on Redis; while it is lost, one caller a second finds out whether it is back."""

    def __init__(self, redis: "Redis | None") -> None:
        self._redis = redis
        self._try_at = 0.0
        self.lost = False

    @property
    def shares(self) -> bool:
        """Whether there is a Redis, and it answers."""
        return self._redis is not None and not self.lost

    async def run(self, command: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What the command gives; `None` when there is no Redis now."""
        clock = asyncio.get_running_loop().time
        if self._redis is None or (self.lost and clock() < self._try_at):
            return None
        self._try_at = clock() + TRY_AGAIN_SECONDS
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS * 2):
                answer = await command()
        except (RedisError, OSError, TimeoutError) as error:
            if not self.lost:
                log.warning("redis_lost", error=repr(error), now="each process keeps its part of the limits")
            self.lost = True
            return None
        if self.lost:
            log.info("redis_back")
        self.lost = False
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()
