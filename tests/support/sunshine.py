"""The bridge with an app of Zendesk messaging on its other side, over real HTTP, every request judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, housed
from vendors.door import Door
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import Thread, settings

from config.settings import Settings


@dataclass
class SunshineBridge(Bridge):
    """A running bridge with an app of Zendesk messaging on its other side."""

    helpdesk: FakeSunshine  # type: ignore[assignment]

    async def lease(self, thread: Thread) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        return await self.lease_of(thread.id)


def judged(vendor: FakeSunshine, specs: Path | None) -> Door:
    """Its door; no request may break the published description."""
    if specs is None:
        return Door(vendor)
    from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

    return Door(Judge(specs / "sunshine/openapi-17.12.1.yaml", vendor, base_path="/sc"))


def house(database_url: str, tmp_path: Path, url: str, vendor_port: int, **overrides: Any) -> Settings:
    """The settings of a bridge to the app; `messaging` says more of its connection."""
    there = settings(f"http://127.0.0.1:{vendor_port}/sc")
    connection = {"adapter": "sunshine", "settings": there, **overrides.pop("messaging", {})}
    usual = QUICK | {"connections": {"messaging": connection}}
    return Settings(database_url=database_url, data_dir=tmp_path, public_url=url, **usual | overrides)


@pytest.fixture
async def sunshine_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], specs: Path | None, *, worker_inside: bool
) -> AsyncIterator[SunshineBridge]:
    """A bridge between an app and the house."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    vendor = FakeSunshine(hook=f"{url}/hooks/messaging")
    door = judged(vendor, specs)
    given = house(knowledge_url, tmp_path, url, vendor_port, **overrides)
    async with housed(given, (door, vendor_port), worker_inside=worker_inside) as parts, vendor.courier:
        there = f"http://127.0.0.1:{vendor_port}"
        yield SunshineBridge(helpdesk=vendor, helpdesk_url=there, **parts)
    assert door.objections == []
