"""The bridge with an app of Zendesk messaging on its other side, over real HTTP, every request judged."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, free_port, serving
from vendors.door import Door
from vendors.sunshine import FakeSunshine, Thread, settings

from config.settings import Settings
from gateway.app import create_app


@dataclass
class SunshineBridge(Bridge):
    """A running bridge with an app of Zendesk messaging on its other side."""

    helpdesk: FakeSunshine  # type: ignore[assignment]

    async def lease(self, thread: Thread) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        (row,) = await self.rows(
            "SELECT lease_holder, lease_epoch FROM conversation WHERE id = :id", id=thread.id
        )
        return row.lease_holder, row.lease_epoch

    async def mirrored(self) -> list[tuple[str, bool]]:
        """Of each message that we hold: who wrote it, and whether a command of ours did."""
        rows = await self.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
        return [(row.author, row.command_ref is not None) for row in rows]


@pytest.fixture
def sunshine_description(request: pytest.FixtureRequest) -> Path | None:
    """The published description; without the reference material the path is proven unjudged."""
    try:
        reference: Path = request.getfixturevalue("reference")
    except pytest.skip.Exception:
        return None
    return reference / "vendor-specs/sunshine/openapi-17.12.1.yaml"


def house(database_url: str, tmp_path: Path, url: str, vendor_port: int, **overrides: Any) -> Settings:
    """The settings of a bridge to the app; `messaging` says more of its connection."""
    there = settings(f"http://127.0.0.1:{vendor_port}/sc")
    connection = {"adapter": "sunshine", "settings": there, **overrides.pop("messaging", {})}
    given: dict[str, Any] = {
        "connections": {"messaging": connection},
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
    }
    return Settings(database_url=database_url, data_dir=tmp_path, public_url=url, **given | overrides)


@pytest.fixture
async def sunshine_bridge(
    knowledge_url: str,
    tmp_path: Path,
    overrides: dict[str, Any],
    sunshine_description: Path | None,
    *,
    worker_inside: bool,
) -> AsyncIterator[SunshineBridge]:
    """A bridge between an app and the house; no request may break the description."""
    from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

    vendor_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    vendor = FakeSunshine(hook=f"{url}/hooks/messaging")
    door = Door(Judge(sunshine_description, vendor, base_path="/sc") if sunshine_description else vendor)
    given = house(knowledge_url, tmp_path, url, vendor_port, **overrides)
    app = create_app(given, with_worker=worker_inside)
    async with AsyncExitStack() as stack:
        vendor_url = await stack.enter_async_context(serving(door, vendor_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        await stack.enter_async_context(vendor.courier)
        yield SunshineBridge(
            helpdesk=vendor,
            helpdesk_url=vendor_url,
            url=url,
            settings=given,
            http=http,
            house=app.state.house,
        )
    assert door.objections == []
