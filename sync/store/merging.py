"""Merges of customers: recorded with their evidence, suggested, undone."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from sync.identity import State, split
from sync.people import Merge
from sync.thread import person_json
from sync.views import CustomerMerge

BY_PERSON = "person"
"""The rule of a merge that a person made."""
_REFS = bindparam("refs", type_=ARRAY(BIGINT))


class RefusedMergeError(Exception):
    """These customers can't be merged or told apart now; the message says why."""


class UnknownCustomerError(LookupError):
    """No such customer or merge."""


class Act(Struct, frozen=True, kw_only=True):
    """Who merges or tells apart, and when."""

    person: Person
    at: datetime


_MOVE = text("""
UPDATE customer SET main_ref = :kept, xid = pg_current_xact_id() WHERE ref = ANY(:moved) AND main_ref = :gone
""").bindparams(bindparam("moved", type_=ARRAY(BIGINT)))
_LEFT = text("SELECT 1 FROM customer WHERE main_ref = ANY(:gone) LIMIT 1").bindparams(
    bindparam("gone", type_=ARRAY(BIGINT))
)
_RECORD = text("""
INSERT INTO customer_merge
    (state, kept_ref, gone_ref, kept_record, gone_record, rule, person, evidence, moved, event_ref, at)
VALUES (:state, :kept_ref, :gone_ref, :kept_record, :gone_record, :rule, :person, :evidence, :moved,
    :event_ref, :at)
ON CONFLICT (kept_record, gone_record) WHERE state = 'suggested' DO NOTHING
""").bindparams(
    bindparam("evidence", type_=JSONB),
    bindparam("person", type_=JSONB(none_as_null=True)),
    bindparam("moved", type_=ARRAY(BIGINT)),
)


async def record_merges(connection: AsyncConnection, merges: Sequence[Merge]) -> bool:
    """Let who moved count as the main one, and remember why; whether anyone was left behind.

    The caller holds the rows of everyone concerned.
    """
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


_PARTIES = """
SELECT ref, main_ref FROM customer
WHERE main_ref = ANY(ARRAY(SELECT main_ref FROM customer WHERE ref = ANY(:refs))) ORDER BY ref
"""
_HOLD = text(f"{_PARTIES} FOR UPDATE").bindparams(_REFS)
_HELD = text(_PARTIES).bindparams(_REFS)


async def _hold(connection: AsyncConnection, *refs: int) -> dict[int, int]:
    """Lock all who count as one with these customers; each with its main one."""
    locked = {row.ref: row.main_ref for row in await connection.execute(_HOLD, {"refs": list(refs)})}
    held = {row.ref: row.main_ref for row in await connection.execute(_HELD, {"refs": list(refs)})}
    for ref in refs:
        if ref not in held:
            raise UnknownCustomerError(f"there is no customer {ref}")
    if locked != held:
        raise RefusedMergeError("these customers have just changed; look at them and try again")
    return held


async def merge(connection: AsyncConnection, *, kept: int, gone: int, act: Act) -> CustomerMerge:
    """Let the customer `gone` count as `kept`, because a person says so.

    Raises UnknownCustomerError, or RefusedMergeError when they are one already.
    """
    held = await _hold(connection, kept, gone)
    made = _by_person(held, kept, gone, act)
    await record_merges(connection, [made])
    ref = await connection.scalar(
        text("SELECT max(ref) FROM customer_merge WHERE gone_record = :r"), {"r": gone}
    )
    return await _one(connection, ref or 0)


def _by_person(held: dict[int, int], kept: int, gone: int, act: Act) -> Merge:
    kept_ref, gone_ref = held[kept], held[gone]
    if kept_ref == gone_ref:
        raise RefusedMergeError(f"{kept} and {gone} are one customer already: {kept_ref}")
    return Merge(
        state=State.MERGED,
        kept_ref=kept_ref,
        gone_ref=gone_ref,
        kept_record=kept,
        gone_record=gone,
        rule=BY_PERSON,
        person=person_json(act.person),
        moved=tuple(ref for ref, main in held.items() if main == gone_ref),
        at=act.at,
    )


async def accept(connection: AsyncConnection, ref: int, act: Act) -> CustomerMerge:
    """Carry out a suggested merge; its evidence stays with it."""
    found = await _one(connection, ref)
    held = await _hold(connection, found.kept_record, found.gone_record)
    _require(await _one(connection, ref), State.SUGGESTED)
    made = _by_person(held, found.kept_record, found.gone_record, act)
    values = {"kept": made.kept_ref, "gone": made.gone_ref, "moved": list(made.moved)}
    await connection.execute(_MOVE, values)
    await connection.execute(
        text("""
        UPDATE customer_merge SET state = 'merged', kept_ref = :kept, gone_ref = :gone, moved = :moved,
            person = :person, at = :at WHERE ref = :ref
        """).bindparams(bindparam("moved", type_=ARRAY(BIGINT)), bindparam("person", type_=JSONB)),
        values | {"person": made.person, "at": act.at, "ref": ref},
    )
    return await _one(connection, ref)


