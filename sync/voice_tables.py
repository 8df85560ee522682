"""The tables of who speaks beside the AI: hand-offs to people, and moments in which both spoke."""

from datetime import datetime
from typing import Any, Optional

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from config.database import Xid8
from sync.columns import at as _at
from sync.columns import json as _json
from sync.columns import link as _link
from sync.columns import ref as _ref
from sync.columns import words as _text


class HandOff(SQLModel, table=True):
    """A conversation offered to people, with its package."""

    __tablename__ = "hand_off"
    __table_args__ = (
        Index(
            "hand_off_open",
            "conversation_ref",
            unique=True,
            postgresql_where=text("state IN ('offered', 'claimed')"),
        ),
        Index("hand_off_queue", "state", "queue", "ref"),
        Index("hand_off_conversation", "conversation_ref", "ref"),
        Index(
            "hand_off_accept_by",
            "accept_by",
            postgresql_where=text("state = 'offered' AND accept_by IS NOT NULL"),
        ),
        Index("hand_off_ticket", "to", "ticket", postgresql_where=text("ticket IS NOT NULL")),
        Index("hand_off_opened", "offered_at", postgresql_where=text("ticket IS NOT NULL")),
    )

    ref: int = _ref()
    conversation_ref: int = _link()
    state: str = _text()
    to: str = _text()
    queue: str = _text()
    priority: str = _text()
    rule: str = _text()
    decision_ref: int | None = _link(default=None, nullable=True)
    package: dict[str, Any] = _json()
    agent: dict[str, Any] | None = _json(default=None, nullable=True)
    meant_for: dict[str, Any] | None = _json(default=None, nullable=True)
    cause: str = _text(default="rule", sa_column_kwargs={"server_default": "rule"})
    follows: int | None = _link(default=None, nullable=True)
    accept_by: datetime | None = _at(default=None, nullable=True)
    otherwise: dict[str, Any] | None = _json(default=None, nullable=True)
    ticket: str | None = _text(default=None, nullable=True)
    """The conversation that was opened for it, at a desk at another vendor."""
    position: int | None = Field(default=None, nullable=True)
    """Its place in a queue of theirs, from 1, where the vendor says."""
    offered_at: datetime = _at()
    claimed_at: datetime | None = _at(default=None, nullable=True)
    ended_at: datetime | None = _at(default=None, nullable=True)
    xid: Optional[str] = Field(  # noqa: UP045 - SQLModel reads the runtime type
        default=None,
        sa_type=Xid8,
        index=True,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()"), "nullable": False},
    )


class OverlapRow(SQLModel, table=True):
    """A person and our AI spoke at the same moment; `possible` until it is known whether ours was sent."""

    __tablename__ = "overlap"
    __table_args__ = (
        Index("overlap_command", "command_ref", unique=True),
        Index("overlap_possible", "ref", postgresql_where=text("state = 'possible'")),
    )

    ref: int = _ref()
    conversation_ref: int = _link(index=True)
    command_ref: int = _link()
    message_ref: int = _link()
    person: dict[str, Any] | None = _json(default=None, nullable=True)
    kind: str = _text()
    state: str = _text(default="possible")
    spoke_at: datetime = _at()
    heard_at: datetime = _at()
    sent_at: datetime | None = _at(default=None, nullable=True)
    event_ref: int | None = _link(default=None, nullable=True)
