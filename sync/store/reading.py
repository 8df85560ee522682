"""What people read: conversations, customers, and everything that belongs on a timeline."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import BIGINT, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import BindParameter, bindparam

from sync.thread import whole_attributes
from sync.views import (
    Attempt,
    Command,
    Conversation,
    Customer,
    FirstReply,
    LeaseChange,
    Message,
    Overlap,
)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which conversations; what is `None` is not asked about."""

    status: str | None = None
    channel: str | None = None
    connection: str | None = None
    lease: str | None = None
    customer_ref: int | None = None


_COLUMNS = """
SELECT v.*, u.main_ref, COALESCE(u.name, '') AS customer_name,
    m.author AS last_author, m.text AS last_text, m.sent_at AS last_sent_at
FROM conversation v
LEFT JOIN customer u ON u.ref = v.customer_ref
LEFT JOIN LATERAL (
    SELECT author, text, sent_at FROM message
    WHERE conversation_ref = v.ref AND NOT private ORDER BY sent_at DESC, ref DESC LIMIT 1
) m ON true
"""
_WANTED = """
(CAST(:status AS text) IS NULL OR v.status = :status)
AND (CAST(:channel AS text) IS NULL OR v.channel = :channel)
AND (CAST(:connection AS text) IS NULL OR v.connection = :connection)
AND (CAST(:lease AS text) IS NULL OR v.lease_holder = :lease)
AND (CAST(:customer_ref AS bigint) IS NULL
     OR v.customer_ref IN (SELECT ref FROM customer WHERE main_ref = :customer_ref))
"""
_WANTED_TYPES: list[BindParameter[Any]] = [
    *(bindparam(name, type_=TEXT) for name in ("status", "channel", "connection", "lease")),
    bindparam("customer_ref", type_=BIGINT),
]
_NEWEST = text(f"""
{_COLUMNS} WHERE {_WANTED} AND (CAST(:before AS bigint) IS NULL OR v.ref < :before)
ORDER BY v.ref DESC LIMIT :most
""").bindparams(*_WANTED_TYPES, bindparam("before", type_=BIGINT))
_LIVELIEST = text(f"""
{_COLUMNS} WHERE {_WANTED} AND v.last_message_at IS NOT NULL
    AND (CAST(:at AS timestamptz) IS NULL OR (v.last_message_at, v.ref) < (:at, CAST(:before AS bigint)))
ORDER BY v.last_message_at DESC, v.ref DESC LIMIT :most
""").bindparams(
    *_WANTED_TYPES, bindparam("before", type_=BIGINT), bindparam("at", type_=TIMESTAMP(timezone=True))
)
_ONE = text(f"{_COLUMNS} WHERE v.ref = :ref")


async def newest(
    connection: AsyncConnection, wanted: Wanted, *, before: int | None, most: int
) -> list[Conversation]:
    """Conversations, newest first, in an order that never changes: a walk meets each of them once."""
    values = msgspec.structs.asdict(wanted) | {"before": before, "most": most}
    rows = await connection.execute(_NEWEST, values)
    return [_conversation(dict(row)) for row in rows.mappings()]


async def liveliest(
    connection: AsyncConnection, wanted: Wanted, *, after: tuple[datetime, int] | None, most: int
) -> list[Conversation]:
    """Conversations by their last message, latest first; `after` is where the page before ended."""
    at, before = after or (None, None)
    values = msgspec.structs.asdict(wanted) | {"at": at, "before": before, "most": most}
    rows = await connection.execute(_LIVELIEST, values)
    return [_conversation(dict(row)) for row in rows.mappings()]


async def conversation(connection: AsyncConnection, ref: int) -> Conversation | None:
    """One conversation."""
    row = (await connection.execute(_ONE, {"ref": ref})).mappings().first()
    return None if row is None else _conversation(dict(row))


def _conversation(row: dict[str, Any]) -> Conversation:
    row["customer_ref"] = row["main_ref"]
    row["lease"] = {
        "holder": row["lease_holder"],
        "epoch": row["lease_epoch"],
        "since": row["lease_since"],
        "person": row["lease_person"],
    }
    if row["last_author"] is not None:
        row["last_message"] = {
            "author": row["last_author"],
            "text": row["last_text"],
            "sent_at": row["last_sent_at"],
        }
    return msgspec.convert(row, Conversation)


_PARTY = text("""
SELECT c.*, (SELECT jsonb_agg(jsonb_build_object(
        'connection', i.connection, 'kind', i.kind, 'value', i.value,
        'normal', i.normal, 'verified', i.verified, 'deleted_at', i.deleted_at) ORDER BY i.ref)
    FROM identity i WHERE i.customer_ref = c.ref) AS identities
FROM customer c
WHERE c.main_ref = (SELECT main_ref FROM customer WHERE ref = :ref)
ORDER BY c.ref <> c.main_ref, c.ref
""")


async def customer(connection: AsyncConnection, ref: int) -> Customer | None:
    """The person that this customer counts as, with the addresses of all."""
    rows = [dict(row) for row in (await connection.execute(_PARTY, {"ref": ref})).mappings()]
    if not rows:
        return None
    main = rows[0]
    whole = {
        "name": next((row["name"] for row in rows if row["name"]), ""),
        "language": next((row["language"] for row in rows if row["language"]), None),
        "attributes": whole_attributes(row["attributes"] for row in rows),
        "identities": [found for row in rows for found in row["identities"] or []],
        "refs": sorted(row["ref"] for row in rows),
    }
    return msgspec.convert(main | whole, Customer)


