"""Conflicts over shared fields: both edits kept, decided by a person through API or CLI, undone."""

import asyncio
from typing import Any

import httpx
import pytest
from support.desk import MEI, open_api
from support.mirrored import SIDES, Mirrored
from typer.testing import CliRunner

from gateway.cli import app

BY = {"agent": MEI}


@pytest.fixture
async def api(mirrored: Mirrored) -> httpx.AsyncClient:
    """The API, with a key that opens all of it."""
    return await open_api(mirrored)


def held(mirrored: Mirrored) -> list[Any]:
    """What each side says of the field over which a person is asked."""
    return [mirrored.customer(side).attributes.get("vip") for side in SIDES]


async def dispute(mirrored: Mirrored, api: httpx.AsyncClient) -> dict[str, Any]:
    """A conflict: both sides were edited before either heard of the other."""
    await mirrored.linked(attributes={"vip": "no"})
    mirrored.edit("crm", vip="gold")
    mirrored.edit("shop", vip="silver")
    await mirrored.settled()
    page = (await api.get("/v1/conflicts")).json()
    (conflict,) = page["items"]
    found: dict[str, Any] = conflict
    return found


async def test_two_edits_that_no_rule_decides_are_kept(mirrored: Mirrored, api: httpx.AsyncClient) -> None:
    """With whose they are and when they were made; neither side is overwritten meanwhile."""
    conflict = await dispute(mirrored, api)
    assert held(mirrored) == ["gold", "silver"]
    sides = {conflict[name]["connection"]: conflict[name] for name in ("ours", "theirs")}
    assert {name: side["value"] for name, side in sides.items()} == {"crm": "gold", "shop": "silver"}
    assert all(side["at"] and side["by"] == "agent" for side in sides.values())
    assert (conflict["field"], conflict["base"], conflict["choice"]) == ("attributes.vip", "no", None)
    mirrored.edit("shop", city="Oslo")
    await mirrored.settled()
    assert held(mirrored) == ["gold", "silver"]
    assert mirrored.customer("crm").attributes["city"] == "Oslo"
    assert "deskbridge_open_conflicts 1.0" in (await api.get("/metrics")).text


@pytest.mark.parametrize(
    ("decision", "value"),
    [
        ({"choice": "ours"}, None),
        ({"choice": "theirs"}, None),
        ({"choice": "value", "value": "both"}, "both"),
    ],
)
async def test_the_decision_is_written_to_all_sides_and_undone(
    mirrored: Mirrored, api: httpx.AsyncClient, decision: dict[str, Any], value: str | None
) -> None:
    """Undone, each side has what it had, and the conflict is open again."""
    conflict = await dispute(mirrored, api)
    expected = value or conflict[decision["choice"]]["value"]
    path = f"/v1/conflicts/{conflict['ref']}"
    answer = await api.post(f"{path}/resolve", json=BY | decision)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["resolved_by"], answer.json()["choice"]) == (MEI["id"], decision["choice"])
    await mirrored.settled()
    assert held(mirrored) == [expected, expected]
    assert (await api.get("/v1/conflicts")).json()["items"] == []
    again = await api.post(f"{path}/resolve", json=BY | decision)
    assert again.status_code == 409, again.text
    undone = await api.post(f"{path}/undo", json={"agent": {"id": "lin"}})
    assert undone.status_code == 200, undone.text
    await mirrored.settled()
    assert held(mirrored) == ["gold", "silver"]
    open_again = (await api.get(path)).json()
    assert (open_again["resolved_at"], open_again["choice"]) == (None, None)
    (earlier,) = open_again["undone"]
    assert (earlier["choice"], earlier["resolved_by"]) == (decision["choice"], MEI["id"])
    assert (earlier["resolved_at"], earlier["undone_by"]) == (answer.json()["resolved_at"], "lin")
    assert earlier["undone_at"] > earlier["resolved_at"]


async def test_every_decision_that_was_undone_is_remembered(
    mirrored: Mirrored, api: httpx.AsyncClient
) -> None:
    """Decided, undone, decided otherwise, undone again: in that order."""
    conflict = await dispute(mirrored, api)
    path = f"/v1/conflicts/{conflict['ref']}"
    for choice in ("ours", "theirs"):
        assert (await api.post(f"{path}/resolve", json=BY | {"choice": choice})).status_code == 200
        await mirrored.settled()
        assert (await api.post(f"{path}/undo", json=BY)).status_code == 200
        await mirrored.settled()
    (found,) = (await api.get("/v1/conflicts")).json()["items"]
    assert [each["choice"] for each in found["undone"]] == ["ours", "theirs"]


async def test_a_decision_is_not_undone_over_a_later_edit(mirrored: Mirrored, api: httpx.AsyncClient) -> None:
    """It would be lost."""
    conflict = await dispute(mirrored, api)
    path = f"/v1/conflicts/{conflict['ref']}"
    await api.post(f"{path}/resolve", json=BY | {"choice": "ours"})
    await mirrored.settled()
    mirrored.edit("shop", vip="platinum")
    await mirrored.settled()
    assert held(mirrored) == ["platinum", "platinum"]
    refused = await api.post(f"{path}/undo", json=BY)
    assert (refused.status_code, "edited since" in refused.json()["detail"]) == (409, True)


async def test_sides_that_come_to_agree_need_no_decision(mirrored: Mirrored, api: httpx.AsyncClient) -> None:
    """The conflict is closed, and says so."""
    conflict = await dispute(mirrored, api)
    mirrored.edit("crm", vip="silver")
    await mirrored.settled()
    assert (await api.get(f"/v1/conflicts/{conflict['ref']}")).json()["choice"] == "agreed"
    assert held(mirrored) == ["silver", "silver"]


async def test_conflicts_are_seen_and_decided_from_the_command_line(
    mirrored: Mirrored, api: httpx.AsyncClient
) -> None:
    """List, show, resolve, undo."""
    conflict = await dispute(mirrored, api)
    environment = {
        "DESKBRIDGE_URL": str(mirrored.http.base_url),
        "DESKBRIDGE_API_KEY": api.headers["Authorization"].removeprefix("Bearer "),
        "DESKBRIDGE_AGENT": "mei",
        "COLUMNS": "200",
    }

    async def say(*words: str, code: int = 0) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["conflicts", *words], env=environment)
        assert done.exit_code == code, done.output
        return str(done.output)

    ref = str(conflict["ref"])
    assert '"gold"' in await say("list")
    assert "attributes.vip" in await say("show", ref)
    assert "is not JSON" in await say("resolve", ref, "value", "--value", "both", code=2)
    assert "value by mei" in await say("resolve", ref, "value", "--value", '"both"')
    await mirrored.settled()
    assert held(mirrored) == ["both", "both"]
    undone = await say("undo", ref)
    assert "open" in undone
    assert "undone by mei" in undone
    assert "no conflicts" in await say("list", "--state", "resolved")


async def test_an_unknown_conflict_is_404(mirrored: Mirrored, api: httpx.AsyncClient) -> None:
    """Looked at or decided."""
    assert mirrored.writes("crm") == 0
    assert (await api.get("/v1/conflicts/7")).status_code == 404
    decided = await api.post("/v1/conflicts/7/resolve", json=BY | {"choice": "ours"})
    assert decided.status_code == 404
