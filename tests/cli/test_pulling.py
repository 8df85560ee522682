"""`deskbridge backfill` and `deskbridge reconcile`, as an operator has them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.bridge import Bridge
from support.pulling import seed

from config.settings import Settings

Ran = Callable[..., str]


@pytest.fixture
def served(quiet: Bridge, config: Path) -> Settings:
    """The command's settings are the bridge's."""
    tree = quiet.settings.model_dump(mode="json", exclude={"config", "policies"}, exclude_none=True)
    config.write_text(yaml.safe_dump({**tree, "log_level": "ERROR"}), encoding="utf-8")
    return quiet.settings


async def test_it_tells_what_it_imported_and_what_it_compared(
    quiet: Bridge, run: Callable[..., object], served: Settings
) -> None:
    """In plain lines, for it is no terminal here; the report can be read again."""
    seed(quiet.helpdesk, 25)

    async def command(*arguments: str) -> str:
        ran = await asyncio.to_thread(run, *arguments, database=str(served.database_url))
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    said = len(quiet.helpdesk.messages)
    told = await command("backfill", "shop")
    assert told.strip() == f"backfill 1 of shop: 16 customers, 25 conversations, {said} messages"
    one = next(iter(quiet.helpdesk.state.conversations))
    quiet.helpdesk.change_tags(one, add=["lost"])
    assert "never reconciled" in await command("reconcile", "--last")
    told = await command("reconcile", "shop")
    lines = told.strip().splitlines()
    assert lines[0].startswith(f"shop: {16 + 25 + said} compared, 1 differed: 1 healed (")
    assert lines[1].strip() == f"conversations {one}: tags: healed"
    assert await command("reconcile", "--last") == told


async def test_what_stops_it_is_told_with_the_cure(
    quiet: Bridge, run: Callable[..., object], served: Settings
) -> None:
    """Exit code 1, the reason, and the command that goes on."""
    quiet.helpdesk.misbehave("error", times=None, status=403)
    ran = await asyncio.to_thread(run, "backfill", "shop", database=str(served.database_url))
    assert ran.returncode == 1
    assert "answered 403" in ran.stderr
    assert "nothing is lost; to go on: deskbridge backfill shop" in ran.stderr


def test_an_unknown_connection_is_refused(refused: Ran) -> None:
    """With the names that there are."""
    assert "no connection is called 'shop'; the settings name: none" in refused("backfill", "shop")


def test_a_time_that_is_none_is_refused(run: Callable[..., object]) -> None:
    """With an example."""
    ran = run("backfill", "shop", "--since", "yesterday")
    assert ran.returncode == 2
    assert "2026-11-11" in ran.stderr
