"""The queries behind what people read of turns and decisions; the engine uses those of `rules.store`."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from rules.views import Decision, Turn

_TURNS = text("SELECT * FROM turn WHERE conversation_ref = :of ORDER BY number")
_DECISIONS = text("SELECT * FROM decision WHERE conversation_ref = :of ORDER BY ref")
_VERDICTS = text("""
SELECT verdict, count(*) AS n FROM (SELECT verdict FROM turn ORDER BY ref DESC LIMIT :most) latest
GROUP BY verdict
""")
_FAILED = text("""
SELECT conversation_ref, count(*) AS n FROM turn
WHERE conversation_ref = ANY(:refs) AND verdict = 'unresolved' GROUP BY conversation_ref
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)))


async def turns_of(connection: AsyncConnection, conversation_ref: int) -> list[Turn]:
    """All turns of a conversation, oldest first."""
    rows = await connection.execute(_TURNS, {"of": conversation_ref})
    return [msgspec.convert(dict(row), Turn) for row in rows.mappings()]


async def decisions_of(connection: AsyncConnection, conversation_ref: int) -> list[Decision]:
    """All decisions on a conversation, oldest first."""
    rows = await connection.execute(_DECISIONS, {"of": conversation_ref})
    return [msgspec.convert(dict(row), Decision) for row in rows.mappings()]


async def count_verdicts(connection: AsyncConnection, *, most: int) -> dict[str, int]:
    """How many of the latest turns have which verdict."""
    rows = await connection.execute(_VERDICTS, {"most": most})
    return {row.verdict: row.n for row in rows}


async def count_failed(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, int]:
    """How many turns failed in each of these conversations; those without any are left out."""
    rows = await connection.execute(_FAILED, {"refs": list(refs)})
    return {row.conversation_ref: row.n for row in rows}
