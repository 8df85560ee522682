"""The tables of the edges: API keys, idempotent requests, and who is logged in at the console."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


class ApiKey(SQLModel, table=True):
    """A key for the API. Only its SHA-256 is kept: the key itself has 256 random bits."""

    __tablename__ = "api_key"

    ref: int = Field(
        default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)]
    )
    name: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    scopes: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), nullable=True)


class IdempotentRequest(SQLModel, table=True):
    """What a write with an `Idempotency-Key` was answered, so that its repetition is answered the same."""

    __tablename__ = "idempotent_request"

    api_key_ref: int = Field(sa_type=BigInteger, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int = Field(sa_type=SmallInteger)
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class ConsoleSession(SQLModel, table=True):
    """Somebody logged in at the console. The cookie holds 256 random bits; only their SHA-256 is kept."""

    __tablename__ = "console_session"

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    api_key_ref: int = Field(sa_type=BigInteger, index=True)
    agent_id: str = Field(sa_type=Text)
    agent_name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class ConsoleTicket(SQLModel, table=True):
    """A link that logs in once, within minutes. Kept like a session."""

    __tablename__ = "console_ticket"

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    api_key_ref: int = Field(sa_type=BigInteger)
    agent_id: str = Field(sa_type=Text)
    agent_name: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
