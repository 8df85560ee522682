"""The stage: a database, a helpdesk and the gateway, all real, all on loopback."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from adapters.vendors.memory.server import MemoryHelpdesk
from config.clock import utc_now
from config.database import open_engine
from config.embedded import EmbeddedPostgres
from config.settings import PACKAGED, ConnectionSettings, DeliverySettings, Settings
from gateway import migrate, server
from gateway.app import create_app
from gateway.house import House
from knowledge.importing import ImportReport, import_path
from sync.store import inbox, outbox

CONNECTION = "clearsail"
HOST = "127.0.0.1"
LOOK_AGAIN = 0.02
SETTLED_WITHIN = 60.0


class DemoSettings(Settings):
    """Settings that the environment can't change: the demo must never touch a database of yours."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls it so
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - left out on purpose
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the demo says itself."""
        return (init_settings,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """Everything that runs, and what the actors need of it."""

    helpdesk: MemoryHelpdesk
    house: House
    http: httpx.AsyncClient
    url: str
    knowledge: ImportReport

    async def settled(self) -> None:
        """Wait until no webhook, event or command waits any more. Raises TimeoutError."""
        async with asyncio.timeout(SETTLED_WITHIN):
            await self.helpdesk.drain()
            while await self._busy():
                await asyncio.sleep(LOOK_AGAIN)
                await self.helpdesk.drain()

    async def _busy(self) -> bool:
        async with self.house.engine.connect() as connection:
            pending = await inbox.oldest_pending(connection)
            due = await outbox.next_due(connection, worker=0, paused=[])
        return pending is not None or due is not None


@asynccontextmanager
async def open_theatre(directory: Path, *, port: int = 0) -> AsyncIterator[Theatre]:
    """Start everything in `directory`; `port` is the gateway's, 0 takes a free one."""
    token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    async with AsyncExitStack() as stack:
        server = await asyncio.to_thread(EmbeddedPostgres, directory / "postgres")
        stack.callback(server.stop)
        await migrate.upgrade(server.url())
        knowledge = await _import_knowledge(server.url())
        port = port or free_port()
        url = f"http://{HOST}:{port}"
        helpdesk = MemoryHelpdesk(token=token, webhook_url=f"{url}/hooks/{CONNECTION}", webhook_secret=secret)
        desk_port = free_port()
        account = {"base_url": f"http://{HOST}:{desk_port}", "token": token, "webhook_secret": secret}
        app = create_app(_settings(directory, server.url(), url, account))
        await stack.enter_async_context(serving(helpdesk, desk_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=httpx.Timeout(10))
        )
        yield Theatre(helpdesk=helpdesk, house=app.state.house, http=http, url=url, knowledge=knowledge)


def _settings(directory: Path, database_url: str, url: str, account: dict[str, Any]) -> Settings:
    return DemoSettings(
        database_url=database_url,
        data_dir=directory,
        public_url=url,
        connections={CONNECTION: ConnectionSettings(adapter="memory", settings=account)},
        delivery=DeliverySettings(first_retry=timedelta(seconds=0.2)),
    )


async def _import_knowledge(url: str) -> ImportReport:
    engine = open_engine(url, name="deskbridge-demo")
    try:
        async with engine.begin() as connection:
            return await import_path(connection, PACKAGED / "knowledge", now=utc_now())
    finally:
        await engine.dispose()


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[None]:
    """Serve an ASGI application on loopback. Raises OSError when it can't."""
    async with server.serving(app, server.bind(HOST, port)):
        yield
