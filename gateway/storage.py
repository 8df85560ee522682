"""Stored bodies age out: partitions made ahead, dropped by policy. Run by the leader, once an hour."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync.store import payloads
from sync.store.payloads import Partition

log = structlog.get_logger()
EVERY = timedelta(hours=1)
DAYS_AHEAD = 7
SAVE_AT_MOST = 500
"""Of a day whose bodies are still needed by more events than this, the partition is kept."""
LOCK_LIMIT = timedelta(milliseconds=100)
"""Far below what a webhook may wait for its commit, so that none fails because of us."""
LOCK_NOT_AVAILABLE = "55P03"
TRIES = 20
PAUSE = 0.5
SWEEP_BATCH = 1_000
SWEEP_BATCHES = 100


async def age_payloads(engine: AsyncEngine, keep: timedelta) -> None:
    """Make the partitions of the days to come, and drop those whose bodies are all older than `keep`.

    The database's clock counts: one process whose own is ahead must not drop anything early.
    """
    await make_ahead(engine)
    async with engine.connect() as connection:
        before = await payloads.moment(connection) - keep
        old = [p for p in await payloads.partitions(connection) if p.end <= before]
    for partition in old:
        await _patiently(engine, partition, _drop)
    await _sweep(engine, before)


async def make_ahead(engine: AsyncEngine) -> None:
    """Make the missing partitions of today and the days after it."""
    async with engine.connect() as connection:
        today = (await payloads.moment(connection)).date()
        there = {partition.day for partition in await payloads.partitions(connection)}
    days = [today + timedelta(days=n) for n in range(DAYS_AHEAD + 1)]
    for day in days:
        if day not in there:
            await _patiently(engine, payloads.partition_of(day), _add)


async def _add(connection: AsyncConnection, partition: Partition) -> None:
    await payloads.add(connection, partition)
    log.info("payload_partition_made", partition=partition.name)


async def _drop(connection: AsyncConnection, partition: Partition) -> None:
    dropped = await payloads.drop(connection, partition, save_at_most=SAVE_AT_MOST)
    if dropped.gone:
        log.info("payload_partition_dropped", partition=partition.name, saved=dropped.saved)
    else:
        log.warning("payload_partition_kept", partition=partition.name, why="too many of its events wait")


async def _patiently(
    engine: AsyncEngine,
    partition: Partition,
    work: Callable[[AsyncConnection, Partition], Awaitable[None]],
) -> None:
    """Do it in a transaction of its own, trying again while the table is in use."""
    for _ in range(TRIES):
        try:
            async with engine.begin() as connection:
                await payloads.be_brief(connection, LOCK_LIMIT)
                await work(connection, partition)
        except IntegrityError:
            log.warning(
                "payload_partition_late", partition=partition.name, cure="its bodies stay in the default"
            )
            return
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        else:
            return
        await asyncio.sleep(PAUSE)
    log.warning("payload_partition_busy", partition=partition.name, cure="tried again in an hour")


async def _sweep(engine: AsyncEngine, before: datetime) -> None:
    for _ in range(SWEEP_BATCHES):
        async with engine.begin() as connection:
            swept = await payloads.sweep_default(connection, before=before, most=SWEEP_BATCH)
        if swept < SWEEP_BATCH:
            return
        await asyncio.sleep(PAUSE)
