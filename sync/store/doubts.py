"""Doubts written down: messages held for echoes, and moments in which two may have spoken."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import JSONB, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam
from sqlmodel import col

from config.database import Direct
from sync.echo import Sent
from sync.tables import Message
from sync.thread import Thread, person_json
from sync.voice_tables import OverlapRow

# The dispatcher may have learned the id meanwhile: then a single message that bears it leaves no doubt.
_HELD = Direct(
    text("""
UPDATE command SET held = :held, doubt = :doubt AND remote_id IS DISTINCT FROM :only WHERE ref = :of
""").bindparams(bindparam("held", type_=JSONB(none_as_null=True)), bindparam("only", type_=TEXT))
)
_GIVE_BACK = (
    update(Message)
    .where(col(Message.conversation_ref) == bindparam("of"), col(Message.id) == bindparam("which"))
    .values(
        author=bindparam("by"),
        person=bindparam("who"),
        text=bindparam("said"),
        command_ref=None,
        xid=func.pg_current_xact_id(),
    )
)
_OVERLAPS = Direct(upsert(OverlapRow).on_conflict_do_nothing(index_elements=["command_ref"]))


async def save(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    """Write what a batch holds for echoes, gives back, and found to have overlapped; mostly nothing."""
    held: list[dict[str, Any]] = [
        {
            "of": sent.ref,
            "held": msgspec.to_builtins(sent.held) or None,
            "doubt": sent.doubt,
            "only": _only(sent),
        }
        for thread in threads
        for sent in thread.doubts.values()
    ]
    if held:
        await _HELD.many(connection, held)
    given_back = [
        {
            "of": thread.ref,
            "which": guess.id,
            "by": guess.author.value,
            "who": person_json(guess.person),
            "said": guess.text,
        }
        for thread in threads
        for guess in thread.given_back
    ]
    if given_back:
        await connection.execute(_GIVE_BACK, given_back)
    overlaps = [msgspec.structs.asdict(found) for thread in threads for found in thread.overlaps]
    if overlaps:
        await _OVERLAPS.many(connection, overlaps)


_SETTLED = text("""
SELECT d.ref, d.attempts, v.connection, v.id
FROM command d JOIN conversation v ON v.ref = d.conversation_ref
WHERE d.doubt AND d.state <> 'in_flight' LIMIT :most
""")


def _only(sent: Sent) -> str | None:
    return sent.held[0].id if len(sent.held) == 1 else None


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A settled command with messages held for its echo, and where its conversation lives."""

    ref: int
    attempts: int
    connection: str
    id: str


async def settled(connection: AsyncConnection, *, most: int) -> list[Doubt]:
    """Commands that aren't being sent any more, so that it can be known what was their echo."""
    rows = await connection.execute(_SETTLED, {"most": most})
    return [Doubt(**row) for row in rows.mappings()]


_CONFIRM = text("""
UPDATE overlap o SET state = 'confirmed', sent_at = c.done_at
FROM command c WHERE o.state = 'possible' AND c.ref = o.command_ref AND c.state = 'done'
RETURNING o.ref, o.conversation_ref, o.kind
""")
_DISMISS = text("""
DELETE FROM overlap o USING command c
WHERE o.state = 'possible' AND c.ref = o.command_ref AND c.state IN ('superseded', 'parked')
""")


async def settle_overlaps(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Confirm the overlaps whose reply was sent, forget those whose reply never was; the confirmed ones."""
    confirmed = await connection.execute(_CONFIRM)
    found = [dict(row) for row in confirmed.mappings()]
    await connection.execute(_DISMISS)
    return found
