"""Pulling's memory: runs, how far each has come, what a full pass met. Nothing here commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from adapters.model import PullKind
from sync.pull import End


class Counts(Struct, kw_only=True):
    """What a run did with one kind of record."""

    read: int = 0
    pages: int = 0
    accepted: int = 0
    """Events put into the inbox."""
    differed: int = 0
    gone: int = 0
    total: int | None = None
    """How many there are, where the vendor says."""
    complete: bool = False
    """Whether every page was read."""
    problem: str | None = None
    """Why it can't be complete."""


class Run(Struct, kw_only=True):
    """A run as stored; `counts` by kind."""

    ref: int
    connection: str
    purpose: str
    state: str
    since: datetime | None
    started_at: datetime
    ended_at: datetime | None = None
    reason: str | None = None
    counts: dict[str, Counts] = field(default_factory=dict)

    def of(self, kind: PullKind) -> Counts:
        """The counts of one kind."""
        return self.counts.setdefault(kind.value, Counts())


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a run has come over a kind, or over one conversation's messages."""

    kind: PullKind
    scope: str = ""
    cursor: str | None = None
    behind: str | None = None
    """Where the page before the last began: a walk that was interrupted goes on from there."""
    done: bool = False
    ends: tuple[End, ...] = ()
    version: str | None = None
    """Of a conversation: the state in which its messages are read to the end."""
    met: int = 0
    """Of a conversation: how many of its messages we held before the run."""


_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")


async def try_lock(connection: AsyncConnection, name: str) -> bool:
    """Take a run's place for this session; false while another process has it."""
    return bool(await connection.scalar(_LOCK, {"name": f"pull/{name}"}))


_OPEN = text("""
INSERT INTO pull_run (connection, purpose, state, since, started_at, counts)
VALUES (:connection, :purpose, 'running', :since, :now, '{}') RETURNING *
""")
_LATEST = text(
    "SELECT * FROM pull_run WHERE connection = :connection AND purpose = :purpose ORDER BY ref DESC LIMIT 1"
)
_SAVE = text("""
UPDATE pull_run SET state = :state, ended_at = :ended_at, reason = :reason, counts = :counts WHERE ref = :ref
""").bindparams(bindparam("counts", type_=JSONB), bindparam("reason", type_=TEXT))


async def open_run(
    connection: AsyncConnection, *, name: str, purpose: str, since: datetime | None, now: datetime
) -> Run:
    """Begin a run."""
    values = {"connection": name, "purpose": purpose, "since": since, "now": now}
    return _run((await connection.execute(_OPEN, values)).one())


async def latest_run(connection: AsyncConnection, *, name: str, purpose: str) -> Run | None:
    """A connection's latest run of this purpose, if it ever had one."""
    row = (await connection.execute(_LATEST, {"connection": name, "purpose": purpose})).first()
    return None if row is None else _run(row)


class PullState(Struct, frozen=True, kw_only=True):
    """How a connection's latest run of one purpose stands."""

    connection: str
    purpose: str
    state: str
    counts: dict[str, Counts]
    moved_at: datetime | None
    """When its last page of customers or conversations was stored."""
    known_at: datetime | None
    """Up to when everything that the vendor lists has been read: when the last page of all was asked for."""


_STATES = text("""
SELECT r.connection, r.purpose, r.state, r.counts, max(c.stored_at) AS moved_at,
    min(CAST(c.ends -> -1 ->> 'at' AS timestamptz)) AS known_at
FROM unnest(:names) AS n(name) CROSS JOIN unnest(:purposes) AS p(purpose)
CROSS JOIN LATERAL (SELECT * FROM pull_run WHERE connection = n.name AND purpose = p.purpose
    ORDER BY ref DESC LIMIT 1) AS r
LEFT JOIN pull_cursor c ON c.run_ref = r.ref AND c.kind IN ('customers', 'conversations') AND c.scope = ''
GROUP BY r.ref, r.connection, r.purpose, r.state, r.counts
""").bindparams(bindparam("names", type_=ARRAY(TEXT)), bindparam("purposes", type_=ARRAY(TEXT)))


async def states(
    connection: AsyncConnection, *, names: Iterable[str], purposes: Iterable[str]
) -> list[PullState]:
    """How the latest runs of these connections stand; none where there was none."""
    rows = await connection.execute(_STATES, {"names": list(names), "purposes": list(purposes)})
    return [msgspec.convert(dict(row), PullState) for row in rows.mappings()]


async def list_runs(
    connection: AsyncConnection, *, purpose: str, name: str | None, before: int | None, most: int
) -> list[Run]:
    """Runs of one purpose, newest first."""
    rows = await connection.execute(
        text("""
        SELECT * FROM pull_run WHERE purpose = :purpose
          AND (CAST(:name AS text) IS NULL OR connection = :name)
          AND (CAST(:before AS bigint) IS NULL OR ref < :before)
        ORDER BY ref DESC LIMIT :most
        """),
        {"purpose": purpose, "name": name, "before": before, "most": most},
    )
    return [_run(row) for row in rows]


