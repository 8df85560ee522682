"""The built-in desk's queries: hand-offs in their queues, and the record of what agents did."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.store.inbox import Event, RawEvent
from sync.views import FullHandOff, HandOff

OPEN = ("offered", "claimed")
_URGENCY = "array_position(ARRAY['urgent', 'high', 'normal', 'low'], h.priority)"
_COLUMNS = """
SELECT h.*, v.connection, v.id AS conversation_id, v.channel, v.language,
    COALESCE(u.name, '') AS customer_name, COALESCE(h.package ->> 'goal', '') AS goal
FROM hand_off h
JOIN conversation v ON v.ref = h.conversation_ref
LEFT JOIN customer u ON u.ref = v.customer_ref
"""
_LIST = text(f"""
{_COLUMNS}
WHERE h.state = ANY(:states) AND (CAST(:queue AS text) IS NULL OR h.queue = :queue)
    AND (CAST(:after AS bigint) IS NULL OR h.ref > :after)
ORDER BY h.ref LIMIT :most
""").bindparams(
    bindparam("states", type_=ARRAY(TEXT)), bindparam("queue", type_=TEXT), bindparam("after", type_=BIGINT)
)
_WAITING = text(f"""
{_COLUMNS} WHERE h.state IN ('offered', 'claimed')
ORDER BY {_URGENCY} NULLS LAST, h.ref LIMIT :most
""")
_ONE = text(f"{_COLUMNS} WHERE h.ref = :ref")
_OF = text(f"{_COLUMNS} WHERE h.conversation_ref = :of ORDER BY h.ref")


async def hand_offs(
    connection: AsyncConnection,
    *,
    states: Sequence[str],
    queue: str | None,
    after: int | None,
    most: int,
) -> list[HandOff]:
    """Hand-offs in these states, oldest first."""
    values = {"states": list(states), "queue": queue, "after": after, "most": most}
    return _hand_offs((await connection.execute(_LIST, values)).mappings())


async def most_urgent(connection: AsyncConnection, *, most: int) -> list[HandOff]:
    """Open hand-offs, the most urgent first, among equals the one that waits longest."""
    return _hand_offs((await connection.execute(_WAITING, {"most": most})).mappings())


async def count_by_rule(connection: AsyncConnection, *, most: int) -> dict[str, int]:
    """How many of the latest hand-offs each rule has made."""
    rows = await connection.execute(
        text("""
        SELECT rule, count(*) AS n FROM (SELECT rule FROM hand_off ORDER BY ref DESC LIMIT :most) latest
        GROUP BY rule
        """),
        {"most": most},
    )
    return {row.rule: row.n for row in rows}


async def count_offered(connection: AsyncConnection) -> int:
    """How many hand-offs nobody has claimed yet."""
    counted = await connection.scalar(text("SELECT count(*) FROM hand_off WHERE state = 'offered'"))
    return int(counted or 0)


async def hand_offs_of(connection: AsyncConnection, conversation_ref: int) -> list[HandOff]:
    """All hand-offs of a conversation, oldest first."""
    return _hand_offs((await connection.execute(_OF, {"of": conversation_ref})).mappings())


async def hand_off(connection: AsyncConnection, ref: int) -> FullHandOff | None:
    """One hand-off with its package."""
    row = (await connection.execute(_ONE, {"ref": ref})).mappings().first()
    return None if row is None else msgspec.convert(dict(row), FullHandOff)


def _hand_offs(rows: Any) -> list[HandOff]:
    return [msgspec.convert(dict(row), HandOff) for row in rows]


async def record_deed(connection: AsyncConnection, deed: RawEvent) -> Event:
    """Keep what an agent did as an event that is worked already: what follows from it refers to it."""
    ref = await connection.scalar(
        text("""
        INSERT INTO inbox (connection, key, lane, origin, state, received_at, done_at)
        VALUES (:connection, :key, :lane, :origin, 'done', :at, :at) RETURNING ref
        """),
        {
            "connection": deed.connection,
            "key": deed.key,
            "lane": deed.lane,
            "origin": deed.origin.value,
            "at": deed.received_at,
        },
    )
    await connection.execute(
        text("INSERT INTO payload (inbox_ref, received_at, body) VALUES (:ref, :at, :body)"),
        {"ref": ref, "at": deed.received_at, "body": deed.body},
    )
    assert ref is not None
    return Event(
        ref=ref,
        connection=deed.connection,
        lane=deed.lane,
        origin=deed.origin,
        received_at=deed.received_at,
        body=deed.body,
    )
