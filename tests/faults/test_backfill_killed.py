"""kill -9 of the real `deskbridge backfill` at any moment: nothing lost, nothing twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from support.bridge import Bridge
from support.pulling import held, seed, stored

ROOT = Path(__file__).parent.parent.parent


async def backfill(settings_file: Path, *, kill_after: float | None = None) -> int:
    """Run the command; killed after so many seconds, unless it ends before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "backfill",
        "shop",
        "--config",
        str(settings_file),
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if kill_after is not None:
        try:
            await asyncio.wait_for(process.wait(), kill_after)
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
    return await asyncio.wait_for(process.wait(), 60)


@pytest.mark.parametrize(
    ("conversations", "kills"), [(80, 2), pytest.param(2000, 25, marks=pytest.mark.faults)]
)
async def test_killed_at_random_moments_it_goes_on_where_it_was(
    quiet: Bridge, settings_file: Path, conversations: int, kills: int
) -> None:
    """Each time another process takes up the same run; at the end both sides are equal, and nothing acted."""
    seed(quiet.helpdesk, conversations)
    chance = random.Random(conversations)
    # Slow pages, so that there is something to interrupt.
    quiet.helpdesk.misbehave("slow", times=None, chance=0.2, seconds=0.05)
    died = 0
    while died < kills:
        status = await backfill(settings_file, kill_after=chance.uniform(1.2, 3.5))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        died += 1
    quiet.helpdesk.behave()
    if died == kills:
        assert await backfill(settings_file) == 0
    assert died > 0, "it was never interrupted: the test shows nothing"
    await quiet.settled()
    assert await stored(quiet) == held(quiet.helpdesk)
    # A process may be killed on its way out, when the run is over: only then is there another.
    runs = await quiet.rows("SELECT started_at, ended_at, state FROM pull_run ORDER BY ref")
    assert {run.state for run in runs} == {"done"}
    for run, following in pairwise(runs):
        assert run.ended_at <= following.started_at, "a run that was broken off is gone on with"
    for table in ("turn", "command", "decision"):
        assert await quiet.rows(f"SELECT 1 FROM {table}") == []
    doubled = await quiet.rows("SELECT 1 FROM message GROUP BY conversation_ref, id HAVING count(*) > 1")
    assert doubled == []
