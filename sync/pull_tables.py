"""The tables of pulling: runs, how far each has come, what it saw, what it found to differ."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from sync.columns import at as _at


class PullRun(SQLModel, table=True):
    """A walk over a connection's records: a backfill, a reconciliation, or the polling that never ends."""

    __tablename__ = "pull_run"
    __table_args__ = (Index("pull_run_latest", "connection", "purpose", "ref"),)

    ref: int = Field(
        default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)]
    )
    connection: str = Field(sa_type=Text)
    purpose: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    since: datetime | None = _at(default=None, nullable=True)
    started_at: datetime = _at()
    ended_at: datetime | None = _at(default=None, nullable=True)
    reason: str | None = Field(default=None, sa_type=Text, nullable=True)
    counts: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)


class PullCursor(SQLModel, table=True):
    """How far a run has come: over a kind of record, or over the messages of one conversation (`scope`)."""

    __tablename__ = "pull_cursor"
    __table_args__ = (
        Index("pull_cursor_open", "run_ref", "kind", "scope", postgresql_where=text("NOT done")),
    )

    run_ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=Text, primary_key=True)
    scope: str = Field(default="", sa_type=Text, primary_key=True)
    cursor: str | None = Field(default=None, sa_type=Text, nullable=True)
    behind: str | None = Field(default=None, sa_type=Text, nullable=True)
    done: bool = Field(default=False)
    ends: list[Any] = Field(default_factory=list, sa_type=JSONB)
    version: str | None = Field(default=None, sa_type=Text, nullable=True)
    met: int = Field(default=0, sa_type=Integer, sa_column_kwargs={"server_default": "0"})
    stored_at: datetime = _at()


class PullSeen(SQLModel, table=True):
    """A record that a full pass has met; whatever it hasn't met may be gone."""

    __tablename__ = "pull_seen"

    run_ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)


class PullDifference(SQLModel, table=True):
    """A record that a reconciliation found to differ: in what, and what became of it."""

    __tablename__ = "pull_difference"

    run_ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    why: list[str] = Field(sa_type=ARRAY(Text))
    event_keys: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    outcome: str = Field(default="found", sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text, nullable=True)
