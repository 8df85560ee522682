"""Conflicts over shared fields: opened and closed by what is heard, resolved and undone by people."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, insert, text, update
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from sync.conflict_tables import ConflictRow
from sync.copies import Closed, Moved, Opened, SharedRecord
from sync.merge import Version

_of = col(ConflictRow.ref) == bindparam("of")
_MOVED = (
    update(ConflictRow).where(_of).values(ours=bindparam("our_version"), theirs=bindparam("their_version"))
)
_CLOSED = update(ConflictRow).where(_of).values(resolved_at=bindparam("at"), choice="agreed")


async def save(
    connection: AsyncConnection, records: Iterable[SharedRecord], *, of: str = "customer_ref"
) -> None:
    """Write what a batch changed about conflicts; the caller holds the records, which `of` says to be."""
    changes = [change for record in records for change in record.conflicts]
    if opened := [_opened_row(change, of) for change in changes if isinstance(change, Opened)]:
        await connection.execute(insert(ConflictRow), opened)
    for change in changes:
        match change:
            case Moved():
                versions = {"our_version": _json(change.ours), "their_version": _json(change.theirs)}
                await connection.execute(_MOVED, {"of": change.ref, **versions})
            case Closed():
                await connection.execute(_CLOSED, {"of": change.ref, "at": change.at})
            case Opened():
                pass


def _opened_row(change: Opened, of: str) -> dict[str, Any]:
    return {
        "ref": change.ref,
        of: change.record_ref,
        "field": change.field,
        "base": change.base,
        "ours": _json(change.ours),
        "theirs": _json(change.theirs),
        "opened_at": change.at,
    }


def _json(version: Version) -> Any:
    return msgspec.to_builtins(version)


class ShownVersion(Struct, frozen=True, kw_only=True):
    """One side's value: whose, where and when it was written; `by` where the connection says."""

    value: Any
    connection: str | None = None
    record: str | None = None
    at: datetime | None = None
    by: str = ""


class UndoneDecision(Struct, frozen=True, kw_only=True):
    """A decision that was taken back: who chose what and when, and who undid it."""

    choice: str
    resolved_by: str | None
    resolved_at: datetime
    undone_by: str
    undone_at: datetime


class FieldConflict(Struct, frozen=True, kw_only=True):
    """Two edits of a shared field between which no rule decides.

    `connection` and `record` are where `theirs` is held; `base` is what both edits started from.
    """

    ref: int
    customer_ref: int | None
    customer_name: str
    conversation_ref: int | None
    """Of a linked conversation, if it is over one's field; the customer's ref, if over theirs."""
    connection: str
    record: str
    field: str
    base: Any
    ours: ShownVersion
    theirs: ShownVersion
    opened_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    choice: str | None
    undone: list[UndoneDecision]
    """Earlier decisions, oldest first."""


class StoredConflict(Struct, frozen=True, kw_only=True):
    """A conflict as it is undone from."""

    customer_ref: int | None
    conversation_ref: int | None
    field: str
    base: Any
    theirs: Version
    resolved_at: datetime | None
    previous: Any


_SHOWN = """
SELECT f.*, COALESCE(c.name, '') AS customer_name, COALESCE(v.connection, i.connection) AS connection,
    COALESCE(v.id, i.value) AS record
FROM conflict f LEFT JOIN conversation v ON v.ref = f.conversation_ref
LEFT JOIN customer c ON c.ref = COALESCE(f.customer_ref, v.customer_ref)
LEFT JOIN identity i ON i.customer_ref = f.customer_ref AND i.kind = 'vendor'
"""
_LIST = text(f"""
{_SHOWN}
WHERE (:state = 'all' OR (f.resolved_at IS NULL) = (:state = 'open'))
  AND (CAST(:before AS bigint) IS NULL OR f.ref < :before)
ORDER BY f.ref DESC LIMIT :most
""").bindparams(bindparam("before", type_=BIGINT))
_ONE = text(f"{_SHOWN} WHERE f.ref = :ref")
_RESOLVED = (
    update(ConflictRow)
    .where(_of)
    .values(
        resolved_at=bindparam("at"),
        resolved_by=bindparam("by"),
        choice=bindparam("chosen"),
        previous=bindparam("before"),
    )
)


async def conflicts(
    connection: AsyncConnection, *, state: str, before: int | None, most: int
) -> list[FieldConflict]:
    """Conflicts that are `open`, `resolved`, or `all`; the latest first."""
    rows = await connection.execute(_LIST, {"state": state, "before": before, "most": most})
    return [_shown(row) for row in rows.mappings()]


async def conflict(connection: AsyncConnection, ref: int) -> FieldConflict | None:
    """One conflict."""
    row = (await connection.execute(_ONE, {"ref": ref})).mappings().first()
    return None if row is None else _shown(row)


def _shown(row: Any) -> FieldConflict:
    sides = {name: {"value": row[name]["value"], **(row[name]["stamp"] or {})} for name in ("ours", "theirs")}
    return msgspec.convert({**row, **sides}, FieldConflict)


async def stored(connection: AsyncConnection, ref: int) -> StoredConflict | None:
    """A conflict as it lies in the table, its row locked."""
    found = await connection.execute(text("SELECT * FROM conflict WHERE ref = :ref FOR UPDATE"), {"ref": ref})
    row = found.mappings().first()
    return None if row is None else msgspec.convert(dict(row), StoredConflict)


async def mark_resolved(
    connection: AsyncConnection, ref: int, *, by: str, chosen: str, previous: Any, at: datetime
) -> None:
    """Remember who resolved a conflict, how, and what was before."""
    values = {"of": ref, "by": by, "chosen": chosen, "at": at, "before": msgspec.to_builtins(previous)}
    await connection.execute(_RESOLVED, values)


_OPEN = text("""
UPDATE conflict SET undone = undone || jsonb_build_object('choice', choice, 'resolved_by', resolved_by,
        'resolved_at', resolved_at, 'undone_by', CAST(:by AS text), 'undone_at', CAST(:at AS timestamptz)),
    resolved_at = NULL, resolved_by = NULL, choice = NULL, previous = NULL
WHERE ref = :ref
""")


async def mark_open(connection: AsyncConnection, ref: int, *, by: str, at: datetime) -> None:
    """A resolution was undone: remember it, and by whom."""
    await connection.execute(_OPEN, {"ref": ref, "by": by, "at": at})


async def count_open(connection: AsyncConnection) -> int:
    """How many wait for a person."""
    return await connection.scalar(text("SELECT count(*) FROM conflict WHERE resolved_at IS NULL")) or 0
