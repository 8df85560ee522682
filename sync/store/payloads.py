"""The bodies of events, in partitions by day of receipt (UTC): made ahead, dropped when they are old.

`payload_default` takes what no day's partition takes, so storing never fails for want of one. It is also
where bodies go that an event still needs when its day is dropped. Locks are waited for briefly: the
statement that accepts webhooks must not queue up behind us.
"""

from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.inbox import HISTORY, LIVE

DEFAULT = "payload_default"
_NAME = "payload_%Y%m%d"
_DAY = timedelta(days=1)


class Partition(Struct, frozen=True, kw_only=True):
    """One day's bodies."""

    name: str
    day: date

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.day, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.start + _DAY


class Dropped(Struct, frozen=True, kw_only=True):
    """What became of a partition whose time had come: `saved` bodies are needed still and were moved."""

    gone: bool
    saved: int


def partition_of(day: date) -> Partition:
    """The partition of a day."""
    return Partition(name=day.strftime(_NAME), day=day)


async def moment(connection: AsyncConnection) -> datetime:
    """What time it is for the database."""
    now: datetime = await connection.scalar(text("SELECT now()"))
    return now


async def partitions(connection: AsyncConnection) -> list[Partition]:
    """The days that have a partition, oldest first."""
    rows = await connection.execute(
        text("""
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'payload'::regclass AND c.relname <> :default ORDER BY c.relname
        """),
        {"default": DEFAULT},
    )
    return [
        Partition(name=name, day=datetime.strptime(name, _NAME).replace(tzinfo=UTC).date())
        for name in rows.scalars()
    ]


async def be_brief(connection: AsyncConnection, limit: timedelta) -> None:
    """Let this transaction give up rather than wait longer than `limit` for a lock."""
    await connection.execute(
        text("SELECT set_config('lock_timeout', :limit, true)"),
        {"limit": f"{limit.total_seconds() * 1000:.0f}ms"},
    )


async def add(connection: AsyncConnection, partition: Partition) -> None:
    """Make a day's partition.

    It is made beside the table and then attached: that doesn't hold up those who store bodies meanwhile.
    Fails with a check violation when the default partition holds bodies of that day.
    """
    name, start, end = partition.name, partition.start.isoformat(), partition.end.isoformat()
    await connection.execute(text(f"CREATE TABLE {name} (LIKE payload)"))
    await connection.execute(
        text(f"ALTER TABLE payload ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")
    )


# Each part can use its own partial index.
_NEEDED = f"""
(SELECT ref FROM inbox WHERE {LIVE} AND received_at >= :start AND received_at < :end
 UNION ALL
 SELECT ref FROM inbox WHERE {HISTORY} AND received_at >= :start AND received_at < :end
 UNION ALL
 SELECT ref FROM inbox
 WHERE state IN ('parked', 'malformed') AND received_at >= :start AND received_at < :end)
"""  # noqa: S608 - two constants


async def count_needed(connection: AsyncConnection, partition: Partition) -> int:
    """How many events of a day wait or are parked, and need their bodies still."""
    counted: int = await connection.scalar(
        text(f"SELECT count(*) FROM {_NEEDED} AS needed"),  # noqa: S608 - our own names
        {"start": partition.start, "end": partition.end},
    )
    return counted


async def drop(connection: AsyncConnection, partition: Partition, *, save_at_most: int) -> Dropped:
    """Take a day's bodies out of the table and drop them, saving those that are needed.

    When more than `save_at_most` are, nothing happens: moving them would hold up everybody else.
    """
    needed = await count_needed(connection, partition)
    if needed > save_at_most:
        return Dropped(gone=False, saved=0)
    name = partition.name
    await connection.execute(text(f"ALTER TABLE payload DETACH PARTITION {name}"))
    saved = await connection.execute(
        text(f"""
        INSERT INTO payload (inbox_ref, received_at, body)
        SELECT p.inbox_ref, p.received_at, p.body FROM {_NEEDED} AS needed
        JOIN {name} p ON p.inbox_ref = needed.ref
        """),  # noqa: S608 - our own names
        {"start": partition.start, "end": partition.end},
    )
    await connection.execute(text(f"DROP TABLE {name}"))
    return Dropped(gone=True, saved=saved.rowcount)


_SWEEP = text("""
WITH old AS (
    SELECT p.inbox_ref, p.received_at FROM payload_default p LEFT JOIN inbox i ON i.ref = p.inbox_ref
    WHERE p.received_at < :before
      AND (i.ref IS NULL OR i.state NOT IN ('pending', 'parked', 'malformed'))
    LIMIT :most
)
DELETE FROM payload_default p USING old
WHERE p.inbox_ref = old.inbox_ref AND p.received_at = old.received_at
""")


async def sweep_default(connection: AsyncConnection, *, before: datetime, most: int) -> int:
    """Delete up to `most` old bodies from the default partition that nothing needs; how many there were."""
    return (await connection.execute(_SWEEP, {"before": before, "most": most})).rowcount
