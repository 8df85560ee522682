"""What reconciling reads and keeps: what we hold, what differed, what a full pass didn't meet."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from adapters.model import PullKind
from sync.compare import HeldConversation, HeldCustomer, HeldMessage
from sync.store import deletions

_IDS = bindparam("ids", type_=ARRAY(TEXT))
_CONVERSATIONS = text("""
SELECT v.id, v.ref, v.channel, v.stream, v.status, v.tags, v.assignee, v.subject, v.url, v.attributes,
       v.vendor_updated_at, v.deleted_at, i.value AS customer_id
FROM conversation v
LEFT JOIN LATERAL (
    SELECT value FROM identity i
    WHERE i.customer_ref = v.customer_ref AND i.connection = v.connection AND i.kind = 'vendor' LIMIT 1
) i ON true
WHERE v.connection = :name AND v.id = ANY(:ids)
""").bindparams(_IDS)
_CUSTOMERS = text("""
SELECT w.value AS id, c.ref, c.name, c.language, c.attributes, c.vendor_updated_at, (
    SELECT jsonb_agg(jsonb_build_array(i.kind, i.value)) FROM identity i
    WHERE i.customer_ref = c.ref AND i.connection = :name) AS known
FROM identity w JOIN customer c ON c.ref = w.customer_ref
WHERE w.connection = :name AND w.kind = 'vendor' AND w.value = ANY(:ids)
""").bindparams(_IDS)
_MESSAGES = text("""
SELECT v.id AS conversation_id, m.id, m.text, m.command_ref IS NOT NULL AS own, m.seen_at
FROM unnest(:conversations, :ids) AS w(conversation_id, id)
JOIN conversation v ON v.connection = :name AND v.id = w.conversation_id
JOIN message m ON m.conversation_ref = v.ref AND m.id = w.id
""").bindparams(bindparam("conversations", type_=ARRAY(TEXT)), _IDS)


async def held_conversations(
    connection: AsyncConnection, name: str, ids: Sequence[str]
) -> dict[str, HeldConversation]:
    """The conversations among these ids that we hold."""
    if not ids:
        return {}
    rows = await connection.execute(_CONVERSATIONS, {"name": name, "ids": list(ids)})
    return {row.id: _convert(row, HeldConversation) for row in rows}


async def held_customers(
    connection: AsyncConnection, name: str, ids: Sequence[str]
) -> dict[str, HeldCustomer]:
    """The customers among these ids that we hold."""
    if not ids:
        return {}
    rows = await connection.execute(_CUSTOMERS, {"name": name, "ids": list(ids)})
    return {row.id: _convert(row, HeldCustomer) for row in rows}


async def held_messages(
    connection: AsyncConnection, name: str, addresses: Iterable[tuple[str, str]]
) -> dict[str, dict[str, HeldMessage]]:
    """The messages among these (conversation, message) that we hold, by conversation."""
    pairs = list(addresses)
    found: dict[str, dict[str, HeldMessage]] = {}
    if pairs:
        values = {"conversations": [pair[0] for pair in pairs], "ids": [pair[1] for pair in pairs]}
        for row in await connection.execute(_MESSAGES, {"name": name, **values}):
            held = HeldMessage(text=row.text, own=row.own, seen_at=row.seen_at)
            found.setdefault(row.conversation_id, {})[row.id] = held
    return found


def _convert(row: Any, held: Any) -> Any:
    values = {name: value for name, value in row._mapping.items() if value is not None}  # noqa: SLF001 - public
    nullable = {"assignee": None, "language": None, "vendor_updated_at": None}
    return msgspec.convert(nullable | values, held)


class Difference(Struct, frozen=True, kw_only=True):
    """A record that differed: in what, which events heal it, and what became of it.

    `outcome` is `found` while it is open, then `healed` or `unhealed`.
    """

    kind: PullKind
    id: str
    why: tuple[str, ...]
    event_keys: tuple[str, ...] = ()
    outcome: str = "found"
    reason: str | None = None


_DIFFER = text("""
INSERT INTO pull_difference (run_ref, kind, id, why, event_keys, outcome)
SELECT :run, kind, id, ARRAY(SELECT jsonb_array_elements_text(why)),
       ARRAY(SELECT jsonb_array_elements_text(event_keys)), 'found'
