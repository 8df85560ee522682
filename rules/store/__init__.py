"""The only queries of turns and decisions. Nothing here commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from config.database import Direct, written_between
from rules.engine import Fired
from rules.tables import DecisionRow, Turn
from rules.turns import History, TurnState

TURNS_REMEMBERED = 12
_PASTS = Direct(
    text("""
SELECT c.ref,
  (SELECT jsonb_agg(t ORDER BY t.number) FROM (
      SELECT * FROM turn WHERE conversation_ref = c.ref ORDER BY number DESC LIMIT :most) t) AS turns,
  (SELECT jsonb_agg(jsonb_build_array(d.policy, d.rule, coalesce(d.turn, 0), d.epoch))
      FROM decision d WHERE d.conversation_ref = c.ref) AS fired
FROM unnest(:refs) AS c(ref)
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)))
)


async def load_pasts(
    connection: AsyncConnection, refs: Iterable[int]
) -> tuple[dict[int, History], dict[int, list[Fired]]]:
    """The latest turns of these conversations, and which rules have acted in them."""
    histories = {ref: History(conversation_ref=ref) for ref in refs}
    fired: dict[int, list[Fired]] = {}
    if histories:
        for row in await _PASTS.rows(connection, {"refs": list(histories), "most": TURNS_REMEMBERED}):
            histories[row.ref].turns = msgspec.convert(row.turns or [], list[TurnState])
            fired[row.ref] = [Fired(*values) for values in row.fired or []]
    return histories, fired


def _upsert_turns() -> Any:
    statement = upsert(Turn)
    fixed = {"ref", "conversation_ref", "number", "opened_at", "dirty"}
    new = {name: statement.excluded[name] for name in TurnState.__struct_fields__ if name not in fixed}
    return statement.on_conflict_do_update(
        index_elements=["ref"], set_=new | {"xid": func.pg_current_xact_id()}
    )


_DECISIONS = Direct(insert(DecisionRow))
_TURNS = Direct(_upsert_turns())


async def save_turns(connection: AsyncConnection, histories: Iterable[History]) -> None:
    """Write the turns that changed."""
    changed = [turn for history in histories for turn in history.turns if turn.dirty]
    if not changed:
        return
    rows = [msgspec.structs.asdict(turn) for turn in changed]
    for row in rows:
        del row["dirty"]
    await _TURNS.many(connection, rows)


async def save_decisions(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Record what rules decided."""
    if rows:
        await _DECISIONS.many(connection, rows)


_OPENINGS = Direct(
    text("""
SELECT t.conversation_ref, t.number, t.opened_at FROM unnest(:refs, :numbers) AS w(ref, number)
JOIN turn t ON t.conversation_ref = w.ref AND t.number = w.number
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)), bindparam("numbers", type_=ARRAY(BIGINT)))
)


async def load_openings(
    connection: AsyncConnection, turns: Iterable[tuple[int, int | None]]
) -> dict[tuple[int, int | None], datetime]:
    """When each of these turns (conversation, number) was opened."""
    pairs = list(turns)
    if not pairs:
        return {}
    refs, numbers = zip(*pairs, strict=True)
    rows = await _OPENINGS.rows(connection, {"refs": list(refs), "numbers": list(numbers)})
    return {(row.conversation_ref, row.number): row.opened_at for row in rows}


def log_queries(start: int, end: int, *, within: Select[tuple[int]] | None) -> dict[str, Select[Any]]:
    """What the export reads of turns and decisions, by the name of its file; ordered by ref.

    `start` and `end` are watermarks (see `sync.store.log`), `within` gives the conversations to keep to.
    """
    found: dict[str, Select[Any]] = {}
    models: dict[str, Any] = {"turns": Turn, "decisions": DecisionRow}
    for name, model in models.items():
        table = model.__table__
        query = select(*(column for column in table.c if column.name != "xid"))
        query = query.where(written_between(table.c.xid, start, end)).order_by(table.c.ref)
        found[name] = query if within is None else query.where(table.c.conversation_ref.in_(within))
    return found


_LATEST = """
JOIN LATERAL (SELECT max(number) AS number FROM turn l WHERE l.conversation_ref = t.conversation_ref) latest
  ON latest.number = t.number
"""
_WAITING = Direct(
    text(
        f"""
SELECT t.conversation_ref, 'waiting-' || t.ref || '-' ||
       floor(extract(epoch FROM CAST(:now AS timestamptz) - t.opened_at) / :step)::bigint AS key
FROM turn t {_LATEST}
WHERE t.state = 'collecting' AND t.ended_by IS NULL
  AND t.opened_at BETWEEN CAST(:now AS timestamptz) - interval '10 minutes'
                      AND CAST(:now AS timestamptz) - make_interval(secs => :step)
LIMIT 1000
"""  # noqa: S608 - joins two constants
    )
)
_SILENT = Direct(
    text(
        f"""
SELECT t.conversation_ref, 'silence-' || t.ref || '-' || t.generation AS key
FROM turn t {_LATEST}
WHERE t.state = 'answered' AND t.verdict = 'open' AND t.ended_by IS NULL AND t.last_customer_at < :before
  AND t.last_customer_at > CAST(:before AS timestamptz) - interval '2 days'
LIMIT 1000
"""  # noqa: S608 - as above
    )
)


async def load_waiting(
    connection: AsyncConnection, *, now: datetime, step: timedelta
) -> list[tuple[int, str]]:
    """Conversations whose customer waits for a word, each with a key that changes once in a step."""
    rows = await _WAITING.rows(connection, {"now": now, "step": step.total_seconds()})
    return [(row.conversation_ref, row.key) for row in rows]


async def load_silent(connection: AsyncConnection, *, before: datetime) -> list[tuple[int, str]]:
    """Conversations that have been quiet since an answer that nobody has judged, each with a key."""
    rows = await _SILENT.rows(connection, {"before": before})
    return [(row.conversation_ref, row.key) for row in rows]
