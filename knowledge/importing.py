"""Import of articles from Markdown, CSV and JSON Lines: all of a run, or nothing of it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

Progress = Callable[[int, int], None]


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with the input: where, what, and the cure."""

    source: str
    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.source}: {self.where}" if self.where else self.source
        return f"{place}: {self.what}. {self.cure}"


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. With problems, it did nothing else."""

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
    raise NotImplementedError
