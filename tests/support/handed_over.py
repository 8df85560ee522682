"""A bridge between a shop's helpdesk, where customers write, and a desk at another vendor, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, helpdesk_for, housed, memory_at
from support.policies import asking, written

from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings


@dataclass
class HandedOver(Bridge):
    """A running bridge; `helpdesk` is the connection `shop`, `agents` the desk elsewhere."""

    agents: MemoryHelpdesk

    async def settled(self, within: float = 15.0) -> None:
        """Wait until nothing waits, on either side."""
        for _ in range(2):
            await self.agents.drain()
            await super().settled(within)

    def ticket(self) -> Any:
        """The one conversation at the desk."""
        (found,) = self.agents.state.conversations.values()
        return found

    def there(self, *, private: bool = False) -> list[tuple[str, str]]:
        """What the desk shows of it: who said what."""
        return [(m.author, m.text) for m in self.agents.messages if m.private == private]


@asynccontextmanager
async def handing_over(
    database_url: str, directory: Path, *, more: str = "", worker_inside: bool = True, **options: Any
) -> AsyncIterator[HandedOver]:
    """A shop's helpdesk, a desk elsewhere, and the house."""
    url, ports = f"http://127.0.0.1:{free_port()}", {"shop": free_port(), "agents": free_port()}
    systems = {name: helpdesk_for(url, name) for name in ports}
    usual: dict[str, Any] = {
        "policies": written(directory, asking("agents", more)),
        "connections": {
            "shop": memory_at(ports["shop"], role="helpdesk"),
            "agents": memory_at(ports["agents"], role="desk"),
        },
    }
    settings = Settings(
        database_url=database_url, data_dir=directory, public_url=url, **QUICK | usual | options
    )
    served = [(systems[name], port) for name, port in ports.items()]
    async with housed(settings, *served, worker_inside=worker_inside) as parts:
        there = f"http://127.0.0.1:{ports['shop']}"
        yield HandedOver(helpdesk=systems["shop"], agents=systems["agents"], helpdesk_url=there, **parts)


@pytest.fixture
def offer() -> str:
    """What the rule's hand-off says further."""
    return ""


@pytest.fixture
async def elsewhere(knowledge_url: str, tmp_path: Path, offer: str) -> AsyncIterator[HandedOver]:
    """The bridge, with its worker."""
    async with handing_over(knowledge_url, tmp_path, more=offer) as bridge:
        yield bridge
