"""The tables of the files that people at the built-in desk send: kept until they have been sent."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel


class DeskFileRow(SQLModel, table=True):
    """A file for a reply in one hand-off; its content lies in parts."""

    __tablename__ = "desk_file"

    ref: int = Field(
        default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)]
    )
    hand_off_ref: int = Field(sa_type=BigInteger, index=True)
    conversation_ref: int = Field(sa_type=BigInteger)
    name: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    taken_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), nullable=True)
    """When a reply took it."""
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class DeskFilePart(SQLModel, table=True):
    """A piece of a file's content."""

    __tablename__ = "desk_file_part"

    file_ref: int = Field(sa_type=BigInteger, primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)
