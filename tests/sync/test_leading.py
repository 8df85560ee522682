"""What becomes of the recurring jobs when the lead ends."""

import asyncio
import logging
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from support.bridge import eventually

from gateway.leader import Leader


async def test_a_job_that_ends_with_the_lead_is_no_error(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is cancelled, and the scheduler has nothing to tell of it."""
    begun = asyncio.Event()
    ended: list[str] = []

    async def job() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    engine = create_async_engine(database_url)
    leading = asyncio.create_task(Leader(engine, {"long": (job, timedelta(seconds=0.1))}).run())
    await asyncio.wait_for(begun.wait(), 10)
    leading.cancel()
    await eventually(lambda: ended, what="the job ends")
    await asyncio.sleep(0)
    await engine.dispose()
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
