"""A bridge with two systems on its other side: a shop's helpdesk and a CRM, over real HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, helpdesk_for, housed, memory_at

from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings


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
    url, ports = f"http://127.0.0.1:{free_port()}", {"shop": free_port(), "crm": free_port()}
    systems = {name: helpdesk_for(url, name) for name in ports}
    usual: dict[str, Any] = {
        "connections": {name: memory_at(port) for name, port in ports.items()},
        "identity": identity_settings,
    }
    settings = Settings(
        database_url=knowledge_url, data_dir=tmp_path, public_url=url, **QUICK | usual | overrides
    )
    served = [(systems[name], port) for name, port in ports.items()]
    async with housed(settings, *served, worker_inside=worker_inside) as parts:
        there = f"http://127.0.0.1:{ports['shop']}"
        yield ConnectedBridge(helpdesk=systems["shop"], crm=systems["crm"], helpdesk_url=there, **parts)
