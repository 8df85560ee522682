"""Redis: shares what is fast and may be lost. It is given half a second; who waits longer goes without."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT_SECONDS = 0.5


def open_redis(url: str) -> "Redis":
    """A client that fails fast instead of trying again; connects at its first command.

    Raises ValueError when `url` is no address of a Redis.
    """
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
