"""The whole bridge for a test: a helpdesk over HTTP, a migrated database, the gateway in between."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings
from gateway import server
from gateway.app import create_app
from gateway.house import House

SECRET = "hook-secret-for-tests"
TOKEN = "api-token-for-tests"
QUICK: dict[str, Any] = {"turns": {"quiet": 0.05}, "delivery": {"first_retry": 0.05}}
"""Settings with which nobody waits long."""


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[str]:
    """Serve an ASGI application on loopback."""
    async with server.serving(app, server.bind("127.0.0.1", port)):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def housed(
    settings: Settings, *systems: tuple[Any, int], worker_inside: bool = True
) -> AsyncIterator[dict[str, Any]]:
    """The gateway at its public address, and these systems, each at its port: what a `Bridge` has of them."""
    app = create_app(settings, with_worker=worker_inside)
    async with AsyncExitStack() as stack:
        for system, port in systems:
            await stack.enter_async_context(serving(system, port))
        own = httpx.URL(settings.public_url).port
        assert own is not None
        url = await stack.enter_async_context(serving(app, own))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        yield {"url": url, "settings": settings, "http": http, "house": app.state.house}


def memory_at(port: int, **more: Any) -> dict[str, Any]:
    """A connection to a reference helpdesk at that port."""
    there = {"base_url": f"http://127.0.0.1:{port}", "token": TOKEN, "webhook_secret": SECRET}
    return {"adapter": "memory", "settings": there, **more}


def helpdesk_for(url: str, connection: str) -> MemoryHelpdesk:
    """A reference helpdesk that tells this connection of the gateway at `url`."""
    return MemoryHelpdesk(token=TOKEN, webhook_url=f"{url}/hooks/{connection}", webhook_secret=SECRET)


async def eventually(check: Callable[[], Any | Awaitable[Any]], *, what: str, within: float = 10.0) -> Any:
    """The first true value of `check`; fails saying what never happened."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        value = check()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"never happened within {within} s: {what}")
        await asyncio.sleep(0.02)


@dataclass
class Bridge:
    """A running bridge and the helpdesk on its other side."""

    helpdesk: MemoryHelpdesk
    helpdesk_url: str
    url: str
    settings: Settings
    http: httpx.AsyncClient
    house: House

    def replies(self, conversation_id: str) -> list[Any]:
        """What the customer has been told, in order."""
        return [
            m
            for m in self.helpdesk.messages
            if m.conversation_id == conversation_id and m.author != "customer" and not m.private
        ]

    def notes(self, conversation_id: str) -> list[Any]:
        """The private notes of a conversation."""
        return [m for m in self.helpdesk.messages if m.conversation_id == conversation_id and m.private]

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """What the database holds, for what no face shows."""
        async with self.house.engine.connect() as connection:
            return list((await connection.execute(text(query), values)).all())

    async def lease_of(self, conversation_id: str) -> tuple[str, int]:
        """Who may speak in a conversation, and since which epoch."""
        (row,) = await self.rows(
            "SELECT lease_holder, lease_epoch FROM conversation WHERE id = :id", id=conversation_id
        )
        return row.lease_holder, row.lease_epoch

    async def mirrored(self) -> list[tuple[str, bool]]:
        """Of each message that we hold: who wrote it, and whether a command of ours did."""
        rows = await self.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
        return [(row.author, row.command_ref is not None) for row in rows]

    async def hand_offs(self) -> list[tuple[str, str, str]]:
        """All hand-offs: what became of them, to whom, and why."""
        rows = await self.rows('SELECT state, "to", cause FROM hand_off ORDER BY ref')
        return [(row.state, row.to, row.cause) for row in rows]

    async def settled(self, within: float = 10.0) -> None:
        """Wait until nothing waits: no webhook, event or command."""
        await self.helpdesk.drain()

        async def idle() -> bool:
            (row,) = await self.rows(
                "SELECT (SELECT count(*) FROM inbox WHERE state = 'pending')"
                " + (SELECT count(*) FROM command WHERE state IN ('waiting', 'in_flight')) AS n"
            )
            return bool(row.n == 0)

        await eventually(idle, what="all events and commands done", within=within)
        await self.helpdesk.drain()
        await eventually(idle, what="all echoes worked")


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture
def free_helpdesk_port() -> int:
    """Where the helpdesk will listen; for tests whose settings must name it."""
    return free_port()


@pytest.fixture
def worker_inside() -> bool:
    """Whether the gateway works lanes itself; a test that brings its own workers says no."""
    return True


@pytest.fixture
async def bridge(
    knowledge_url: str,
    tmp_path: Path,
    overrides: dict[str, Any],
    free_helpdesk_port: int,
    *,
    worker_inside: bool,
) -> AsyncIterator[Bridge]:
    """A bridge between the reference helpdesk and the house, all over real HTTP."""
    url = f"http://127.0.0.1:{free_port()}"
    helpdesk = helpdesk_for(url, "shop")
    usual = QUICK | {"connections": {"shop": memory_at(free_helpdesk_port)}}
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    async with housed(settings, (helpdesk, free_helpdesk_port), worker_inside=worker_inside) as parts:
        yield Bridge(helpdesk=helpdesk, helpdesk_url=f"http://127.0.0.1:{free_helpdesk_port}", **parts)
