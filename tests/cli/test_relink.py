"""`deskbridge customers relink`, as an operator has it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.connected import ConnectedBridge


@pytest.fixture
def trusting(connected: ConnectedBridge, config: Path) -> ConnectedBridge:
    """The command's settings are the bridge's, but for one: the CRM is trusted by now."""
    tree = connected.settings.model_dump(mode="json", exclude={"config", "policies"}, exclude_none=True)
    tree["identity"]["trust"] = ["crm"]
    config.write_text(yaml.safe_dump({**tree, "log_level": "ERROR"}), encoding="utf-8")
    return connected


async def test_it_says_whom_it_would_link_and_whom_it_has_linked(
    trusting: ConnectedBridge, run: Callable[..., Any]
) -> None:
    """The settings have changed since the addresses came; in plain lines, for it is no terminal here."""
    trusting.helpdesk.customer_says("cus_1", "Hello", email="ann@example.com", verified=["email"])
    trusting.crm.customer_says("crm_1", "Hello", email="ann@example.com")
    await trusting.settled()

    async def command(*arguments: str) -> str:
        ran = await asyncio.to_thread(run, *arguments, database=str(trusting.settings.database_url))
        assert ran.returncode == 0, ran.stderr
        return str(ran.stdout).strip()

    would = await command("customers", "relink", "--dry-run")
    assert would == "2 customers compared; would be linked: 1 by email"
    assert len(await trusting.parties()) == 2
    assert await command("customers", "relink") == "2 customers compared; linked: 1 by email"
    assert len(await trusting.parties()) == 1
    assert await command("customers", "relink") == "2 customers compared; linked: nobody"
