"""The table of conflicts over shared fields. Only `sync.store` sees it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class ConflictRow(SQLModel, table=True):
    """Two edits of a field between which no rule decides; a row stays when it is resolved."""

    __tablename__ = "conflict"
    __table_args__ = (
        Index("conflict_open", "ref", postgresql_where=text("resolved_at IS NULL")),
        Index("conflict_customer", "customer_ref"),
        Index("conflict_conversation", "conversation_ref"),
        CheckConstraint("num_nonnulls(conversation_ref, customer_ref) = 1", name="conflict_subject"),
    )

    ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    customer_ref: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    conversation_ref: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    field: str = Field(sa_type=Text)
    base: Any = Field(default=None, sa_type=JSONB, nullable=True)
    ours: dict[str, Any] = Field(sa_type=JSONB)
    theirs: dict[str, Any] = Field(sa_type=JSONB)
    opened_at: datetime = Field(sa_type=DateTime(timezone=True))
    resolved_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), nullable=True)
    resolved_by: str | None = Field(default=None, sa_type=Text, nullable=True)
    choice: str | None = Field(default=None, sa_type=Text, nullable=True)
    previous: dict[str, Any] | None = Field(default=None, sa_type=JSONB, nullable=True)
    undone: list[Any] = Field(default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"})
    """The decisions that were taken back, oldest first: what, by whom and when, both."""
