"""The bridge with a Zendesk on its other side: a real HTTP server whose every request is judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, housed
from vendors.zendesk import SETTINGS, Raw
from vendors.zendesk_description import amended
from vendors.zendesk_webhooks import ZendeskAccount

from config.settings import Settings


@dataclass
class ZendeskBridge(Bridge):
    """A running bridge with a Zendesk account on its other side."""

    helpdesk: ZendeskAccount  # type: ignore[assignment]

    async def lease(self, ticket: Raw) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        return await self.lease_of(str(ticket["id"]))

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


def judged(account: ZendeskAccount, specs: Path | None) -> None:
    """Put Zendesk's description before the account: no request may break it."""
    if specs is not None:
        from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

        account.door.vendor = Judge(amended(specs / "zendesk" / "support-oas-2.0.0.json"), account)


@pytest.fixture
async def zendesk_bridge(
    knowledge_url: str, tmp_path: Path, overrides: dict[str, Any], specs: Path | None
) -> AsyncIterator[ZendeskBridge]:
    """A bridge between a Zendesk account and the house; no request may break the description."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    account = ZendeskAccount(f"{url}/hooks/support")
    judged(account, specs)
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", **SETTINGS, "api_channel": "live"}
    usual = QUICK | {"connections": {"support": {"adapter": "zendesk", "settings": there}}}
    settings = Settings(database_url=knowledge_url, data_dir=tmp_path, public_url=url, **usual | overrides)
    async with housed(settings, (account.door, vendor_port)) as parts, account.post:
        yield ZendeskBridge(helpdesk=account, helpdesk_url=there["base_url"], **parts)
    assert account.door.objections == []
