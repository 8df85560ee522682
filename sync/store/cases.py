"""Linked conversations: holding a case, and writing it back.

Whoever changes a case holds the rows of all its conversations, locked in the order of their refs.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, delete, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from sync.case_tables import ConversationLink
from sync.cases import CaseRecord
from sync.store import conflicts, field_updates
from sync.store.customers import PeopleMovedError
from sync.store.field_updates import Differing

_REFS = bindparam("refs", type_=ARRAY(BIGINT))
_MAINS = bindparam("mains", type_=ARRAY(BIGINT))
_LINKED = text("""
SELECT DISTINCT main_ref FROM conversation_link WHERE conversation_ref = ANY(:refs)
""").bindparams(_REFS)
_LOCK = text("""
SELECT conversation_ref FROM conversation_link WHERE main_ref = ANY(:mains)
ORDER BY conversation_ref FOR UPDATE
""").bindparams(_MAINS)
# Apart from the locking: only a statement that begins with the locks held sees what others have just written.
_READ = text("""
SELECT l.*, v.connection, v.id, v.deleted_at IS NOT NULL OR EXISTS (
        SELECT 1 FROM hand_off h WHERE h."to" = v.connection AND h.ticket = v.id
        HAVING count(*) > 0 AND bool_and(h.state NOT IN ('offered', 'claimed'))) AS left_alone,
    jsonb_build_object('status', v.status, 'subject', v.subject, 'tags', v.tags,
    'attributes', v.attributes, 'vendor_updated_at', v.vendor_updated_at) AS mirrored
FROM conversation_link l JOIN conversation v ON v.ref = l.conversation_ref
WHERE l.main_ref = ANY(:mains) ORDER BY l.conversation_ref <> l.main_ref, l.conversation_ref
""").bindparams(_MAINS)


async def hold(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, CaseRecord]:
    """All records of the cases of these conversations, by ref, until the transaction ends.

    Empty if none is linked. Raises PeopleMovedError.
    """
    wanted = sorted(set(refs))
    mains = list(await connection.scalars(_LINKED, {"refs": wanted}))
    if not mains:
        return {}
    locked = set(await connection.scalars(_LOCK, {"mains": mains}))
    held = {row.conversation_ref: _record(row) for row in await connection.execute(_READ, {"mains": mains})}
    if held.keys() != locked:
        raise PeopleMovedError("a conversation was linked or unlinked while we waited for it")
    for record in held.values():
        record.kin = [k for k in held.values() if k.main_ref == record.main_ref and k is not record]
    return held


def _record(row: Any) -> CaseRecord:
    """Of one that was never heard, the mirror knows best."""
    said = {name: getattr(row, name) for name in _SAID} if row.shared else row.mirrored
    case = msgspec.convert(
        {
            **said,
            "ref": row.conversation_ref,
            "main_ref": row.main_ref,
            "connection": row.connection,
            "id": row.id,
            "deleted": row.left_alone,
            "shared": row.shared,
            "golden": row.golden,
        },
        CaseRecord,
    )
    case.status = "" if case.status == "unknown" else case.status
    case.tags = sorted(set(case.tags))
    return case


_SAID = ("status", "subject", "tags", "attributes", "vendor_updated_at")
_LINKS = upsert(ConversationLink)
_NEW = _LINKS.on_conflict_do_nothing()
_SAVE = _LINKS.on_conflict_do_update(
    index_elements=["conversation_ref"],
    set_={name: _LINKS.excluded[name] for name in ("main_ref", *_SAID, "shared", "golden")},
)


async def add(connection: AsyncConnection, refs: Iterable[int]) -> None:
    """Make a case of one of each conversation that has none; in order, so that nobody waits in a ring."""
    bare = {"status": "", "tags": [], "shared": {}, "golden": {}}
    rows = [{"conversation_ref": ref, "main_ref": ref, **bare} for ref in sorted(set(refs))]
    await connection.execute(_NEW, rows)


async def save(connection: AsyncConnection, records: Iterable[CaseRecord]) -> None:
    """Write what has changed in held cases, and in conflicts over their fields."""
    everyone = sorted(records, key=lambda each: each.ref)
    if rows := [_row(each) for each in everyone if each.dirty]:
        await connection.execute(_SAVE, rows)
    await conflicts.save(connection, everyone, of="conversation_ref")


def _row(case: CaseRecord) -> dict[str, Any]:
    return {
        "conversation_ref": case.ref,
        "main_ref": case.main_ref,
        **{name: getattr(case, name) for name in _SAID},
        "shared": msgspec.to_builtins(case.shared),
        "golden": msgspec.to_builtins(case.golden),
    }


async def remove(connection: AsyncConnection, records: Iterable[CaseRecord]) -> None:
    """These are part of no case any more."""
    gone = [each.ref for each in records]
    await connection.execute(delete(ConversationLink).where(col(ConversationLink.conversation_ref).in_(gone)))


_HOLD_COMMAND = text("SELECT FROM command WHERE ref = :ref FOR NO KEY UPDATE")
_NOTE_STATUS = text("""
UPDATE command SET body = jsonb_strip_nulls(body || jsonb_build_object('status', CAST(:status AS text)))
WHERE ref = :ref
""")


async def hold_command(connection: AsyncConnection, command_ref: int) -> None:
    """Lock a command whose status may be noted, before its case is held: lanes go in that order, too."""
    await connection.execute(_HOLD_COMMAND, {"ref": command_ref})


async def note_status(connection: AsyncConnection, command_ref: int, status: str | None) -> None:
    """Note in the ledger which status this command is about to set, if any: told back, it is ours."""
    await connection.execute(_NOTE_STATUS, {"ref": command_ref, "status": status})


_DIFFERING = text("""
WITH page AS (
    SELECT conversation_ref AS ref, main_ref, shared FROM conversation_link
    WHERE conversation_ref > :after ORDER BY conversation_ref LIMIT :most)
