"""Merges of customers: recorded with their evidence, suggested, undone. The rows are the caller's to lock."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.identity import State
from sync.people import Merge

_MOVE = text("""
UPDATE customer SET main_ref = :kept, xid = pg_current_xact_id() WHERE ref = ANY(:moved) AND main_ref = :gone
""").bindparams(bindparam("moved", type_=ARRAY(BIGINT)))
_LEFT = text("SELECT 1 FROM customer WHERE main_ref = ANY(:gone) LIMIT 1").bindparams(
    bindparam("gone", type_=ARRAY(BIGINT))
)
_RECORD = text("""
INSERT INTO customer_merge
    (state, kept_ref, gone_ref, kept_record, gone_record, rule, evidence, moved, event_ref, at)
VALUES (:state, :kept_ref, :gone_ref, :kept_record, :gone_record, :rule, :evidence, :moved, :event_ref, :at)
ON CONFLICT (kept_record, gone_record) WHERE state = 'suggested' DO NOTHING
""").bindparams(bindparam("evidence", type_=JSONB), bindparam("moved", type_=ARRAY(BIGINT)))


async def record_merges(connection: AsyncConnection, merges: Sequence[Merge]) -> bool:
    """Let who moved count as the main one, and remember why; whether anyone was left behind."""
    moves = [m for m in merges if m.state is State.MERGED and not m.of_new]
    for merge in moves:
        values = {"kept": merge.kept_ref, "gone": merge.gone_ref, "moved": list(merge.moved)}
        await connection.execute(_MOVE, values)
    if moves and await connection.scalar(_LEFT, {"gone": [m.gone_ref for m in moves]}):
        return True
    await connection.execute(_RECORD, [_row(merge) for merge in merges])
    return False


def _row(merge: Merge) -> dict[str, Any]:
    row = msgspec.structs.asdict(merge)
    del row["of_new"]
    return row | {
        "state": merge.state.value,
        "evidence": list(merge.evidence),
        "moved": list(merge.moved),
    }
