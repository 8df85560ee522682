"""The stage: a database, a helpdesk and the gateway, all real, all on loopback."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
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
from config.settings import PACKAGED, ConfigError, ConnectionSettings, DeliverySettings, Settings
from gateway import migrate
from gateway.app import create_app
from gateway.house import House
from gateway.server import bind, serving
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
            due = await outbox.next_due(connection, worker=0, now=self.house.clock())
        return pending is not None or due is not None


@asynccontextmanager
async def open_theatre(directory: Path, *, port: int = 0) -> AsyncIterator[Theatre]:
    """Start everything in `directory`; `port` is the gateway's, 0 takes a free one.

    Raises ConfigError when the port is taken.
    """
    token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    listener, vendor_listener = _listen(port), _listen(0)
    url, vendor_url = _url(listener), _url(vendor_listener)
    account = {"base_url": vendor_url, "token": token, "webhook_secret": secret}
    helpdesk = MemoryHelpdesk(token=token, webhook_url=f"{url}/hooks/{CONNECTION}", webhook_secret=secret)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(listener))
        stack.enter_context(closing(vendor_listener))
        postgres = await asyncio.to_thread(EmbeddedPostgres, directory / "postgres")
        stack.callback(postgres.stop)
        await migrate.upgrade(postgres.url())
        knowledge = await _import_knowledge(postgres.url())
        app = create_app(_settings(directory, postgres.url(), url, account))
        await stack.enter_async_context(serving(helpdesk, vendor_listener))
        await stack.enter_async_context(serving(app, listener))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=httpx.Timeout(10))
        )
        yield Theatre(helpdesk=helpdesk, house=app.state.house, http=http, url=url, knowledge=knowledge)


def _listen(port: int) -> socket.socket:
    try:
        return bind(HOST, port)
    except OSError as error:
        raise ConfigError(f"port {port} can't be had ({error.strerror}); name another with --port") from error


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


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
