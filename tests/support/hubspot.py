"""The bridge with a HubSpot portal on its other side, over real HTTP, every request judged."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, free_port, serving
from vendors import hubspot_description
from vendors.hubspot import SETTINGS, FakeHubspot, Raw

from config.settings import Settings
from gateway.app import create_app


@dataclass
class HubspotBridge(Bridge):
    """A running bridge with a HubSpot portal on its other side."""

    helpdesk: FakeHubspot  # type: ignore[assignment]

    async def lease(self, thread: Raw) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        (row,) = await self.rows(
            "SELECT lease_holder, lease_epoch FROM conversation WHERE id = :id", id=thread["id"]
        )
        return row.lease_holder, row.lease_epoch

    async def mirrored(self) -> list[tuple[str, bool]]:
        """Of each message that we hold: who wrote it, and whether a command of ours did."""
        rows = await self.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
        return [(row.author, row.command_ref is not None) for row in rows]


@pytest.fixture
async def hubspot_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], request: pytest.FixtureRequest
) -> AsyncIterator[HubspotBridge]:
    """A bridge between a portal and the house; no request may break the description."""
    vendor_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    portal = FakeHubspot(f"{url}/hooks/support")
    try:
        reference: Path = request.getfixturevalue("reference")
    except pytest.skip.Exception:
        pass
    else:
        from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

        described = hubspot_description.at(reference / "vendor-specs/hubspot")
        assert described is not None
        portal.door.vendor = Judge(described, portal)
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", **SETTINGS}
    usual: dict[str, Any] = {
        "connections": {"support": {"adapter": "hubspot", "settings": there}},
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
    }
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    app = create_app(settings)
    async with AsyncExitStack() as stack:
        vendor_url = await stack.enter_async_context(serving(portal.door, vendor_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        await stack.enter_async_context(portal.post)
        yield HubspotBridge(
            helpdesk=portal,
            helpdesk_url=vendor_url,
            url=url,
            settings=settings,
            http=http,
            house=app.state.house,
        )
    assert portal.door.objections == []