async def dismiss(connection: AsyncConnection, ref: int, act: Act) -> CustomerMerge:
    """They are two people: never suggest or link these again."""
    found = await _one(connection, ref)
    await _hold(connection, found.kept_record, found.gone_record)
    _require(await _one(connection, ref), State.SUGGESTED)
    await _close(connection, ref, State.DISMISSED, act)
    return await _one(connection, ref)


_EDGES = text("""
SELECT ref, kept_record, gone_record FROM customer_merge
WHERE state = 'merged' AND (kept_record = ANY(:refs) OR gone_record = ANY(:refs))
""").bindparams(_REFS)
_LEAVE = text("""
UPDATE customer SET main_ref = :main, xid = pg_current_xact_id() WHERE ref = ANY(:refs)
""").bindparams(_REFS)


async def undo(connection: AsyncConnection, ref: int, act: Act) -> CustomerMerge:
    """Tell two customers apart again; everyone goes with those that they were linked to.

    Raises UnknownCustomerError, or RefusedMergeError for what isn't merged.
    """
    found = await _one(connection, ref)
    held = await _hold(connection, found.kept_record)
    _require(await _one(connection, ref), State.MERGED)
    rows = await connection.execute(_EDGES, {"refs": list(held)})
    edges = {row.ref: (row.kept_record, row.gone_record) for row in rows}
    leaving = split(edges, ref, held)
    if held[found.kept_record] in leaving:
        leaving = frozenset(held) - leaving
    main = next((r for r in (found.gone_ref, found.kept_ref) if r in leaving), min(leaving))
    await connection.execute(_LEAVE, {"main": main, "refs": sorted(leaving)})
    await _close(connection, ref, State.UNDONE, act)
    return await _one(connection, ref)


def _require(found: CustomerMerge, state: State) -> None:
    if found.state != state.value:
        raise RefusedMergeError(f"merge {found.ref} is {found.state}, not {state.value}")


async def _close(connection: AsyncConnection, ref: int, state: State, act: Act) -> None:
    await connection.execute(
        text("""
        UPDATE customer_merge SET state = :state, undone_at = :at, undone_by = :person WHERE ref = :ref
        """).bindparams(bindparam("person", type_=JSONB)),
        {"state": state.value, "at": act.at, "person": person_json(act.person), "ref": ref},
    )


_SHOWN = """
SELECT m.*, k.name AS kept_name, g.name AS gone_name
FROM customer_merge m JOIN customer k ON k.ref = m.kept_record JOIN customer g ON g.ref = m.gone_record
"""
# A suggestion about two who have become one meanwhile is none any more.
_LIST = text(f"""
{_SHOWN}
WHERE m.state = ANY(:states) AND (m.state <> 'suggested' OR k.main_ref <> g.main_ref)
    AND (CAST(:before AS bigint) IS NULL OR m.ref < :before)
ORDER BY m.ref DESC LIMIT :most
""").bindparams(bindparam("states", type_=ARRAY(TEXT)), bindparam("before", type_=BIGINT))
_OF = text(f"""
{_SHOWN} WHERE m.kept_record = ANY(:refs) OR m.gone_record = ANY(:refs) ORDER BY m.ref
""").bindparams(_REFS)


async def merges(
    connection: AsyncConnection, *, states: Iterable[State], before: int | None, most: int
) -> list[CustomerMerge]:
    """Merges in these states, latest first."""
    values = {"states": [state.value for state in states], "before": before, "most": most}
    return [_view(row) for row in (await connection.execute(_LIST, values)).mappings()]


async def merges_of(connection: AsyncConnection, refs: Sequence[int]) -> list[CustomerMerge]:
    """All merges that concern these customers, oldest first."""
    return [_view(row) for row in (await connection.execute(_OF, {"refs": list(refs)})).mappings()]


async def _one(connection: AsyncConnection, ref: int) -> CustomerMerge:
    row = (await connection.execute(text(f"{_SHOWN} WHERE m.ref = :ref"), {"ref": ref})).mappings().first()
    if row is None:
        raise UnknownCustomerError(f"there is no merge {ref}")
    return _view(row)


def _view(row: Any) -> CustomerMerge:
    return msgspec.convert(dict(row), CustomerMerge)