async def find_run(connection: AsyncConnection, ref: int, *, purpose: str) -> Run | None:
    """The run with this ref, if it has this purpose."""
    rows = await connection.execute(
        text("SELECT * FROM pull_run WHERE ref = :ref AND purpose = :purpose"),
        {"ref": ref, "purpose": purpose},
    )
    row = rows.first()
    return None if row is None else _run(row)


async def save_run(connection: AsyncConnection, run: Run) -> None:
    """Write a run's state and counts."""
    await connection.execute(
        _SAVE,
        {
            "ref": run.ref,
            "state": run.state,
            "ended_at": run.ended_at,
            "reason": run.reason,
            "counts": msgspec.to_builtins(run.counts),
        },
    )


def _run(row: Any) -> Run:
    return msgspec.convert(dict(row._mapping), Run)  # noqa: SLF001 - SQLAlchemy's public name


_CURSOR = text("SELECT * FROM pull_cursor WHERE run_ref = :run AND kind = :kind AND scope = :scope")
_OPEN_SCOPES = text("""
SELECT * FROM pull_cursor WHERE run_ref = :run AND kind = 'messages' AND NOT done ORDER BY scope LIMIT :most
""")
_PUT = text("""
INSERT INTO pull_cursor (run_ref, kind, scope, cursor, behind, done, ends, version, met, stored_at)
SELECT :run, kind, scope, cursor, behind, done, ends, version, met, :now
FROM jsonb_to_recordset(:rows) AS r(
    kind text, scope text, cursor text, behind text, done boolean, ends jsonb, version text, met integer)
ON CONFLICT (run_ref, kind, scope) DO UPDATE SET
    cursor = excluded.cursor, behind = excluded.behind, done = excluded.done, ends = excluded.ends,
    version = excluded.version, met = excluded.met, stored_at = excluded.stored_at
""").bindparams(bindparam("rows", type_=JSONB))
# A conversation that comes again in a later page has changed: its messages are read on.
_SCOPES = text("""
INSERT INTO pull_cursor (run_ref, kind, scope, done, ends, version, stored_at)
SELECT :run, 'messages', s.scope, false, '[]', s.version, :now
FROM unnest(:scopes, :versions) AS s(scope, version)
ON CONFLICT (run_ref, kind, scope) DO UPDATE SET
    cursor = pull_cursor.behind, done = false, met = 0,
    version = excluded.version, stored_at = excluded.stored_at
WHERE pull_cursor.version IS DISTINCT FROM excluded.version
""").bindparams(bindparam("scopes", type_=ARRAY(TEXT)), bindparam("versions", type_=ARRAY(TEXT)))
_DROP_SCOPES = text("""
DELETE FROM pull_cursor WHERE run_ref = :run AND kind = 'messages' AND scope = ANY(:scopes)
""").bindparams(bindparam("scopes", type_=ARRAY(TEXT)))
_FORGET_SCOPES = text("""
DELETE FROM pull_cursor WHERE run_ref = :run AND kind = 'messages' AND done AND stored_at < :before
""")


async def load_cursor(connection: AsyncConnection, run: int, kind: PullKind) -> Cursor | None:
    """How far a run has come over a kind."""
    row = (await connection.execute(_CURSOR, {"run": run, "kind": kind.value, "scope": ""})).first()
    return None if row is None else _cursor(row)


async def load_open_scopes(connection: AsyncConnection, run: int, *, most: int) -> list[Cursor]:
    """Conversations whose messages are still to be read."""
    return [_cursor(row) for row in await connection.execute(_OPEN_SCOPES, {"run": run, "most": most})]


def _cursor(row: Any) -> Cursor:
    return msgspec.convert(dict(row._mapping), Cursor)  # noqa: SLF001 - SQLAlchemy's public name


async def put_cursors(
    connection: AsyncConnection, run: int, cursors: Iterable[Cursor], *, now: datetime
) -> None:
    """Store how far a run has come."""
    rows = msgspec.to_builtins(list(cursors))
    if rows:
        await connection.execute(_PUT, {"run": run, "rows": rows, "now": now})


async def put_scopes(
    connection: AsyncConnection, run: int, versions: dict[str, str], *, now: datetime
) -> None:
    """Note the conversations, with their versions, whose messages are to be read."""
    if versions:
        values = {"scopes": list(versions), "versions": list(versions.values())}
        await connection.execute(_SCOPES, {"run": run, "now": now, **values})


async def drop_scopes(connection: AsyncConnection, run: int, scopes: Sequence[str]) -> None:
    """Forget conversations whose messages a run has read, and won't come back to."""
    if scopes:
        await connection.execute(_DROP_SCOPES, {"run": run, "scopes": list(scopes)})


async def forget_scopes(connection: AsyncConnection, run: int, *, before: datetime) -> None:
    """Forget conversations that polling hasn't met for long."""
    await connection.execute(_FORGET_SCOPES, {"run": run, "before": before})


async def count_history(connection: AsyncConnection, *, name: str | None, most: int) -> int:
    """How many events of history wait, of one connection or of all; counts no further than `most`."""
    waiting: int = await connection.scalar(
        text("""
        SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE state = 'pending' AND origin <> 'live'
              AND (CAST(:name AS text) IS NULL OR connection = :name) LIMIT :most) AS waiting
        """),
        {"name": name, "most": most},
    )
    return waiting
