"""The only queries on knowledge. Nothing here commits: the caller owns the transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TIMESTAMP, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from config.database import Direct
from knowledge import tables as _tables  # noqa: F401 - fills the metadata
from knowledge.drafts import Draft
from knowledge.retrieval import IndexedPassage, IndexedRevision

article = SQLModel.metadata.tables["article"]
revision = SQLModel.metadata.tables["revision"]
passage = SQLModel.metadata.tables["passage"]

WAKE_KNOWLEDGE = "deskbridge_knowledge"
_WRITERS_LOCK = 7_203_117


class Head(msgspec.Struct, frozen=True):
    """Where an article stands: its newest revision, and whether it is withdrawn."""

    article_ref: int
    number: int
    checksum: str
    is_withdrawn: bool


class StoredRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision as it was written, whatever has happened to its article since."""

    ref: int
    number: int
    article_id: str
    language: str
    title: str
    body: str
    questions: tuple[str, ...]
    url: str | None
    source: str
    checksum: str
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An article with its newest revision, served or not."""

    id: str
    language: str
    title: str
    revision: int
    valid_from: datetime | None
    valid_until: datetime | None
    withdrawn_at: datetime | None

    def state(self, now: datetime) -> str:
        """What keeps this revision from being served, if anything does."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.valid_from is not None and self.valid_from > now:
            return "not yet valid"
        if self.valid_until is not None and self.valid_until <= now:
            return "expired"
        return "served"


State = tuple[int, int, datetime | None]


async def lock_writers(connection: AsyncConnection) -> None:
    """One writer of knowledge at a time, until its transaction ends: revision refs then only grow."""
    await connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))


async def announce(connection: AsyncConnection) -> None:
    """Tell every worker that knowledge has changed, once the transaction is committed."""
    await connection.execute(select(func.pg_notify(WAKE_KNOWLEDGE, "")))


async def load_heads(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Head]:
    """The newest revision of each article among `ids`."""
    newest = (
        select(article.c.id, article.c.ref, revision.c.number, revision.c.checksum, article.c.withdrawn_at)
        .join(revision, revision.c.article_ref == article.c.ref)
        .where(article.c.id == func.any(bindparam("ids", list(ids))))
        .ext(distinct_on(article.c.ref))
        .order_by(article.c.ref, revision.c.number.desc())
    )
    rows = await connection.execute(newest)
    return {row[0]: Head(row[1], row[2], row[3], row[4] is not None) for row in rows}


async def load_articles(connection: AsyncConnection) -> list[Listed]:
    """Every article, by id."""
    rows = await connection.execute(
        select(
            article.c.id,
            article.c.language,
            article.c.title,
            revision.c.number.label("revision"),
            revision.c.valid_from,
            revision.c.valid_until,
            article.c.withdrawn_at,
        )
        .join(revision, revision.c.article_ref == article.c.ref)
        .ext(distinct_on(article.c.id))
        .order_by(article.c.id, revision.c.number.desc())
    )
    return [msgspec.convert(row, Listed, from_attributes=True) for row in rows]


async def add_articles(
    connection: AsyncConnection, drafts: Sequence[Draft], *, now: datetime
) -> dict[str, int]:
    """Store new articles, without revisions yet; their refs by id."""
    rows = [{"id": d.id, "language": d.language, "title": d.title, "created_at": now} for d in drafts]
    added = await connection.execute(insert(article).returning(article.c.id, article.c.ref), rows)
    return {row[0]: row[1] for row in added}


async def add_revisions(
    connection: AsyncConnection, drafts: Sequence[tuple[int, int, Draft]], *, now: datetime
) -> None:
    """Store `(article ref, number, draft)` as revisions with their passages; articles take on their title."""
    rows = [_revision_row(ref, number, draft, now) for ref, number, draft in drafts]
    added = await connection.execute(
        insert(revision).returning(revision.c.ref, sort_by_parameter_order=True), rows
    )
    refs = added.scalars().all()
    pieces = [
        row for ref, (_, _, draft) in zip(refs, drafts, strict=True) for row in _passage_rows(ref, draft)
    ]
    await connection.execute(insert(passage), pieces)
    renamed = [{"target": ref, "title": d.title, "language": d.language} for ref, n, d in drafts if n > 1]
    if renamed:
        await connection.execute(update(article).where(article.c.ref == bindparam("target")), renamed)


def _revision_row(article_ref: int, number: int, draft: Draft, now: datetime) -> dict[str, Any]:
    return {
        "article_ref": article_ref,
        "number": number,
        "language": draft.language,
        "title": draft.title,
        "body": draft.body,
        "questions": list(draft.questions),
        "tags": list(draft.tags),
        "url": draft.url,
        "checksum": draft.checksum,
        "source": draft.source,
        "valid_from": draft.valid_from,
        "valid_until": draft.valid_until,
        "created_at": now,
    }


def _passage_rows(revision_ref: int, draft: Draft) -> list[dict[str, Any]]:
    return [
        {
            "revision_ref": revision_ref,
            "position": position,
            "start_offset": piece.start,
            "end_offset": piece.end,
            "heading": piece.heading,
            "question": piece.question,
            "text": draft.body[piece.start : piece.end],
        }
        for position, piece in enumerate(draft.pieces)
    ]


