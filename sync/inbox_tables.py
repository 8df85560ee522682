"""The tables of accepted events. Only `sync.store` sees them."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from sync.columns import at as _at
from sync.columns import words as _text


class Inbox(SQLModel, table=True):
    """An accepted raw event. The body lies in `payload`, so that moving through states stays cheap."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_delivery", "connection", "key", unique=True),
        Index("inbox_live", "lane", "ref", postgresql_where=text("state = 'pending' AND origin = 'live'")),
        Index(
            "inbox_history", "lane", "ref", postgresql_where=text("state = 'pending' AND origin <> 'live'")
        ),
        Index(
            "inbox_parked",
            text("COALESCE(done_at, received_at)"),
            "ref",
            postgresql_where=text("state IN ('parked', 'malformed')"),
        ),
    )

    ref: int = Field(
        default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)]
    )
    connection: str = _text()
    key: str = _text()
    lane: str = _text()
    origin: str = _text(default="live", sa_column_kwargs={"server_default": "live"})
    form: str = _text(default="vendor", sa_column_kwargs={"server_default": "vendor"})
    state: str = _text(default="pending", sa_column_kwargs={"server_default": "pending"})
    received_at: datetime = _at()
    done_at: datetime | None = _at(default=None)
    reason: str | None = _text(default=None, nullable=True)
    detail: str | None = _text(default=None, nullable=True)


class Payload(SQLModel, table=True):
    """The body of an inbox row, kept apart so that it can age out: see `sync.store.payloads`."""

    __tablename__ = "payload"
    __table_args__ = ({"postgresql_partition_by": "RANGE (received_at)"},)

    inbox_ref: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    received_at: datetime = _at(primary_key=True)
    body: bytes = Field(sa_type=LargeBinary)
