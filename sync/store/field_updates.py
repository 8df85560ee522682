"""Asking for records to be brought up to date with what they share with others."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import TextClause, bindparam, text
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


# Each page by the indexes, however the planner reckons: the limits within keep it from reading whole tables.
WRITTEN = (bindparam("connections", type_=ARRAY(TEXT)), bindparam("names", type_=ARRAY(TEXT)))
_DIFFERING = text("""
WITH page AS (SELECT ref, main_ref, shared FROM customer WHERE ref > :after ORDER BY ref LIMIT :most)
SELECT (SELECT max(ref) FROM page) AS upto, ARRAY(
    SELECT p.ref FROM page p
    CROSS JOIN LATERAL (SELECT golden FROM customer WHERE ref = p.main_ref LIMIT 1) AS g
    CROSS JOIN LATERAL (SELECT connection FROM identity
        WHERE customer_ref = p.ref AND kind = 'vendor' AND deleted_at IS NULL LIMIT 1) AS i
    WHERE EXISTS (
        SELECT 1 FROM unnest(:connections, :names) AS w(connection, name)
        WHERE w.connection = i.connection AND g.golden -> w.name IS NOT NULL
          AND COALESCE(p.shared -> w.name -> 'meant', p.shared -> w.name -> 'held')
            IS DISTINCT FROM (g.golden -> w.name -> 'value'))
    ORDER BY p.ref) AS refs
""").bindparams(*WRITTEN)


class Differing(Struct, frozen=True):
    """Of a page of records, those that may be behind; `upto` is its last ref, `None` past the end."""

    refs: list[int]
    upto: int | None


async def differing(
    connection: AsyncConnection, written: Sequence[tuple[str, str]], *, after: int, most: int = 2000
) -> Differing:
    """Which of the next customers may be behind in what is `written` to their connection: field by field.

    Rules have the last word. However many there are, a statement looks at `most`.
    """
    return await page_of(connection, _DIFFERING, written, after=after, most=most)


async def page_of(
    connection: AsyncConnection,
    statement: TextClause,
    written: Sequence[tuple[str, str]],
    *,
    after: int,
    most: int,
) -> Differing:
    """One page of such a statement."""
    values = {"connections": [pair[0] for pair in written], "names": [pair[1] for pair in written]}
    row = (await connection.execute(statement, {"after": after, "most": most} | values)).one()
    return Differing(row.refs, row.upto)
