"""The table of linked conversations. Only `sync.store` sees it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class ConversationLink(SQLModel, table=True):
    """A conversation that is one case with those of the same `main_ref`: what its connection says of it."""

    __tablename__ = "conversation_link"

    conversation_ref: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    main_ref: int = Field(sa_type=BigInteger, index=True)
    status: str = Field(sa_type=Text)
    subject: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    tags: list[str] = Field(sa_type=ARRAY(Text))
    attributes: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": "{}"}
    )
    vendor_updated_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), nullable=True)
    shared: dict[str, Any] = Field(sa_type=JSONB)
    """Of each shared field, what was last agreed, sent and disputed."""
    golden: dict[str, Any] = Field(sa_type=JSONB)
    """Of the main one: what the shared fields should be everywhere, and who wrote it."""
