"""The kinds of columns that the tables of two-way state have."""

from typing import Any

from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def ref() -> Any:
    """The row's own ref, given by a lane's transaction."""
    return Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


def link(**options: Any) -> Any:
    """The ref of another row."""
    return Field(sa_type=BigInteger, **options)


def at(**options: Any) -> Any:
    """A moment."""
    return Field(sa_type=DateTime(timezone=True), **options)


def json(**options: Any) -> Any:
    """A tree."""
    return Field(sa_type=JSONB, **options)


def words(**options: Any) -> Any:
    """A text."""
    return Field(sa_type=Text, **options)
