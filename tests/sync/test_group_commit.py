"""Group commit: together, in order, and failing together."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta

import pytest

from sync.group_commit import GroupCommit


async def test_what_arrives_while_one_is_written_is_written_together() -> None:
    """The first goes alone; those that came meanwhile share a batch, in order."""
    batches: list[list[int]] = []

    async def write(_: None, items: list[int]) -> Sequence[int]:
        batches.append(items)
        await asyncio.sleep(0.01)
        return [item * 10 for item in items]

    group = GroupCommit(nullcontext, write, most=4)
    first = group.submit(0)
    await asyncio.sleep(0)
    rest = [group.submit(number) for number in range(1, 7)]
    assert await asyncio.gather(first, *rest) == [0, 10, 20, 30, 40, 50, 60]
    assert batches == [[0], [1, 2, 3, 4], [5, 6]]


async def test_a_failed_write_fails_everybody_who_waits_and_nobody_later() -> None:
    """Each has a sender who will try again; the next write is a fresh start."""
    broken = True

    async def write(_: None, items: list[int]) -> Sequence[int]:
        await asyncio.sleep(0.01)
        if broken:
            raise ConnectionError("no database")
        return items

    group = GroupCommit(nullcontext, write, most=2)
    results = await asyncio.gather(*(group.submit(number) for number in range(5)), return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)
    broken = False
    assert await group.submit(7) == 7


async def test_a_write_that_takes_too_long_is_given_up() -> None:
    """A sender is told in time, whatever the database does."""

    async def write(_: None, items: list[int]) -> Sequence[int]:
        await asyncio.sleep(5)
        return items

    group = GroupCommit(nullcontext, write, limit=timedelta(seconds=0.05))
    with pytest.raises(TimeoutError):
        await group.submit(1)
