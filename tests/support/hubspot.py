"""The bridge with a HubSpot portal on its other side, over real HTTP, every request judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, housed
from vendors import hubspot_description
from vendors.hubspot import SETTINGS, FakeHubspot, Raw

from config.settings import Settings


@dataclass
class HubspotBridge(Bridge):
    """A running bridge with a HubSpot portal on its other side."""

    helpdesk: FakeHubspot  # type: ignore[assignment]

    async def lease(self, thread: Raw) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        return await self.lease_of(thread["id"])


@pytest.fixture
async def hubspot_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], specs: Path | None
) -> AsyncIterator[HubspotBridge]:
    """A bridge between a portal and the house; no request may break the description."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    portal = FakeHubspot(f"{url}/hooks/support")
    if specs is not None:
        from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

        described = hubspot_description.at(specs / "hubspot")
        assert described is not None
        portal.door.vendor = Judge(described, portal)
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", **SETTINGS}
    usual = QUICK | {"connections": {"support": {"adapter": "hubspot", "settings": there}}}
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    async with housed(settings, (portal.door, vendor_port)) as parts, portal.post:
        yield HubspotBridge(helpdesk=portal, helpdesk_url=there["base_url"], **parts)
    assert portal.door.objections == []
