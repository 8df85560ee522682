"""The workers that live: each shows it by a lock that lasts as long as its session."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Direct
from sync.tables import worker_number

WORKERS = 0x6465736B  # "desk": the class of the advisory locks by which workers show that they live


_MISSING = Direct(
    text("""
SELECT DISTINCT c.claimed_by FROM command c
WHERE c.state = 'in_flight' AND c.claimed_by <> :worker AND NOT EXISTS (
    SELECT 1 FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = :workers AND l.objid = c.claimed_by
      AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")
)


async def missing_workers(connection: AsyncConnection, *, worker: int) -> list[int]:
    """The workers, but for the one who asks, who hold commands and show no sign of life now."""
    return await _MISSING.values(connection, {"worker": worker, "workers": WORKERS})


_WORKERS = Direct(
    text("""
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :workers AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
)


async def count_workers(connection: AsyncConnection) -> int:
    """How many workers live."""
    return int((await _WORKERS.values(connection, {"workers": WORKERS}))[0])


async def enlist(connection: AsyncConnection) -> int:
    """A number for this worker, shown alive by a lock that lasts as long as the session."""
    number: int = await connection.scalar(worker_number.next_value())
    await show_alive(connection, number)
    return number


async def show_alive(connection: AsyncConnection, number: int) -> None:
    """Take the worker's lock in this session."""
    await connection.execute(
        text("SELECT pg_advisory_lock(:workers, :number)"), {"workers": WORKERS, "number": number}
    )
