"""Import of articles from Markdown, CSV and JSON Lines: all of a run, or nothing of it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import store
from knowledge.drafts import Draft, Problem
from knowledge.formats import read_path

Progress = Callable[[int, int], None]

__all__ = ["ImportReport", "Problem", "Progress", "import_path"]

_BATCH = 1_000


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did; with problems, it did nothing else.

    `failed` counts the files and rows with problems, `withdrawn` names articles that were imported but
    stay withdrawn.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    withdrawn: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


async def import_path(
    connection: AsyncConnection, path: Path, *, now: datetime, progress: Progress | None = None
) -> ImportReport:
    """Import a file, or every file below a directory; `progress(done, total)` counts articles.

    The caller's transaction makes it all or nothing.
    """
    drafts, problems = await asyncio.to_thread(read_path, path)
    if problems:
        return ImportReport(failed=len({_article_of(each) for each in problems}), problems=tuple(problems))
    return await _store(connection, drafts, now=now, progress=progress or (lambda _done, _total: None))


def _article_of(problem: Problem) -> tuple[str, str]:
    row = problem.where.split(",")[0]
    return problem.source, row if row.startswith("line ") else ""


async def _store(
    connection: AsyncConnection, drafts: Sequence[Draft], *, now: datetime, progress: Progress
) -> ImportReport:
    await store.lock_writers(connection)
    heads = await store.load_heads(connection, [draft.id for draft in drafts])
    changed = [d for d in drafts if d.id not in heads or heads[d.id].checksum != d.checksum]
    added = [d for d in changed if d.id not in heads]
    done = len(drafts) - len(changed)
    progress(done, len(drafts))
    for batch in _batches(changed):
        await _store_batch(connection, batch, heads, now=now)
        done += len(batch)
        progress(done, len(drafts))
    return ImportReport(
        added=len(added),
        updated=len(changed) - len(added),
        unchanged=len(drafts) - len(changed),
        withdrawn=tuple(d.id for d in drafts if d.id in heads and heads[d.id].is_withdrawn),
    )


def _batches(drafts: Sequence[Draft]) -> Sequence[Sequence[Draft]]:
    return [drafts[start : start + _BATCH] for start in range(0, len(drafts), _BATCH)]


async def _store_batch(
    connection: AsyncConnection, batch: Sequence[Draft], heads: dict[str, store.Head], *, now: datetime
) -> None:
    new = [draft for draft in batch if draft.id not in heads]
    refs = await store.add_articles(connection, new, now=now) if new else {}
    revisions = [
        (heads[d.id].article_ref, heads[d.id].number + 1, d) if d.id in heads else (refs[d.id], 1, d)
        for d in batch
    ]
    await store.add_revisions(connection, revisions, now=now)
