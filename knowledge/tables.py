"""The tables of knowledge; only `knowledge.store` reads or writes them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


def _key() -> Column[int]:
    return Column(BigInteger, Identity(always=True), primary_key=True)


def _owner(target: str) -> Column[int]:
    return Column(BigInteger, ForeignKey(target), nullable=False)


def _moment(*, nullable: bool = True) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class Article(SQLModel, table=True):
    """A piece of knowledge with a lasting `id`; what it says is in its revisions.

    `title` and `language` are those of the newest revision. A withdrawn article stays withdrawn
    through later imports until it is restored.
    """

    __tablename__ = "article"
    __table_args__ = (Index("ix_article_withdrawn_at", "withdrawn_at"),)

    ref: int | None = Field(default=None, sa_column=_key())
    id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    language: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_column=_moment(nullable=False))
    withdrawn_at: datetime | None = Field(default=None, sa_column=_moment())


class Revision(SQLModel, table=True):
    """What an article said from `valid_from` to `valid_until`; never changed once written."""

    __tablename__ = "revision"
    __table_args__ = (UniqueConstraint("article_ref", "number"),)

    ref: int | None = Field(default=None, sa_column=_key())
    article_ref: int = Field(sa_column=_owner("article.ref"))
    number: int
    language: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    questions: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    tags: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    url: str | None = Field(default=None, sa_type=Text)
    checksum: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    valid_from: datetime | None = Field(default=None, sa_column=_moment())
    valid_until: datetime | None = Field(default=None, sa_column=_moment())
    created_at: datetime = Field(sa_column=_moment(nullable=False))


class Passage(SQLModel, table=True):
    """A retrievable piece of a revision: `text == body[start_offset:end_offset]`."""

    __tablename__ = "passage"
    __table_args__ = (UniqueConstraint("revision_ref", "position"),)

    ref: int | None = Field(default=None, sa_column=_key())
    revision_ref: int = Field(sa_column=_owner("revision.ref"))
    position: int
    start_offset: int
    end_offset: int
    heading: str | None = Field(default=None, sa_type=Text)
    question: str | None = Field(default=None, sa_type=Text)
    text: str = Field(sa_type=Text)