FROM jsonb_to_recordset(:rows) AS r(kind text, id text, why jsonb, event_keys jsonb)
ON CONFLICT (run_ref, kind, id) DO UPDATE SET
    why = ARRAY(SELECT DISTINCT unnest(pull_difference.why || excluded.why)),
    event_keys = ARRAY(SELECT DISTINCT unnest(pull_difference.event_keys || excluded.event_keys))
RETURNING xmax = 0 AS is_new, kind
""").bindparams(bindparam("rows", type_=JSONB))


async def add_differences(
    connection: AsyncConnection, run: int, found: Sequence[Difference]
) -> dict[str, int]:
    """Note what differed; how many records of each kind weren't noted before."""
    fresh: dict[str, int] = {}
    if found:
        rows = await connection.execute(_DIFFER, {"run": run, "rows": msgspec.to_builtins(found)})
        for row in rows:
            fresh[row.kind] = fresh.get(row.kind, 0) + bool(row.is_new)
    return fresh


async def list_differences(
    connection: AsyncConnection, run: int, *, after: tuple[str, str] = ("", ""), most: int
) -> list[Difference]:
    """What a run found to differ, in order."""
    rows = await connection.execute(
        text("""
        SELECT * FROM pull_difference WHERE run_ref = :run AND (kind, id) > (:kind, :id)
        ORDER BY kind, id LIMIT :most
        """),
        {"run": run, "kind": after[0], "id": after[1], "most": most},
    )
    return [msgspec.convert(dict(row._mapping), Difference) for row in rows]  # noqa: SLF001 - public


class Healing(Struct, frozen=True, kw_only=True):
    """An event that was to heal a difference: its state, and the changes in it."""

    key: str
    state: str
    reason: str | None
    body: bytes


async def load_healings(connection: AsyncConnection, name: str, keys: Sequence[str]) -> dict[str, Healing]:
    """The events with these keys."""
    rows = await connection.execute(
        text("""
        SELECT i.key, i.state, i.reason, p.body FROM inbox i
        JOIN payload p ON p.inbox_ref = i.ref AND p.received_at = i.received_at
        WHERE i.connection = :name AND i.key = ANY(:keys)
        """).bindparams(bindparam("keys", type_=ARRAY(TEXT))),
        {"name": name, "keys": list(keys)},
    )
    return {row.key: Healing(key=row.key, state=row.state, reason=row.reason, body=row.body) for row in rows}


async def conclude(connection: AsyncConnection, run: int, outcomes: Sequence[Difference]) -> None:
    """Store what became of differences."""
    rows = [{"kind": d.kind.value, "id": d.id, "outcome": d.outcome, "reason": d.reason} for d in outcomes]
    await connection.execute(
        text("""
        UPDATE pull_difference d SET outcome = r.outcome, reason = r.reason
        FROM jsonb_to_recordset(:rows) AS r(kind text, id text, outcome text, reason text)
        WHERE d.run_ref = :run AND d.kind = r.kind AND d.id = r.id
        """).bindparams(bindparam("rows", type_=JSONB)),
        {"run": run, "rows": rows},
    )


async def count_outcomes(connection: AsyncConnection, run: int) -> dict[str, int]:
    """How many differences ended how."""
    rows = await connection.execute(
        text("SELECT outcome, count(*) AS n FROM pull_difference WHERE run_ref = :run GROUP BY outcome"),
        {"run": run},
    )
    return {row.outcome: row.n for row in rows}


async def see(
    connection: AsyncConnection, run: int, kind: PullKind, ids: Sequence[str], *, name: str
) -> None:
    """Note that a full pass met these records; a mark that says they are gone was wrong, or is over."""
    if not ids:
        return
    await connection.execute(
        text("""
        INSERT INTO pull_seen (run_ref, kind, id) SELECT :run, :kind, id FROM unnest(:ids) AS s(id)
        ON CONFLICT DO NOTHING
        """).bindparams(_IDS),
        {"run": run, "kind": kind.value, "ids": sorted(set(ids))},
    )
    await connection.execute(_UNMARK[kind], {"name": name, "ids": list(ids)})


