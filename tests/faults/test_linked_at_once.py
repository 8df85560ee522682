"""One case worked by two worker processes while both sides are edited: no edit is lost, and no deadlock."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import yaml
from support.bridge import eventually
from support.mirrored import SIDES, Mirrored, mirroring

from gateway import links
from sync.cases import RefusedLinkError
from sync.store import workers

FIELDS = {
    "conversation": {
        "tags": {"merge": "union"},
        "status": {"merge": "newest"},
        "attributes.log": {"merge": "append"},
        "attributes.marks": {"merge": "union"},
    }
}
CASES = 3
EDITS = 150
STATUSES = ("pending", "open", "snoozed", "resolved")


@pytest.fixture
async def apart(database_url: str, tmp_path: Path) -> AsyncIterator[Mirrored]:
    """Two helpdesks, and a gateway whose workers are processes of the test."""
    async with mirroring(database_url, tmp_path, worker_inside=False, fields=FIELDS) as found:
        yield found
        await asyncio.sleep(0)


@pytest.fixture
def settings_file(apart: Mirrored, tmp_path: Path) -> Path:
    """The settings, for a worker in another process."""
    path = tmp_path / "deskbridge.yaml"
    tree = apart.house.settings.model_dump(mode="json", exclude={"config", "policies"}, exclude_none=True)
    path.write_text(yaml.safe_dump(tree | {"log_level": "ERROR"}), encoding="utf-8")
    return path


def edit(mirrored: Mirrored, dice: random.Random, done: list[tuple[int, str]]) -> None:
    """Somebody at one side adds something of their own to a field; what was there stays."""
    side, number, mark = dice.choice(SIDES), dice.randint(1, CASES), f"edit {len(done)}"
    case, state = mirrored.cases[side, number], mirrored.sides[side].state
    match dice.choice(["tags", "log", "marks", "status"]):
        case "tags":
            state.change_tags(case, by="agent", add=[mark])
            done.append((number, mark))
        case "status":
            mirrored.move(side, dice.choice(STATUSES), number)
        case field:
            mirrored.note(side, number, **{field: [*case.attributes.get(field, []), mark]})
            done.append((number, mark))


async def unsettle(mirrored: Mirrored, refs: tuple[int, int]) -> None:
    """Unlink and link a case again and again."""
    while True:
        for act in (links.unlink, links.link):
            try:
                async with mirrored.house.engine.begin() as connection:
                    await act(mirrored.house, connection, *refs[: 2 if act is links.link else 1])
            except RefusedLinkError:
                pass  # it was being changed just then
            await asyncio.sleep(0.1)


def found(mirrored: Mirrored, side: str, number: int) -> list[str]:
    """Everything that was added to a case, as one side shows it."""
    case = mirrored.cases[side, number]
    added = [*case.tags, *case.attributes.get("log", []), *case.attributes.get("marks", [])]
    return sorted(added)


@pytest.mark.timeout(180)
async def test_no_edit_of_a_linked_case_is_lost_between_two_workers(
    apart: Mirrored, start: Callable[..., Popen[bytes]]
) -> None:
    """Both sides are edited at once, a link comes and goes; all that anybody added is at both, once."""
    dice, done = random.Random(5), list[tuple[int, str]]()

    async def both_at_work() -> bool:
        async with apart.house.engine.connect() as connection:
            return await workers.count_workers(connection) == 2

    for _ in range(2):
        start()
    await eventually(both_at_work, what="two workers at work", within=40)
    refs = [await apart.case(number) for number in range(1, CASES + 1)]
    restless = asyncio.create_task(unsettle(apart, refs[-1]))
    for _ in range(EDITS):
        edit(apart, dice, done)
        await asyncio.sleep(dice.choice([0, 0, 0.01, 0.05]))
    restless.cancel()
    await asyncio.gather(restless, return_exceptions=True)
    async with apart.house.engine.begin() as connection:
        await links.link(apart.house, connection, *refs[-1])
    await apart.settled(within=60)
    for number in range(1, CASES + 1):
        added = sorted(mark for where, mark in done if where == number)
        assert [found(apart, side, number) for side in SIDES] == [added, added]
        assert len(set(apart.says("status", number))) == 1
    await nobody_got_in_a_ring(apart)


async def nobody_got_in_a_ring(mirrored: Mirrored) -> None:
    """Neither PostgreSQL nor we had to break up a deadlock, and nothing was set aside."""
    (row,) = await mirrored.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert row.deadlocks == 0
    parked = await mirrored.rows("SELECT kind, reason FROM command WHERE state = 'parked'")
    assert parked == []
    refused: list[Any] = [
        entry.status for side in SIDES for entry in mirrored.sides[side].requests if entry.status == 412
    ]
    assert refused, "nobody was ever faster than us: nothing was shown"