SELECT (SELECT max(ref) FROM page) AS upto, ARRAY(
    SELECT p.ref FROM page p
    CROSS JOIN LATERAL (SELECT golden FROM conversation_link WHERE conversation_ref = p.main_ref LIMIT 1) AS g
    CROSS JOIN LATERAL (SELECT connection FROM conversation
        WHERE ref = p.ref AND deleted_at IS NULL LIMIT 1) AS v
    WHERE EXISTS (
        SELECT 1 FROM unnest(:connections, :names) AS w(connection, name)
        WHERE w.connection = v.connection AND g.golden -> w.name IS NOT NULL
          AND COALESCE(p.shared -> w.name -> 'meant', p.shared -> w.name -> 'held')
            IS DISTINCT FROM (g.golden -> w.name -> 'value'))
    ORDER BY p.ref) AS refs
""").bindparams(*field_updates.WRITTEN)


async def differing(
    connection: AsyncConnection, written: Sequence[tuple[str, str]], *, after: int, most: int = 2000
) -> Differing:
    """Which of the next linked conversations may be behind: `field_updates.differing` of customers."""
    return await field_updates.page_of(connection, _DIFFERING, written, after=after, most=most)


class LinkedConversation(Struct, frozen=True, kw_only=True):
    """A conversation of a case: where it lives, and what it holds there as far as we were told."""

    ref: int
    connection: str
    id: str
    subject: str
    status: str
    tags: list[str]


_SHOWN = text("""
SELECT v.ref, v.connection, v.id, v.subject, v.status, v.tags
FROM conversation_link own JOIN conversation_link l ON l.main_ref = own.main_ref
JOIN conversation v ON v.ref = l.conversation_ref
WHERE own.conversation_ref = :ref ORDER BY v.ref
""")


async def linked(connection: AsyncConnection, ref: int) -> list[LinkedConversation]:
    """The conversations of this one's case, itself among them; none if it isn't linked."""
    rows = await connection.execute(_SHOWN, {"ref": ref})
    return [msgspec.convert(dict(row), LinkedConversation) for row in rows.mappings()]


async def addresses(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Where these conversations live: connection and id, by ref."""
    found = await connection.execute(
        text("SELECT ref, connection, id FROM conversation WHERE ref = ANY(:refs)").bindparams(_REFS),
        {"refs": sorted(set(refs))},
    )
    return {row.ref: (row.connection, row.id) for row in found}