async def messages_of(connection: AsyncConnection, conversation_ref: int) -> list[Message]:
    """All messages of a conversation."""
    rows = await connection.execute(
        text("SELECT * FROM message WHERE conversation_ref = :of ORDER BY sent_at, ref"),
        {"of": conversation_ref},
    )
    return [
        msgspec.convert(dict(row) | {"attachments": files_of(row["attachments"])}, Message)
        for row in rows.mappings()
    ]


def files_of(attachments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files as people may see them: not where they lie, which may open them for whoever knows it."""
    return [
        {
            "number": number,
            "name": item.get("name") or "file",
            "content_type": item.get("content_type") or "application/octet-stream",
            "size": item.get("size"),
            "openable": bool(item.get("url")),
        }
        for number, item in enumerate(attachments, 1)
    ]


class Place(Struct, frozen=True, kw_only=True):
    """A message's files as they are stored, and where the message was said."""

    conversation_ref: int
    connection: str
    conversation_id: str
    message_id: str
    attachments: list[dict[str, Any]]


async def files_at(connection: AsyncConnection, message_ref: int) -> Place | None:
    """The files of a message, with where they lie."""
    row = (
        await connection.execute(
            text("""
            SELECT m.conversation_ref, v.connection, v.id AS conversation_id, m.id AS message_id,
                m.attachments
            FROM message m JOIN conversation v ON v.ref = m.conversation_ref WHERE m.ref = :ref
            """),
            {"ref": message_ref},
        )
    ).mappings()
    found = row.first()
    return None if found is None else msgspec.convert(dict(found), Place)


async def leases_of(connection: AsyncConnection, conversation_ref: int) -> list[LeaseChange]:
    """The history of a conversation's lease."""
    return await _all(
        connection,
        "SELECT * FROM lease_change WHERE conversation_ref = :of ORDER BY epoch",
        conversation_ref,
        LeaseChange,
    )


async def deleted_at(connection: AsyncConnection, conversation_ref: int) -> datetime | None:
    """Since when the vendor has a conversation no more."""
    statement = text("SELECT deleted_at FROM conversation WHERE ref = :of")
    found: datetime | None = await connection.scalar(statement, {"of": conversation_ref})
    return found


async def overlaps_of(connection: AsyncConnection, conversation_ref: int) -> list[Overlap]:
    """When a person and our AI spoke at once in a conversation."""
    return await _all(
        connection,
        "SELECT * FROM overlap WHERE conversation_ref = :of AND state = 'confirmed' ORDER BY ref",
        conversation_ref,
        Overlap,
    )


_OVERLAPS = text("""
SELECT * FROM overlap WHERE state = 'confirmed' AND (CAST(:before AS bigint) IS NULL OR ref < :before)
ORDER BY ref DESC LIMIT :most
""").bindparams(bindparam("before", type_=BIGINT))


async def overlaps(connection: AsyncConnection, *, before: int | None, most: int) -> list[Overlap]:
    """When a person and our AI spoke at once, anywhere, latest first."""
    rows = await connection.execute(_OVERLAPS, {"before": before, "most": most})
    return [msgspec.convert(dict(row), Overlap) for row in rows.mappings()]


async def commands_of(connection: AsyncConnection, conversation_ref: int) -> list[Command]:
    """All commands of a conversation, each with its attempts."""
    attempts = await connection.execute(
        text("""
        SELECT a.* FROM attempt a JOIN command c ON c.ref = a.command_ref
        WHERE c.conversation_ref = :of ORDER BY a.ref
        """),
        {"of": conversation_ref},
    )
    tries: dict[int, list[Attempt]] = {}
    for row in attempts.mappings():
        tries.setdefault(row["command_ref"], []).append(msgspec.convert(dict(row), Attempt))
    rows = await connection.execute(
        text("SELECT * FROM command WHERE conversation_ref = :of ORDER BY ref"), {"of": conversation_ref}
    )
    return [
        msgspec.convert(
            dict(row) | {"attempts": tries.get(row["ref"], []), "body": _shown(row["body"])}, Command
        )
        for row in rows.mappings()
    ]


def _shown(body: dict[str, Any]) -> dict[str, Any]:
    files = body.get("attachments")
    return body | {"attachments": files_of(files)} if files else body


async def _all(connection: AsyncConnection, query: str, of: int, kind: type[Any]) -> list[Any]:
    rows = await connection.execute(text(query), {"of": of})
    return [msgspec.convert(dict(row), kind) for row in rows.mappings()]


async def count_leases(connection: AsyncConnection, *, most: int) -> dict[str, int]:
    """How many of the latest conversations each holder has."""
    rows = await connection.execute(
        text("""
        SELECT lease_holder, count(*) AS n
        FROM (SELECT lease_holder FROM conversation ORDER BY ref DESC LIMIT :most) latest
        GROUP BY lease_holder
        """),
        {"most": most},
    )
    return {row.lease_holder: row.n for row in rows}


async def first_replies(connection: AsyncConnection, *, most: int) -> Sequence[FirstReply]:
    """When the latest answered turns got their reply."""
    rows = await connection.execute(
        text("""
        SELECT conversation_ref, turn, min(done_at) AS at FROM (
            SELECT conversation_ref, turn, done_at FROM command
            WHERE kind = 'reply' AND state = 'done' AND turn IS NOT NULL ORDER BY ref DESC LIMIT :most
        ) latest GROUP BY conversation_ref, turn
        """),
        {"most": most},
    )
    return [msgspec.convert(dict(row), FirstReply) for row in rows.mappings()]
