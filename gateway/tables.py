"""The tables of the edges: API keys and idempotent requests."""

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
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