async def withdraw(connection: AsyncConnection, ids: Collection[str], *, now: datetime) -> int:
    """Stop serving these articles, whatever is imported later; how many it stopped."""
    await lock_writers(connection)
    result = await connection.execute(
        update(article)
        .where(article.c.id.in_(ids), article.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )
    return result.rowcount


async def restore(connection: AsyncConnection, ids: Collection[str]) -> int:
    """Serve withdrawn articles again; how many there were."""
    await lock_writers(connection)
    result = await connection.execute(
        update(article)
        .where(article.c.id.in_(ids), article.c.withdrawn_at.is_not(None))
        .values(withdrawn_at=None)
    )
    return result.rowcount


async def load_revision(connection: AsyncConnection, ref: int) -> StoredRevision | None:
    """The revision that a citation names, to rebuild what was answered."""
    row = (
        await connection.execute(
            select(article.c.id.label("article_id"), *revision.c)
            .join(revision, revision.c.article_ref == article.c.ref)
            .where(revision.c.ref == ref)
        )
    ).first()
    return msgspec.convert(row, StoredRevision, from_attributes=True) if row else None


async def load_state(connection: AsyncConnection) -> State:
    """What tells one edition of the knowledge from the next; costs two index look-ups."""
    row = (
        await connection.execute(
            select(
                select(func.coalesce(func.max(revision.c.ref), 0)).scalar_subquery(),
                func.count(),
                func.max(article.c.withdrawn_at),
            ).where(article.c.withdrawn_at.is_not(None))
        )
    ).one()
    return row[0], row[1], row[2]


_SERVED = Direct(
    text("""
SELECT r.ref FROM revision r JOIN article a ON a.ref = r.article_ref
WHERE r.ref = ANY(:refs) AND a.withdrawn_at IS NULL
  AND COALESCE(r.valid_from, :now) <= :now AND COALESCE(r.valid_until, 'infinity') > :now
  AND NOT EXISTS (
    SELECT 1 FROM revision later
    WHERE later.article_ref = r.article_ref AND later.number > r.number
      AND COALESCE(later.valid_from, :now) <= :now)
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)), bindparam("now", type_=TIMESTAMP(timezone=True)))
)


async def load_served(
    connection: AsyncConnection, revisions: Iterable[int], *, now: datetime
) -> frozenset[int]:
    """Which of these revisions are what their articles say at `now`. Every answer asks: kept cheap."""
    return frozenset(await _SERVED.values(connection, {"refs": list(revisions), "now": now}))


async def load_indexed(connection: AsyncConnection) -> list[IndexedRevision]:
    """Every revision that is served now or may be later, with its passages."""
    pieces = await _passages(connection)
    rows = await connection.execute(
        select(
            revision.c.ref,
            revision.c.number,
            revision.c.language,
            revision.c.title,
            revision.c.url,
            revision.c.questions,
            revision.c.valid_from,
            revision.c.valid_until,
            article.c.id,
            article.c.ref.label("article_ref"),
        )
        .join(article, revision.c.article_ref == article.c.ref)
        .where(article.c.withdrawn_at.is_(None))
        .order_by(article.c.ref, revision.c.number.desc())
    )
    return [_indexed(row, ends, pieces[row.ref]) for row, ends in _with_ends(rows.all()) if row.ref in pieces]


def _with_ends(rows: Sequence[Any]) -> list[tuple[Any, datetime | None]]:
    """Each revision with the moment it stops being served; those that can't be served are left out.

    Rows come article by article, newest first: a newer revision replaces the older ones once it begins.
    """
    served: list[tuple[Any, datetime | None]] = []
    article: int | None = None
    for row in rows:
        if row.article_ref != article:
            article, successor, is_replaced = row.article_ref, None, False
        ends = min((m for m in (row.valid_until, successor) if m), default=None)
        if not is_replaced and (ends is None or row.valid_from is None or row.valid_from < ends):
            served.append((row, ends))
        is_replaced = is_replaced or row.valid_from is None
        successor = min((m for m in (row.valid_from, successor) if m), default=None)
    return served


def _indexed(row: Any, ends: datetime | None, pieces: list[tuple[IndexedPassage, bool]]) -> IndexedRevision:
    return IndexedRevision(
        ref=row.ref,
        number=row.number,
        article_id=row.id,
        title=row.title,
        language=row.language,
        url=row.url,
        questions=tuple(row.questions),
        passages=tuple(piece for piece, _ in pieces),
        is_question_answer=any(is_answer for _, is_answer in pieces),
        served_from=row.valid_from,
        served_until=ends,
    )


async def _passages(connection: AsyncConnection) -> dict[int, list[tuple[IndexedPassage, bool]]]:
    columns = (passage.c.ref, passage.c.start_offset, passage.c.end_offset, passage.c.text, passage.c.heading)
    rows = await connection.execute(
        select(passage.c.revision_ref, passage.c.question, *columns).order_by(
            passage.c.revision_ref, passage.c.position
        )
    )
    pieces: dict[int, list[tuple[IndexedPassage, bool]]] = defaultdict(list)
    for revision_ref, question, *piece in rows:
        pieces[revision_ref].append((IndexedPassage(*piece), question is not None))
    return pieces
