"""A bridge with two systems on its other side: a shop's helpdesk and a CRM, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import SECRET, TOKEN, Bridge, free_port, serving

from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings
from gateway.app import create_app


@dataclass
class ConnectedBridge(Bridge):
    """A running bridge; `helpdesk` is the connection `shop`, `crm` the other one."""

    crm: MemoryHelpdesk

    async def settled(self) -> None:
        """Wait until nothing waits, on either side."""
        await self.crm.drain()
        await super().settled()
        await self.crm.drain()
        await super().settled()

    async def parties(self) -> set[frozenset[str]]:
        """Who is one person, by the ids of their records."""
        rows = await self.rows(
            "SELECT array_agg(i.value) AS ids FROM identity i JOIN customer c ON c.ref = i.customer_ref"
            " WHERE i.kind = 'vendor' GROUP BY c.main_ref"
        )
        return {frozenset(row.ids) for row in rows}

    async def ref_of(self, connection: str, record: str) -> int:
        """The ref of a record's customer."""
        (row,) = await self.rows(
            "SELECT customer_ref FROM identity WHERE kind = 'vendor' AND connection = :name AND value = :id",
            name=connection,
            id=record,
        )
        return int(row.customer_ref)


@pytest.fixture
def identity_settings() -> dict[str, Any]:
    """The settings on identity that a test wants."""
    return {"default_region": "CN"}


@pytest.fixture
async def connected(
    knowledge_url: str,
    tmp_path: Path,
    identity_settings: dict[str, Any],
    overrides: dict[str, Any],
    *,
    worker_inside: bool,
) -> AsyncIterator[ConnectedBridge]:
    """A bridge between two systems and the house."""
    port, ports = free_port(), {"shop": free_port(), "crm": free_port()}
    url = f"http://127.0.0.1:{port}"
    systems = {
        name: MemoryHelpdesk(token=TOKEN, webhook_url=f"{url}/hooks/{name}", webhook_secret=SECRET)
        for name in ports
    }
    usual: dict[str, Any] = {
        "connections": {
            name: {
                "adapter": "memory",
                "settings": {
                    "base_url": f"http://127.0.0.1:{there}",
                    "token": TOKEN,
                    "webhook_secret": SECRET,
                },
            }
            for name, there in ports.items()
        },
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
        "identity": identity_settings,
    }
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    app = create_app(settings, with_worker=worker_inside)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(systems[name], ports[name])) for name in ports]
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        yield ConnectedBridge(
            helpdesk=systems["shop"],
            crm=systems["crm"],
            helpdesk_url=urls[0],
            url=url,
            settings=settings,
            http=http,
            house=app.state.house,
        )
