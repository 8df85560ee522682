"""The database engine: one per process, opened at the edge."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, and_, cast, literal
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction number, carried as text."""

    cache_ok = True

    def get_col_spec(self, **_kw: Any) -> str:
        """The type's name in DDL."""
        return "xid8"


def written_between(xid: Any, start: int, end: int) -> ColumnElement[bool]:
    """Whether a row was last written by a transaction from `start` up to, but without, `end`."""
    return and_(xid >= _xid8(start), xid < _xid8(end))


def _xid8(number: int) -> ColumnElement[str]:
    return cast(cast(literal(str(number)), Text), Xid8)


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def open_engine(url: str, *, name: str, pool_size: int = 10) -> AsyncEngine:
    """An engine for `url` (`postgresql://…` or `postgresql+asyncpg://…`).

    A transaction that idles for ten seconds is ended by the server: a frozen process loses its
    locks and can't commit when it wakes up.
    """
    address = make_url(url).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        # The connection used last has its statements prepared and its caches warm.
        pool_use_lifo=True,
        json_serializer=_encode,
        json_deserializer=msgspec.json.decode,
        # What a statement was given is what customers wrote: it belongs into no log and no traceback.
        hide_parameters=True,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "application_name": name,
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": "10000",
            },
        },
    )
