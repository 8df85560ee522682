"""The tables of turns and decisions. Only `rules.store` sees them."""

from datetime import datetime
from typing import Any, Optional

from sqlalchemy import BigInteger, DateTime, Float, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from config.database import Xid8


class Turn(SQLModel, table=True):
    """A burst of customer messages and what answered it."""

    __tablename__ = "turn"
    __table_args__ = (
        Index("turn_number", "conversation_ref", "number", unique=True),
        # What the clock looks at every second: as small as the number of people who wait.
        Index(
            "turn_waiting",
            "opened_at",
            postgresql_where=text("state = 'collecting' AND ended_by IS NULL"),
        ),
        Index(
            "turn_silent",
            "last_customer_at",
            postgresql_where=text("state = 'answered' AND verdict = 'open' AND ended_by IS NULL"),
        ),
    )

    ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    conversation_ref: int = Field(sa_type=BigInteger)
    number: int = Field(sa_type=BigInteger)
    epoch: int = Field(sa_type=BigInteger)
    generation: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    texts: list[Any] = Field(default_factory=list, sa_type=JSONB)
    answer: dict[str, Any] | None = Field(default=None, sa_type=JSONB, nullable=True)
    opened_at: datetime = Field(sa_type=DateTime(timezone=True))
    last_customer_at: datetime = Field(sa_type=DateTime(timezone=True))
    ended_by: str | None = Field(default=None, sa_type=Text, nullable=True)
    verdict: str = Field(sa_type=Text)
    signals: list[Any] = Field(default_factory=list, sa_type=JSONB)
    score: float = Field(default=0.0, sa_type=Float)
    judged_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), nullable=True)
    xid: Optional[str] = Field(  # noqa: UP045 - SQLModel reads the runtime type
        default=None,
        sa_type=Xid8,
        index=True,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()"), "nullable": False},
    )


class DecisionRow(SQLModel, table=True):
    """What a rule decided: by which revision, on which inputs, because of which event."""

    __tablename__ = "decision"

    ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    conversation_ref: int = Field(sa_type=BigInteger, index=True)
    turn: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    epoch: int = Field(sa_type=BigInteger)
    policy: str = Field(sa_type=Text)
    revision: str = Field(sa_type=Text)
    rule: str = Field(sa_type=Text)
    actions: list[Any] = Field(sa_type=JSONB)
    inputs: dict[str, Any] = Field(sa_type=JSONB)
    event_ref: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    decided_at: datetime = Field(sa_type=DateTime(timezone=True))
    xid: Optional[str] = Field(  # noqa: UP045 - as above
        default=None,
        sa_type=Xid8,
        index=True,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()"), "nullable": False},
    )
