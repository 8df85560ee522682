"""One process leads: it runs the recurring jobs. Its session's lock says so, and dies with it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway import store

log = structlog.get_logger()
LOOK_EVERY = 1.0
MISSED_FOR = timedelta(seconds=10)
"""A leader that says nothing for so long has frozen: the server ends its session, and another one leads."""

Job = Callable[[], Awaitable[None]]


class Leader:
    """Runs each job at its interval while this process leads; stands by otherwise."""

    def __init__(self, engine: AsyncEngine, jobs: dict[str, tuple[Job, timedelta]]) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._jobs = jobs

    async def run(self) -> None:
        """Stand for leader until cancelled."""
        while True:
            try:
                async with self._engine.connect() as connection:
                    await store.end_when_frozen(connection, MISSED_FOR)
                    try:
                        await self._lead(connection)
                    finally:
                        # The pool keeps the session, and a session keeps its lock and its settings.
                        await connection.invalidate()
            except (DBAPIError, OSError, TimeoutError) as error:
                log.warning("leading_ended", error=repr(error))
                await asyncio.sleep(LOOK_EVERY)

    async def _lead(self, connection: AsyncConnection) -> None:
        # Polled: waiting in the database would hold a transaction open for good.
        while not await store.try_to_lead(connection):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        log.info("leading")
        scheduler = self._start()
        try:
            while True:
                await store.touch(connection)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            scheduler.shutdown(wait=False)

    def _start(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(timezone="UTC")
        for name, (job, every) in self._jobs.items():
            scheduler.add_job(
                _guarded,
                "interval",
                name=name,
                args=[name, job],
                seconds=every.total_seconds(),
                max_instances=1,
                coalesce=True,
            )
        scheduler.start()
        return scheduler


async def _guarded(name: str, job: Job) -> None:
    try:
        await job()
    except asyncio.CancelledError:
        log.info("job_ended", job=name)  # with our lead; the scheduler would tell it as an error
    except Exception as error:  # noqa: BLE001 - the next round tries again
        log.error("job_failed", job=name, error=repr(error))
