"""Asking for records to be brought up to date with what they share with others."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

UPDATE_CUSTOMER = "update_customer"
UPDATE_CONVERSATION = "update_conversation"


class FieldUpdate(Struct, frozen=True, kw_only=True):
    """A record that is behind; `ref` and `key` are those of the command that it may take."""

    ref: int
    subject_ref: int
    connection: str
    id: str
    key: str
    event_ref: int | None


# What to write is looked up when it is sent: one waiting command is enough, whatever comes in between.
_ASK = """
WITH asked AS (
    INSERT INTO command
        (ref, {subject}_ref, connection, kind, body, key, event_ref, priority, state, ready_at, created_at)
    SELECT w.ref, w.subject, w.connection, 'update_{subject}', jsonb_build_object('{subject}_id', w.id),
        w.key, w.event_ref, :priority, 'waiting', :now, :now
    FROM unnest(:refs, :subjects, :connections, :ids, :keys, :events)
        AS w(ref, subject, connection, id, key, event_ref)
    WHERE NOT EXISTS (
        SELECT 1 FROM command c WHERE c.subject_ref = w.subject AND c.connection = w.connection
          AND c.state = 'waiting' AND c.kind = 'update_{subject}')
    RETURNING ref
)
SELECT pg_notify('deskbridge_outbox', '') FROM (SELECT 1 FROM asked LIMIT 1) AS any_of_them
"""
_ASK_OF = {
    f"update_{subject}": text(_ASK.format(subject=subject)).bindparams(
        *(bindparam(name, type_=ARRAY(BIGINT)) for name in ("refs", "subjects", "events")),
        *(bindparam(name, type_=ARRAY(TEXT)) for name in ("connections", "ids", "keys")),
    )
    for subject in ("customer", "conversation")
}


async def ask(
    connection: AsyncConnection,
    kind: str,
    wanted: Sequence[FieldUpdate],
    *,
    priority: int,
    now: datetime,
) -> None:
    """Have these records brought up to date, unless a command that will do so waits already.

    The caller holds them, so that no command begins meanwhile with what was before.
    """
    if not wanted:
        return
    columns = {
        "refs": [each.ref for each in wanted],
        "subjects": [each.subject_ref for each in wanted],
        "connections": [each.connection for each in wanted],
        "ids": [each.id for each in wanted],
        "keys": [each.key for each in wanted],
        "events": [each.event_ref for each in wanted],
    }
    await connection.execute(_ASK_OF[kind], {"priority": priority, "now": now} | columns)


_DIFFERING = text("""
SELECT DISTINCT m.ref FROM customer m
JOIN customer g ON g.ref = m.main_ref CROSS JOIN LATERAL jsonb_each(g.golden) AS e(name, version)
WHERE m.ref > :after
  AND EXISTS (SELECT 1 FROM identity i
    WHERE i.customer_ref = m.ref AND i.kind = 'vendor' AND i.deleted_at IS NULL)
  AND (m.shared -> e.name -> 'held') IS DISTINCT FROM (e.version -> 'value')
ORDER BY m.ref LIMIT :most
""")


async def differing(connection: AsyncConnection, *, after: int, most: int = 500) -> list[int]:
    """Customers whose record may be behind, in the order of their refs: rules have the last word."""
    return list(await connection.scalars(_DIFFERING, {"after": after, "most": most}))
