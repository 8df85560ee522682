"""For which conversations the time is up. Each query has an index that holds nothing else."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

MOST = 1000
"""How many one look finds at most; the next look, a moment later, finds the rest."""


class Place(Struct, frozen=True, kw_only=True):
    """A conversation, by where it lives, and the epoch of its lease."""

    connection: str
    id: str
    epoch: int


_SILENT_BOTS = text("""
SELECT v.connection, v.id, v.lease_epoch AS epoch FROM conversation v
WHERE v.lease_holder = 'other_bot' AND v.lease_since < :before AND v.connection = ANY(:at)
  AND NOT EXISTS (
    SELECT 1 FROM hand_off h WHERE h.conversation_ref = v.ref AND h.state IN ('offered', 'claimed'))
  AND NOT EXISTS (
    SELECT 1 FROM message m
    WHERE m.conversation_ref = v.ref AND m.author = 'ai' AND m.command_ref IS NULL AND NOT m.private
      AND m.seen_at >= :before)
ORDER BY v.lease_since LIMIT :most
""").bindparams(bindparam("at", type_=ARRAY(TEXT)))


async def silent_bots(connection: AsyncConnection, *, before: datetime, at: Sequence[str]) -> list[Place]:
    """Conversations `at` these connections that another bot has, in which it hasn't spoken since `before`.

    What was handed to a desk elsewhere is its bot's until somebody there, or a rule, decides otherwise.
    """
    rows = await connection.execute(_SILENT_BOTS, {"before": before, "at": list(at), "most": MOST})
    return [Place(**row) for row in rows.mappings()]


class Offer(Struct, frozen=True, kw_only=True):
    """A hand-off whose time to be claimed is over, and where its conversation lives."""

    ref: int
    connection: str
    id: str


_EXPIRED = text("""
SELECT h.ref, v.connection, v.id FROM hand_off h JOIN conversation v ON v.ref = h.conversation_ref
WHERE h.state = 'offered' AND h.accept_by <= :now ORDER BY h.accept_by LIMIT :most
""")


async def expired_offers(connection: AsyncConnection, *, now: datetime) -> list[Offer]:
    """Hand-offs that nobody has claimed in time."""
    rows = await connection.execute(_EXPIRED, {"now": now, "most": MOST})
    return [Offer(**row) for row in rows.mappings()]


async def waiting_since(connection: AsyncConnection) -> datetime | None:
    """Since when the customer who waits longest for a person does so, through all queues they passed."""
    since: datetime | None = await connection.scalar(
        text("""
        SELECT min(v.lease_since) FROM hand_off h JOIN conversation v ON v.ref = h.conversation_ref
        WHERE h.state = 'offered' AND v.lease_holder <> 'other_bot'
        """)
    )
    return since
