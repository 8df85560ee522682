"""One run of the export: read a window of the database, write its files, account for them."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from config.clock import Clock
from gateway.export import manifest as manifests
from gateway.export.manifest import Database, ExportRefusedError, LogFile, Manifest, Run
from gateway.export.redaction import redact
from gateway.export.writing import TableWriter, publish
from rules.store import log_queries
from sync.store import log
from sync.store.log import Mark, Window

Queries = Mapping[str, Select[Any]]


class Watch(Protocol):
    """Somebody who watches a run."""

    def begin(self, totals: Mapping[str, int]) -> None:
        """These tables come, with so many rows."""

    def advance(self, table: str, rows: int) -> None:
        """So many rows more were written."""


class Terms(Struct, frozen=True, kw_only=True):
    """What the operator asked for."""

    directory: Path
    since: datetime | None = None
    redacted: bool = False


async def export(
    engine: AsyncEngine, terms: Terms, *, clock: Clock, watch: Watch | None = None
) -> Run | None:
    """Write what has happened since the last run into the directory; `None` when nothing has.

    Raises ExportRefusedError, leaving the directory as it was.
    """
    try:
        return await _export(engine, terms, clock, watch)
    except ConnectionError:
        raise
    except OSError as error:
        raise ExportRefusedError(
            f"{terms.directory}: can't be written ({error.strerror}); free the way or name another directory,"
            " then run it again"
        ) from error


async def _export(engine: AsyncEngine, terms: Terms, clock: Clock, watch: Watch | None) -> Run | None:
    terms.directory.mkdir(parents=True, exist_ok=True)
    with _alone(terms.directory):
        known = manifests.load(terms.directory)
        manifests.clear_leftovers(terms.directory, known)
        started = clock()
        async with log.reading(engine) as connection:
            mark = await log.mark(connection)
            manifest = known or _begin(terms, mark)
            await _require_same(connection, manifest, mark, terms)
            window = Window(start=manifest.watermark, end=mark.xmin, since=manifest.since)
            files = await _write(connection, window, manifest, terms.directory, watch)
        if not files and manifest.runs:
            return None
        run = Run(
            number=len(manifest.runs) + 1,
            from_watermark=str(window.start),
            to_watermark=str(window.end),
            started_at=started,
            finished_at=clock(),
            files=tuple(files),
        )
        publish(terms.directory, files)
        manifests.sync_directory(terms.directory)
        manifests.save(terms.directory, manifest.with_run(run))
        return run


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One run at a time in a directory; the lock ends with the process."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ExportRefusedError(
            f"{directory}: another export is writing here; wait until it has ended"
        ) from error
    finally:
        os.close(handle)


def _begin(terms: Terms, mark: Mark) -> Manifest:
    """The manifest comes before the first file: a directory with files and without it lost something."""
    manifest = Manifest(database=_database(mark), since=terms.since, redacted=terms.redacted)
    manifests.save(terms.directory, manifest)
    return manifest


def _database(mark: Mark) -> Database:
    return Database(system_identifier=mark.system_identifier, oid=mark.database)


async def _require_same(connection: AsyncConnection, manifest: Manifest, mark: Mark, terms: Terms) -> None:
    where = terms.directory
    if manifest.database != _database(mark):
        raise ExportRefusedError(
            f"{where}: this log is of another database ({manifest.database.system_identifier}/"
            f"{manifest.database.oid}, not {mark.system_identifier}/{mark.database}), and its watermark means"
            " nothing here; set DESKBRIDGE_DATABASE_URL to that one, or export into an empty directory"
        )
    if manifest.redacted != terms.redacted:
        cure = "add --redact" if manifest.redacted else "leave out --redact"
        raise ExportRefusedError(
            f"{where}: this log is {'' if manifest.redacted else 'not '}redacted; {cure},"
            " or export into an empty directory"
        )
    if manifest.watermark > mark.xmin:
        raise ExportRefusedError(
            f"{where}: the log is ahead of the database (restored from a backup?);"
            " export into an empty directory"
        )
    if tables := await log.tables_from_elsewhere(connection, xmax=mark.xmax):
        raise ExportRefusedError(
            f"a dump from another server was restored into this database: rows of {', '.join(tables)} bear"
            " its transaction numbers; run: deskbridge export adopt"
        )


async def _write(
    connection: AsyncConnection,
    window: Window,
    manifest: Manifest,
    directory: Path,
    watch: Watch | None,
) -> list[LogFile]:
    queries = _queries(window)
    if watch is not None:
        watch.begin({table: await log.count(connection, query) for table, query in queries.items()})
    number = len(manifest.runs) + 1
    files = []
    for table, query in queries.items():
        writer = TableWriter(directory, table, number)
        try:
            async for rows in log.stream(connection, query):
                writer.write(await _redacted(connection, table, rows) if manifest.redacted else rows)
                if watch is not None:
                    watch.advance(table, len(rows))
        except BaseException:
            writer.abandon()
            raise
        if (file := writer.finish()) is not None:
            files.append(file)
    return files


def _queries(window: Window) -> Queries:
    found = log.queries(window) | log_queries(window.start, window.end, within=window.scope())
    return {table: found[table] for table in manifests.TABLES}


async def _redacted(
    connection: AsyncConnection, table: str, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    if table == "customers":
        return [redact(table, row, name=row["name"]) for row in rows]
    key = "ref" if table == "conversations" else "conversation_ref"
    names = await log.load_names(connection, (row[key] for row in rows))
    return [redact(table, row, name=names.get(row[key], "")) for row in rows]
