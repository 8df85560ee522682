"""The bridge with a Zendesk on its other side: a real HTTP server whose every request is judged."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, free_port, serving
from vendors.zendesk import SETTINGS, Raw
from vendors.zendesk_description import amended
from vendors.zendesk_webhooks import ZendeskAccount

from config.settings import Settings
from gateway.app import create_app


@dataclass
class ZendeskBridge(Bridge):
    """A running bridge with a Zendesk account on its other side."""

    helpdesk: ZendeskAccount  # type: ignore[assignment]

    async def lease(self, ticket: Raw) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        (row,) = await self.rows(
            "SELECT lease_holder, lease_epoch FROM conversation WHERE id = :id", id=str(ticket["id"])
        )
        return row.lease_holder, row.lease_epoch

    async def status(self, ticket: Raw) -> str:
        """The status that we hold of a ticket."""
        (row,) = await self.rows("SELECT status FROM conversation WHERE id = :id", id=str(ticket["id"]))
        return str(row.status)

    async def stored(self, ticket: Raw) -> list[tuple[str, str]]:
        """What we hold of a ticket: by whom, and what."""
        rows = await self.rows(
            "SELECT m.author, m.text FROM message m JOIN conversation c ON c.ref = m.conversation_ref"
            " WHERE c.id = :id ORDER BY m.sent_at, m.ref",
            id=str(ticket["id"]),
        )
        return [(row.author, row.text) for row in rows]


@pytest.fixture
def zendesk_description(request: pytest.FixtureRequest) -> Path | None:
    """Zendesk's description of its API; without the reference material the path is proven unjudged."""
    try:
        reference: Path = request.getfixturevalue("reference")
    except pytest.skip.Exception:
        return None
    return amended(reference / "vendor-specs" / "zendesk" / "support-oas-2.0.0.json")


@pytest.fixture
async def zendesk_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], zendesk_description: Path | None
) -> AsyncIterator[ZendeskBridge]:
    """A bridge between a Zendesk account and the house; no request may break the description."""
    vendor_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    account = ZendeskAccount(f"{url}/hooks/support")
    if zendesk_description:
        from judge import Judge  # noqa: PLC0415 - slow to import; only these tests pay for it

        account.door.vendor = Judge(zendesk_description, account)
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", **SETTINGS, "api_channel": "live"}
    usual: dict[str, Any] = {
        "connections": {"support": {"adapter": "zendesk", "settings": there}},
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
    }
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    app = create_app(settings)
    async with AsyncExitStack() as stack:
        vendor_url = await stack.enter_async_context(serving(account.door, vendor_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        await stack.enter_async_context(account.post)
        yield ZendeskBridge(
            helpdesk=account,
            helpdesk_url=vendor_url,
            url=url,
            settings=settings,
            http=http,
            house=app.state.house,
        )
    assert account.door.objections == []
