"""A bridge between a shop's helpdesk, where customers write, and a desk at another vendor, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import SECRET, TOKEN, Bridge, free_port, serving

from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings
from gateway.app import create_app

POLICY = """
policy: elsewhere
rules:
  - name: asked
    when: turn.asked_for_person
    then:
      - hand_off: {to: agents, queue: after-sales, say: handoff.asked%s}
messages:
  handoff.asked: {zh: 好的, en: A colleague will be with you.}
  answer.nothing_found: {zh: 不知道, en: I found nothing.}
  answer.failed: {zh: 出错了, en: That failed.}
"""


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
    port, ports = free_port(), {"shop": free_port(), "agents": free_port()}
    url = f"http://127.0.0.1:{port}"
    systems = {
        name: MemoryHelpdesk(token=TOKEN, webhook_url=f"{url}/hooks/{name}", webhook_secret=SECRET)
        for name in ports
    }
    (directory / "policies").mkdir(exist_ok=True)
    (directory / "policies" / "p.yaml").write_text(POLICY % more, encoding="utf-8")
    connections = {
        name: {
            "adapter": "memory",
            "role": "desk" if name == "agents" else "helpdesk",
            "settings": {
                "base_url": f"http://127.0.0.1:{ports[name]}",
                "token": TOKEN,
                "webhook_secret": SECRET,
            },
        }
        for name in ports
    }
    usual: dict[str, Any] = {"turns": {"quiet": 0.05}, "delivery": {"first_retry": 0.05}}
    settings = Settings(
        database_url=database_url,
        data_dir=directory,
        public_url=url,
        policies=directory / "policies",
        connections=connections,
        **usual | options,
    )
    app = create_app(settings, with_worker=worker_inside)
    async with AsyncExitStack() as stack:
        for name, system in systems.items():
            await stack.enter_async_context(serving(system, ports[name]))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        yield HandedOver(
            helpdesk=systems["shop"],
            agents=systems["agents"],
            helpdesk_url=f"http://127.0.0.1:{ports['shop']}",
            url=url,
            settings=settings,
            http=http,
            house=app.state.house,
        )


@pytest.fixture
def offer() -> str:
    """What the rule's hand-off says further."""
    return ""


@pytest.fixture
async def elsewhere(knowledge_url: str, tmp_path: Path, offer: str) -> AsyncIterator[HandedOver]:
    """The bridge, with its worker."""
    async with handing_over(knowledge_url, tmp_path, more=offer) as bridge:
        yield bridge
