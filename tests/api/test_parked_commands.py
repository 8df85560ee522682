"""`deskbridge parked …`, as an engineer types it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from support.bridge import Bridge
from support.desk import NewKey
from support.parked import listed, park_reply
from typer.testing import CliRunner

from gateway.access import Scope
from gateway.cli import app
from gateway.commands import terminal

Type = Callable[..., Awaitable[Any]]


@pytest.fixture
async def type_parked(bridge: Bridge, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types `deskbridge parked …` with a key that may; it speaks HTTP with the running bridge."""
    key = await new_key(Scope.OPERATE, Scope.READ, name="night")
    monkeypatch.setattr(terminal.out, "_width", 200)

    async def run(*words: str) -> Any:
        environment = {"DESKBRIDGE_URL": bridge.url, "DESKBRIDGE_API_KEY": key}
        return await asyncio.to_thread(CliRunner().invoke, app, ["parked", *words], env=environment)

    return run


def _sent(bridge: Bridge) -> list[Any]:
    return [m for m in bridge.helpdesk.messages if m.author == "bot"]


async def test_one_is_listed_shown_tried_out_and_replayed(
    bridge: Bridge, api: httpx.AsyncClient, type_parked: Type
) -> None:
    """What the engineer does at night, from the alert to the customer's answer."""
    await park_reply(bridge)
    (item,) = await listed(api)
    table = await type_parked("list", "--reason", "rejected")
    assert table.exit_code == 0, table.stderr
    assert all(word in table.stdout for word in (item["id"], "shop", "reply", "422"))
    shown = await type_parked("show", item["id"])
    assert all(word in shown.stdout for word in ("cure", "attempt 1", "rejected 422", "behind it", '"text"'))
    would = await type_parked("replay", item["id"], "--dry-run")
    assert f"{item['id']} would be sent to shop" in would.stdout
    assert _sent(bridge) == []
    done = await type_parked("replay", item["id"], "--why", "they mended it")
    assert done.exit_code == 0, done.stderr
    await bridge.settled()
    assert len(_sent(bridge)) == 1
    (act,) = await bridge.rows("SELECT by, why FROM parking_act")
    assert tuple(act) == ("night", "they mended it")
    again = await type_parked("replay", item["id"])
    assert (again.exit_code, "not parked but done" in again.stderr) == (1, True)
    assert "nothing is parked" in (await type_parked("list")).stdout


async def test_many_are_replayed_by_a_filter_and_some_are_dropped(
    bridge: Bridge, api: httpx.AsyncClient, type_parked: Type
) -> None:
    """A replay without ids or filter is refused; a dry run counts; a drop needs its reason."""
    for number in range(3):
        await park_reply(bridge, f"cus_{number}")
    first, *others = [item["id"] for item in await listed(api)]
    bare = await type_parked("replay")
    assert (bare.exit_code, "--all" in bare.stderr) == (2, True)
    assert (await type_parked("list", "--older-than", "soon")).exit_code == 2
    assert (await type_parked("drop", first)).exit_code == 2
    dropped = await type_parked("drop", first, "--why", "told on the phone")
    assert f"{first} is dropped" in dropped.stdout
    would = await type_parked("replay", "--connection", "shop", "--dry-run")
    assert "2 would be replayed, 0 left out" in would.stdout
    done = await type_parked("replay", "--connection", "shop", "--per-second", "50")
    assert "2 replayed, 0 left out" in done.stdout, done.stderr
    await bridge.settled()
    assert len(_sent(bridge)) == len(others)
