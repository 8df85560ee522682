"""The bridge with an Intercom workspace on its other side, over real HTTP, every request judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, housed
from vendors.intercom import SETTINGS, FakeIntercom, Raw

from config.settings import Settings


@dataclass
class IntercomBridge(Bridge):
    """A running bridge with an Intercom workspace on its other side."""

    helpdesk: FakeIntercom  # type: ignore[assignment]

    async def lease(self, thread: Raw) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        return await self.lease_of(thread["id"])


@pytest.fixture
async def intercom_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], specs: Path | None
) -> AsyncIterator[IntercomBridge]:
    """A bridge between a workspace and the house; no request may break the description."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    workspace = FakeIntercom(f"{url}/hooks/support")
    if specs is not None:
        from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

        workspace.door.vendor = Judge(specs / "intercom/api.intercom.io-2.16.yaml", workspace)
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", **SETTINGS}
    usual = QUICK | {"connections": {"support": {"adapter": "intercom", "settings": there}}}
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    async with housed(settings, (workspace.door, vendor_port)) as parts, workspace.post:
        yield IntercomBridge(helpdesk=workspace, helpdesk_url=there["base_url"], **parts)
    assert workspace.door.objections == []
