"""Conversations opened for hand-offs at desks at other vendors: whose they are, and what we said there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.echo import Sent
from sync.thread import MessageState, person_of

Address = tuple[str, str]
_REFS = bindparam("refs", type_=ARRAY(BIGINT))


class Origin(Struct, frozen=True, kw_only=True):
    """For which hand-off a conversation was opened, and where the customer is."""

    hand_off: int
    connection: str
    conversation_id: str


_ORIGINS = text("""
SELECT w.connection AS desk, w.id AS ticket, h.ref AS hand_off, v.connection, v.id AS conversation_id
FROM unnest(:connections, :ids) AS w(connection, id)
JOIN hand_off h ON h."to" = w.connection AND h.ticket = w.id
JOIN conversation v ON v.ref = h.conversation_ref
ORDER BY h.ref
""").bindparams(bindparam("connections", type_=ARRAY(TEXT)), bindparam("ids", type_=ARRAY(TEXT)))


async def load_origins(connection: AsyncConnection, addresses: Iterable[Address]) -> dict[Address, Origin]:
    """The hand-offs for which these conversations were opened, the latest of each."""
    wanted = list(addresses)
    if not wanted:
        return {}
    rows = await connection.execute(
        _ORIGINS, {"connections": [a[0] for a in wanted], "ids": [a[1] for a in wanted]}
    )
    return {
        (row.desk, row.ticket): Origin(
            hand_off=row.hand_off, connection=row.connection, conversation_id=row.conversation_id
        )
        for row in rows
    }


_LEDGER = text("""
SELECT c.*, w.ref AS hand_off FROM hand_off w
JOIN hand_off h ON h.conversation_ref = w.conversation_ref AND h."to" = w."to"
  AND (h.ref = w.ref OR h.ticket = w.ticket)
JOIN command c ON c.hand_off_ref = h.ref AND c.connection = h."to"
WHERE w.ref = ANY(:refs) AND c.kind IN ('reply', 'note', 'set_status', 'open_conversation')
ORDER BY c.ref
""").bindparams(_REFS)


async def load_ledger(connection: AsyncConnection, hand_offs: Iterable[int]) -> dict[int, list[Sent]]:
    """What we said and did in the conversations in which these hand-offs are worked."""
    wanted = sorted(set(hand_offs))
    found: dict[int, list[Sent]] = {ref: [] for ref in wanted}
    if wanted:
        for row in await connection.execute(_LEDGER, {"refs": wanted}):
            found[row.hand_off].append(_sent(row))
    return found


def _sent(row: Row[Any]) -> Sent:
    """As the ledger of that conversation has it. Guessing by the moment is left out: people speak there."""
    body = row.body
    private = row.kind == "note" or bool(body.get("private"))
    kind = "set_status" if row.kind == "set_status" else "note" if private else "reply"
    return Sent(
        ref=row.ref,
        conversation_ref=row.conversation_ref,
        kind=kind,
        key=row.key,
        created_at=row.created_at,
        text=body.get("text") or body.get("status", ""),
        private=private,
        author=body.get("author", "system"),
        person=person_of(body.get("person")),
        remote_id=None if row.kind == "open_conversation" else row.remote_id,
        claimed_at=row.claimed_at,
        state="done" if row.state == "in_flight" else row.state,
        outcome_unknown=row.outcome_unknown,
        heard=row.heard_at is not None,
    )


_SAID = text("""
SELECT * FROM message WHERE conversation_ref = ANY(:refs) AND NOT private AND author IN ('agent', 'ai')
ORDER BY sent_at, ref
""").bindparams(_REFS)


async def load_said(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, list[MessageState]]:
    """What people and bots said in these conversations."""
    found: dict[int, list[MessageState]] = {}
    names = MessageState.__struct_fields__
    for row in await connection.execute(_SAID, {"refs": sorted(set(refs))}):
        values: Any = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
        message = MessageState(**{name: values[name] for name in names})
        found.setdefault(row.conversation_ref, []).append(message)
    return found


_WITHDRAW = text("""
UPDATE command SET state = 'superseded', done_at = now(), reason = 'the hand-off ended before it was sent'
WHERE hand_off_ref = ANY(:refs) AND state = 'waiting'
""").bindparams(_REFS)


async def withdraw(connection: AsyncConnection, hand_offs: Sequence[int]) -> None:
    """What waits to be sent for these hand-offs is not needed any more."""
    if hand_offs:
        await connection.execute(_WITHDRAW, {"refs": sorted(hand_offs)})


async def opened(connection: AsyncConnection, hand_off: int) -> str | None:
    """The conversation that was opened for a hand-off."""
    found: str | None = await connection.scalar(
        text("""
        SELECT remote_id FROM command
        WHERE hand_off_ref = :ref AND kind = 'open_conversation' AND state = 'done' ORDER BY ref DESC LIMIT 1
        """),
        {"ref": hand_off},
    )
    return found


class Unlinked(Struct, frozen=True, kw_only=True):
    """A conversation and what was opened for it lately, which are no case yet.

    `instead_of` is what an earlier hand-off opened at the same desk, if that is part of the case still.
    """

    conversation: int
    ticket: int
    instead_of: int | None


_UNLINKED = text("""
SELECT h.conversation_ref AS conversation, d.ref AS ticket, twin.ref AS instead_of
FROM hand_off h JOIN conversation d ON d.connection = h."to" AND d.id = h.ticket
LEFT JOIN conversation_link own ON own.conversation_ref = h.conversation_ref
LEFT JOIN LATERAL (
    SELECT v.ref, v.id FROM conversation_link l JOIN conversation v ON v.ref = l.conversation_ref
    WHERE l.main_ref = own.main_ref AND v.connection = h."to" LIMIT 1) twin ON true
WHERE h.ticket IS NOT NULL AND h.offered_at > CAST(:now AS timestamptz) - interval '1 hour'
  AND NOT EXISTS (
    SELECT 1 FROM hand_off later WHERE later.conversation_ref = h.conversation_ref
    AND later."to" = h."to" AND later.ticket IS NOT NULL AND later.ref > h.ref)
  AND (twin.ref IS NULL OR EXISTS (
    SELECT 1 FROM hand_off earlier WHERE earlier.conversation_ref = h.conversation_ref
    AND earlier."to" = h."to" AND earlier.ticket = twin.id AND earlier.ref < h.ref AND twin.ref <> d.ref))
ORDER BY h.ref LIMIT 100
""")


async def unlinked(connection: AsyncConnection, now: datetime) -> list[Unlinked]:
    """Conversations that were handed elsewhere lately, each with the latest that was opened for it there.

    One that was linked with something else at that desk is left as it is.
    """
    rows = await connection.execute(_UNLINKED, {"now": now})
    return [Unlinked(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