_MARKS = {
    PullKind.CONVERSATIONS: """
        UPDATE conversation SET deleted_at = {at}, xid = pg_current_xact_id()
        WHERE connection = :name AND id = ANY(:ids) AND deleted_at {was} RETURNING ref
        """,
    PullKind.CUSTOMERS: """
        UPDATE identity SET deleted_at = {at}
        WHERE connection = :name AND kind = 'vendor' AND value = ANY(:ids) AND deleted_at {was}
        RETURNING customer_ref
        """,
}
_MARK, _UNMARK = (
    {kind: text(mark.format(at=at, was=was)).bindparams(_IDS) for kind, mark in _MARKS.items()}
    for at, was in ((":now", "IS NULL"), ("NULL", "IS NOT NULL"))
)
_UNSEEN = {
    PullKind.CONVERSATIONS: """
        SELECT v.id FROM conversation v
        WHERE v.connection = :name AND v.id > :after AND v.deleted_at IS NULL AND v.created_at < :before
          AND NOT EXISTS (SELECT 1 FROM pull_seen s
                          WHERE s.run_ref = :run AND s.kind = 'conversations' AND s.id = v.id)
        ORDER BY v.id LIMIT :most
        """,
    PullKind.CUSTOMERS: """
        SELECT i.value AS id FROM identity i JOIN customer c ON c.ref = i.customer_ref
        WHERE i.connection = :name AND i.kind = 'vendor' AND i.value > :after
          AND i.deleted_at IS NULL AND c.created_at < :before
          AND NOT EXISTS (SELECT 1 FROM pull_seen s
                          WHERE s.run_ref = :run AND s.kind = 'customers' AND s.id = i.value)
        ORDER BY i.value LIMIT :most
        """,
}


async def unseen(
    connection: AsyncConnection,
    run: int,
    kind: PullKind,
    *,
    name: str,
    before: datetime,
    after: str,
    most: int,
) -> list[str]:
    """Records from before the pass that it didn't meet, in order of their ids."""
    values = {"run": run, "name": name, "before": before, "after": after, "most": most}
    return list((await connection.execute(text(_UNSEEN[kind]), values)).scalars())


async def mark_gone(
    connection: AsyncConnection, kind: PullKind, ids: Sequence[str], *, name: str, now: datetime
) -> int:
    """Mark records that the vendor has no more; they stay. How many weren't marked before."""
    done = await connection.execute(_MARK[kind], {"name": name, "ids": list(ids), "now": now})
    marked = done.scalars().all()
    settle = deletions.settle if kind is PullKind.CONVERSATIONS else deletions.settle_customers
    await settle(connection, marked)
    return len(marked)


async def forget(connection: AsyncConnection, run: int, *, name: str, keep: int) -> None:
    """Drop what a pass that has ended met, and the differences of all but the last `keep` passes."""
    await connection.execute(text("DELETE FROM pull_seen WHERE run_ref = :run"), {"run": run})
    await connection.execute(
        text("""
        DELETE FROM pull_difference WHERE run_ref IN (
            SELECT ref FROM pull_run WHERE connection = :name AND purpose = 'reconcile'
            ORDER BY ref DESC OFFSET :keep)
        """),
        {"name": name, "keep": keep},
    )


async def count_extra(
    connection: AsyncConnection, name: str, met: dict[str, int], *, before: datetime
) -> dict[str, int]:
    """Of each conversation, how many messages from before the vendor no longer has: all but those `met`."""
    rows = await connection.execute(
        text("""
        SELECT v.id, count(*) - w.met AS extra
        FROM unnest(:ids, CAST(:met AS bigint[])) AS w(id, met)
        JOIN conversation v ON v.connection = :name AND v.id = w.id
        JOIN message m ON m.conversation_ref = v.ref AND m.seen_at < :before
        GROUP BY v.id, w.met HAVING count(*) > w.met
        """).bindparams(_IDS),
        {"name": name, "ids": list(met), "met": list(met.values()), "before": before},
    )
    return {row.id: row.extra for row in rows}
