"""Promises 6 and 7: two helpdesks under random edits and faults end equal, and then it is quiet."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from support.mirrored import CASE_FIELDS, SIDES, Mirrored, mirroring

from adapters.vendors.memory.faults import Fault
from gateway.fieldwork import catch_up
from gateway.keys import new_key
from gateway.pulling import Puller
from gateway.reconciling import reconcile

CUSTOMERS = 3
WRITE_FAULTS = (Fault.ERROR, Fault.ERROR_AFTER, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.TIME_OUT_AFTER)
WEBHOOK_FAULTS = (Fault.DROP, Fault.DUPLICATE, Fault.REORDER)
VALUES: dict[str, tuple[Any, ...]] = {
    "city": ("Oslo", "Bergen", "Lima", None),
    "stage": ("lead", "trial", "paying"),
    "tier": ("gold", "silver", None),
    "vip": ("yes", "no"),
}

CASE_VALUES: dict[str, tuple[Any, ...]] = {
    "status": ("pending", "open", "snoozed", "resolved"),
    "subject": ("Parcel", "Refund", ""),
    "order": ("12", "13", None),
    "level": ("low", "high", None),
}


def spoil(mirrored: Mirrored, dice: random.Random) -> None:
    """Let both sides misbehave: a third of the webhooks and of the writes go wrong somehow."""
    for helpdesk in mirrored.sides.values():
        for fault in WEBHOOK_FAULTS:
            helpdesk.misbehave(fault, times=None, chance=0.12, seconds=dice.choice([0.05, 0.3]))
        for fault in WRITE_FAULTS:
            helpdesk.misbehave(fault, times=None, chance=0.08, method="PATCH", seconds=0.05)
            helpdesk.misbehave(fault, times=None, chance=0.08, method="POST", path="/tags", seconds=0.05)


def edit(mirrored: Mirrored, dice: random.Random) -> None:
    """One edit by a person at one side."""
    side, number = dice.choice(SIDES), dice.randint(1, CUSTOMERS)
    attributes = mirrored.customer(side, number).attributes
    match dice.choice(["name", "labels", "notes", *CASE_VALUES, "tags", "flags", *VALUES]):
        case "status":
            mirrored.move(side, dice.choice(CASE_VALUES["status"]), number)
        case "subject":
            mirrored.call(side, dice.choice(CASE_VALUES["subject"]), number)
        case "order" | "level" as field:
            mirrored.note(side, number, **{field: dice.choice(CASE_VALUES[field])})
        case "flags":
            mirrored.note(side, number, flags=dice.sample("abcd", dice.randint(0, 3)) or None)
        case "tags":
            mirrored.tag(side, *dice.sample("abcd", dice.randint(0, 3)), number=number)
        case "name":
            customer = mirrored.customer(side, number)
            name = dice.choice(["Mei", "Lin", "Mei Lin"])
            mirrored.sides[side].state.change_customer(customer, by="agent", name=name)
        case "labels":
            chosen = dice.sample("abcd", dice.randint(0, 3))
            mirrored.edit(side, number, labels=chosen or None)
        case "notes":
            known = attributes.get("notes", [])
            mirrored.edit(side, number, notes=[*known, f"{side} {dice.randint(0, 10**6)}"])
        case field:
            mirrored.edit(side, number, **{field: dice.choice(VALUES[field])})


async def repair(mirrored: Mirrored) -> int:
    """What `deskbridge reconcile` does: compare everything, heal, write what is behind; how many were."""
    house = mirrored.house
    for side in SIDES:
        adapter, pull = house.adapters[side], house.settings.pull
        puller = Puller(engine=house.engine, name=side, adapter=adapter, settings=pull, clock=house.clock)
        await reconcile(puller)
    behind = await catch_up(house.engine, house.settings, new_key=new_key, clock=house.clock)
    await mirrored.settled(within=60)
    return behind


async def disputed(mirrored: Mirrored) -> set[tuple[str, str]]:
    """The fields over which a conflict is open, by customer."""
    found = await mirrored.rows(
        "SELECT right(i.value, 1) AS number, f.field FROM conflict f"
        " JOIN identity i ON i.customer_ref = f.customer_ref AND i.kind = 'vendor'"
        " WHERE f.resolved_at IS NULL"
    )
    return {(row.number, row.field) for row in found}


async def disputed_cases(mirrored: Mirrored) -> set[tuple[str, str, str]]:
    """The conversations over whose fields a conflict is open: connection, id, field."""
    found = await mirrored.rows(
        "SELECT v.connection, v.id, f.field FROM conflict f JOIN conversation v ON v.ref = f.conversation_ref"
        " WHERE f.resolved_at IS NULL"
    )
    return {(row.connection, row.id, row.field) for row in found}


def held(mirrored: Mirrored, side: str, number: int) -> dict[str, Any]:
    """The shared fields of a customer, as comparable values."""
    customer = mirrored.customer(side, number)
    found = {f"attributes.{name}": customer.attributes.get(name) for name in (*VALUES, "notes")}
    labels = sorted(customer.attributes.get("labels") or [])
    return found | {"name": customer.name, "attributes.labels": labels}


def writes(mirrored: Mirrored) -> list[int]:
    """How much each side was written to."""
    return [mirrored.writes(side) + mirrored.case_writes(side) for side in SIDES]


async def run(mirrored: Mirrored, seed: int, edits: int) -> None:
    """Edit under faults; let faults stop; repair once; then all must be quiet and equal."""
    dice = random.Random(seed)
    for number in range(1, CUSTOMERS + 1):
        await mirrored.linked(number)
        await mirrored.case(number)
    spoil(mirrored, dice)
    for _ in range(edits):
        edit(mirrored, dice)
        await asyncio.sleep(dice.choice([0, 0, 0.01, 0.05]))
    for helpdesk in mirrored.sides.values():
        helpdesk.behave()
    await mirrored.settled(within=60)
    await repair(mirrored)
    before = writes(mirrored)
    assert await repair(mirrored) == 0, f"seed {seed}: one repair did not do"
    assert writes(mirrored) == before, f"seed {seed}: traffic went on"
    open_ones, open_cases = await disputed(mirrored), await disputed_cases(mirrored)
    for number in range(1, CUSTOMERS + 1):
        crm, shop = (held(mirrored, side, number) for side in SIDES)
        unequal = {name for name in crm if crm[name] != shop[name]}
        left = {name for name in unequal if (str(number), name) not in open_ones}
        for name in CASE_FIELDS:
            if any((side, mirrored.cases[side, number].id, name) in open_cases for side in SIDES):
                continue
            assert len(set(map(str, mirrored.says(name, number)))) == 1, f"seed {seed}: {number}: {name}"
        assert not left, f"seed {seed}: {number}: {[(name, crm[name], shop[name]) for name in left]}"
    parked = await mirrored.rows("SELECT kind, reason FROM command WHERE state = 'parked'")
    assert parked == [], f"seed {seed}"


@pytest.mark.usefixtures("writing")
@pytest.mark.parametrize("seed", [1, 2])
async def test_two_mirrored_helpdesks_end_equal_and_quiet(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    """Webhooks dropped, doubled, late; writes that fail, work unheard, or time out."""
    async with mirroring(database_url, tmp_path) as mirrored:
        await run(mirrored, seed, edits=60)


@pytest.mark.faults
@pytest.mark.usefixtures("writing")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 112))
async def test_many_mirrored_helpdesks_end_equal_and_quiet(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    """The same for longer, and for many seeds."""
    async with mirroring(database_url, tmp_path) as mirrored:
        await run(mirrored, seed, edits=400)
