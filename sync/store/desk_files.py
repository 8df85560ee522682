"""The files that people at the built-in desk send: kept in parts, taken by one reply, then gone."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, INTERVAL
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.views import DeskFile

SOURCE = "desk/files"
"""The `source` of attachments that lie here: no connection can be called so."""
UNTAKEN = timedelta(hours=1)
"""How long a file waits for a reply that takes it."""
MAY_FAIL = timedelta(minutes=10)
"""How long one that was sent is kept: till then, a vendor may still say that it did not arrive."""

_KEEP = text("""
INSERT INTO desk_file (hand_off_ref, conversation_ref, name, content_type, size, created_at, expires_at)
SELECT ref, conversation_ref, :name, :content_type, :size, :now, CAST(:now AS timestamptz) + :lasts
FROM hand_off WHERE ref = :hand_off RETURNING *
""").bindparams(bindparam("lasts", type_=INTERVAL))
_PART = text(
    "INSERT INTO desk_file_part (file_ref, number, content) VALUES (:ref, :number, :content)"
).bindparams(bindparam("content", type_=LargeBinary))


async def keep(
    connection: AsyncConnection,
    parts: Iterable[bytes],
    *,
    hand_off: int,
    name: str,
    content_type: str,
    size: int,
    now: datetime,
) -> DeskFile:
    """Keep a file for a reply in this hand-off, which exists."""
    given = {"hand_off": hand_off, "name": name, "content_type": content_type, "size": size}
    row = (await connection.execute(_KEEP, given | {"now": now, "lasts": UNTAKEN})).mappings().one()
    kept = msgspec.convert(dict(row), DeskFile)
    for number, content in enumerate(parts):
        await connection.execute(_PART, {"ref": kept.ref, "number": number, "content": content})
    return kept


async def count_untaken(connection: AsyncConnection, hand_off: int, *, now: datetime) -> int:
    """How many files of a hand-off no reply has taken yet."""
    counted = await connection.scalar(
        text("""
        SELECT count(*) FROM desk_file
        WHERE hand_off_ref = :hand_off AND taken_at IS NULL AND expires_at > :now
        """),
        {"hand_off": hand_off, "now": now},
    )
    return int(counted or 0)


_TAKE = text("""
UPDATE desk_file SET taken_at = :now, expires_at = CAST(:now AS timestamptz) + :lasts
WHERE ref = ANY(:refs) AND hand_off_ref = :hand_off AND taken_at IS NULL AND expires_at > :now
RETURNING *
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)), bindparam("lasts", type_=INTERVAL))


async def take(
    connection: AsyncConnection, refs: Sequence[int], *, hand_off: int, now: datetime, lasts: timedelta
) -> list[DeskFile]:
    """Give files to a reply, in this order; those that are there, are this hand-off's, and nobody took."""
    given = {"refs": list(refs), "hand_off": hand_off, "now": now, "lasts": lasts}
    rows = (await connection.execute(_TAKE, given)).mappings()
    taken = {row["ref"]: msgspec.convert(dict(row), DeskFile) for row in rows}
    return [taken[ref] for ref in dict.fromkeys(refs) if ref in taken]


async def read(connection: AsyncConnection, ref: int) -> AsyncIterator[bytes]:
    """The content of a file, a part at a time; nothing of one that is gone."""
    number = 0
    while True:
        content: bytes | None = await connection.scalar(
            text("SELECT content FROM desk_file_part WHERE file_ref = :ref AND number = :number"),
            {"ref": ref, "number": number},
        )
        if content is None:
            return
        yield content
        number += 1


# The parts of one command's files are few, and so are the commands of one conversation.
_FORGET = text("""
WITH gone AS (
    DELETE FROM desk_file f WHERE f.expires_at <= :now OR (f.taken_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM command c WHERE c.conversation_ref = f.conversation_ref AND c.kind = 'reply'
          AND (c.state IN ('waiting', 'in_flight', 'parked')
            OR (c.state = 'done' AND c.done_at > CAST(:now AS timestamptz) - :may_fail))
          AND c.body -> 'attachments' @> jsonb_build_array(
            jsonb_build_object('id', CAST(f.ref AS text), 'source', CAST(:source AS text)))))
    RETURNING f.ref
), parts AS (DELETE FROM desk_file_part p USING gone WHERE p.file_ref = gone.ref)
SELECT count(*) FROM gone
""").bindparams(bindparam("may_fail", type_=INTERVAL))


async def forget(connection: AsyncConnection, *, now: datetime) -> int:
    """Delete what nothing needs any more: sent, withdrawn, dropped, too old; how many files that were."""
    given = {"now": now, "may_fail": MAY_FAIL, "source": SOURCE}
    return int(await connection.scalar(_FORGET, given) or 0)
