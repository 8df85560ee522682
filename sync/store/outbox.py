"""The outbox: which commands may go now, what became of them, and whose were left behind."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.delivery import Verdict
from sync.tables import AttemptRow, Message, worker_number

WORKERS = 0x6465736B  # "desk": the class of the advisory locks by which workers show that they live
CLAIM_LASTS = timedelta(seconds=60)
GRACE = timedelta(seconds=3)
"""How long after a worker's death its command is looked for: the vendor may still be working on it."""


class Claimed(Struct, frozen=True, kw_only=True):
    """A command in our hands, about a conversation or a customer.

    `outcome_unknown`: an earlier try may have worked, so look first.
    """

    ref: int
    conversation_ref: int | None
    customer_ref: int | None
    connection: str
    conversation_id: str | None
    home: str | None
    """The connection that the conversation lives at."""
    kind: str
    body: dict[str, Any]
    key: str
    epoch: int | None
    turn: int | None
    attempts: int
    outcome_unknown: bool
    created_at: datetime
    claimed_at: datetime


# Only the first unfinished command of each subject and connection is due. An epoch that has
# moved on means that the right to speak is gone: the check rides in the claim, right before sending.
_CLAIM = text("""
WITH due AS (
    SELECT c.ref, c.conversation_ref FROM command c
    WHERE c.state = 'waiting' AND c.ready_at <= :now AND NOT c.connection = ANY(:paused)
      AND NOT EXISTS (
        SELECT 1 FROM command e
        WHERE e.subject_ref = c.subject_ref AND e.connection = c.connection
          AND e.ref < c.ref AND e.state IN ('waiting', 'in_flight'))
    ORDER BY c.priority, c.ready_at
    LIMIT :most
    FOR UPDATE OF c SKIP LOCKED
), spoken AS (
    SELECT v.ref, v.lease_epoch, v.id, v.connection FROM conversation v
    WHERE v.ref IN (SELECT conversation_ref FROM due)
    FOR SHARE SKIP LOCKED
)
UPDATE command c SET
    state = CASE WHEN c.epoch <> spoken.lease_epoch THEN 'superseded' ELSE 'in_flight' END,
    done_at = CASE WHEN c.epoch <> spoken.lease_epoch THEN CAST(:now AS timestamptz) END,
    reason = CASE WHEN c.epoch <> spoken.lease_epoch THEN 'the lease moved on before it was sent' END,
    claimed_by = :worker, claimed_at = :now, attempts = c.attempts + 1
FROM due LEFT JOIN spoken ON spoken.ref = due.conversation_ref
WHERE c.ref = due.ref AND (due.conversation_ref IS NULL OR spoken.ref IS NOT NULL)
RETURNING c.*, spoken.id AS conversation_id, spoken.connection AS home
""").bindparams(bindparam("paused", type_=ARRAY(TEXT)))


async def claim(
    connection: AsyncConnection, *, worker: int, most: int, paused: Sequence[str], now: datetime
) -> tuple[list[Claimed], int]:
    """Take up to `most` due commands; also says how many were superseded instead."""
    rows = (
        await connection.execute(_CLAIM, {"worker": worker, "most": most, "paused": list(paused), "now": now})
    ).all()
    names = Claimed.__struct_fields__
    claimed = [
        Claimed(**{name: getattr(row, name) for name in names}) for row in rows if row.state == "in_flight"
    ]
    return claimed, len(rows) - len(claimed)


class Finished(Struct, frozen=True, kw_only=True):
    """An attempt that ended, and what becomes of its command."""

    claimed: Claimed
    worker: int
    verdict: Verdict
    status: int | None
    detail: str
    started_at: datetime
    ended_at: datetime
    remote_id: str | None = None


_SETTLE = text("""
UPDATE command SET
    state = :to,
    ready_at = COALESCE(CAST(:ready_at AS timestamptz), ready_at), outcome_unknown = :unknown,
    remote_id = COALESCE(:remote, remote_id), reason = :reason, claimed_by = NULL,
    done_at = CASE WHEN :to = 'waiting' THEN NULL ELSE CAST(:now AS timestamptz) END
WHERE ref = :of AND state = 'in_flight' AND claimed_by = :worker
""").bindparams(bindparam("remote", type_=TEXT), bindparam("reason", type_=TEXT), bindparam("to", type_=TEXT))


async def settle(connection: AsyncConnection, finished: Sequence[Finished]) -> None:
    """Record attempts and move their commands on; a claim that was taken away from us is left alone."""
    await connection.execute(
        _SETTLE,
        [
            {
                "of": item.claimed.ref,
                "worker": item.worker,
                "to": item.verdict.state,
                "ready_at": item.verdict.ready_at,
                "unknown": item.verdict.outcome_unknown,
                "remote": item.remote_id,
                "reason": item.verdict.reason,
                "now": item.ended_at,
            }
            for item in finished
        ],
    )
    await connection.execute(insert(AttemptRow), [_attempt(item) for item in finished])


def _attempt(item: Finished) -> dict[str, Any]:
    return {
        "command_ref": item.claimed.ref,
        "number": item.claimed.attempts,
        "outcome": item.verdict.outcome.value,
        "status": item.status,
        "detail": item.detail[:2000],
        "started_at": item.started_at,
        "ended_at": item.ended_at,
    }


async def record_own_messages(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Store messages that a vendor confirmed, unless their echo was faster."""
    if rows:
        await connection.execute(
            upsert(Message).on_conflict_do_nothing(index_elements=["conversation_ref", "id"]), rows
        )


_RECOVER = text("""
UPDATE command c SET state = 'waiting', outcome_unknown = (c.kind <> 'answer'), claimed_by = NULL,
    ready_at = :now, reason = 'its worker died or froze'
WHERE c.state = 'in_flight' AND (
    c.claimed_at < CAST(:now AS timestamptz) - CAST(:lasts AS interval)
    OR (c.claimed_at < CAST(:now AS timestamptz) - CAST(:grace AS interval) AND NOT EXISTS (
        SELECT 1 FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.classid = :workers AND l.objid = c.claimed_by
          AND l.objsubid = 2 AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))))
RETURNING c.ref
""")


async def recover(connection: AsyncConnection, *, now: datetime) -> list[int]:
    """Free the commands of dead or frozen workers; what they may have done is looked up before a resend."""
    rows = await connection.execute(
        _RECOVER, {"now": now, "lasts": CLAIM_LASTS, "grace": GRACE, "workers": WORKERS}
    )
    return list(rows.scalars())


_NEXT_DUE = text("""
SELECT LEAST(
    (SELECT min(c.ready_at) FROM command c WHERE c.state = 'waiting' AND NOT c.connection = ANY(:paused)
       AND NOT EXISTS (SELECT 1 FROM command e
         WHERE e.subject_ref = c.subject_ref AND e.connection = c.connection
           AND e.ref < c.ref AND e.state IN ('waiting', 'in_flight'))),
    (SELECT min(c.claimed_at) + CAST(:grace AS interval) + interval '1 second'
       FROM command c WHERE c.state = 'in_flight' AND c.claimed_by <> :worker))
""").bindparams(bindparam("paused", type_=ARRAY(TEXT)))


async def next_due(connection: AsyncConnection, *, worker: int, paused: Sequence[str]) -> datetime | None:
    """When the next command can go, or the next abandoned one could be found."""
    due: datetime | None = await connection.scalar(
        _NEXT_DUE, {"paused": list(paused), "grace": GRACE, "worker": worker}
    )
    return due


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
