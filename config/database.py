"""The database engine: one per process, opened at the edge."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, and_, cast, literal
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
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


_OF_THE_DATA = frozenset({"22", "23", "54"})
_OF_THE_MOMENT = frozenset({"08", "40", "53", "57"})


def refuses_data(error: DBAPIError) -> bool:
    """Whether the database refused what it was given, and would again; or else failed by itself.

    Data exceptions, violated constraints and exceeded limits, by the classes of SQLSTATE (PostgreSQL,
    appendix A); or a value that the driver could not even encode.
    """
    code = getattr(error.orig, "sqlstate", None)
    if code is None:
        return isinstance(getattr(error.orig, "__cause__", None), ValueError)
    return code[:2] in _OF_THE_DATA


def is_passing(error: BaseException) -> bool:
    """Whether the database can't be had now, or broke off: another time it may well answer.

    No connection, a lost one, none free in the pool; lost a race, out of resources, told to stop, by the
    classes of SQLSTATE (PostgreSQL, appendix A).
    """
    if isinstance(error, OSError | PoolTimeoutError):  # the standard library's time-outs are OSErrors
        return True
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    code = getattr(getattr(error, "orig", error), "sqlstate", None)
    return lost or (isinstance(code, str) and code[:2] in _OF_THE_MOMENT)


def storable(told: str | None) -> str | None:
    """What somebody else said went wrong, as a text column takes it: without NUL."""
    return told and told.replace("\0", "")


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
