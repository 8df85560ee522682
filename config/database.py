"""The database engine: one per process, opened at the edge."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import ColumnElement, Executable, Text, and_, cast, literal, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
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
        return isinstance(error.orig, ValueError) or isinstance(
            getattr(error.orig, "__cause__", None), ValueError
        )
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


class Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg has no types
    """A row whose columns are its attributes, too."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


_DRIVER = dialect(json_serializer=_encode)  # type: ignore[no-untyped-call]


class _Compiled(msgspec.Struct, frozen=True):
    sql: str
    names: tuple[str, ...]
    encoders: tuple[Callable[[Any], Any] | None, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values by position, as the driver takes them."""
        return [
            values[name] if encode is None else encode(values[name])
            for name, encode in zip(self.names, self.encoders, strict=True)
        ]


class Direct:
    """A statement of the hot path, handed straight to the driver.

    SQLAlchemy's way costs six times as much of our CPU (docs/performance.md). It belongs to the connection's
    transaction like any other statement.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    async def rows(
        self, connection: AsyncConnection, values: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Row]:
        """Execute it with the values of its parameters. Raises DBAPIError, as SQLAlchemy does."""
        compiled = self._compile(tuple(values))
        driver = await _ready(connection)
        try:
            found: list[Row] = await driver.fetch(compiled.sql, *compiled.arguments(values), record_class=Row)
        except _REFUSALS as error:
            raise await _as_sqlalchemy_says(connection, error, compiled.sql) from error
        return found

    async def values(
        self, connection: AsyncConnection, values: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Any]:
        """The same; the first column of each row."""
        return [row[0] for row in await self.rows(connection, values)]

    async def many(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute it once for each of `rows`, in one round trip. Raises DBAPIError."""
        compiled = self._compile(tuple(rows[0]))
        driver = await _ready(connection)
        try:
            await driver.executemany(compiled.sql, [compiled.arguments(row) for row in rows])
        except _REFUSALS as error:
            raise await _as_sqlalchemy_says(connection, error, compiled.sql) from error

    def _compile(self, names: tuple[str, ...]) -> _Compiled:
        known = self._compiled.get(names)
        if known is None:
            known = self._compiled[names] = _compile(self._statement, names)
        return known


def _compile(statement: Executable, names: tuple[str, ...]) -> _Compiled:
    compiled: Any = statement.compile(dialect=_DRIVER, column_keys=names)  # type: ignore[attr-defined]
    order = tuple(compiled.positiontup or ())
    if missing := set(order) - set(names):
        raise TypeError(f"give these of the statement's parameters, too: {', '.join(sorted(missing))}")
    types = [compiled.binds[name].type.dialect_impl(_DRIVER) for name in order]
    return _Compiled(str(compiled), order, tuple(each.bind_processor(_DRIVER) for each in types))


_REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


async def _ready(connection: AsyncConnection) -> Any:
    driver = _driver(connection)
    if not driver.is_in_transaction() and not _is_in_autocommit(connection):
        await connection.execute(_ANYTHING)  # SQLAlchemy begins with the first statement that it sees
    return driver


_ANYTHING = text("SELECT 1")


def _driver(connection: AsyncConnection) -> Any:
    checked_out = connection.sync_connection
    assert checked_out is not None, "the connection is closed"
    return checked_out.connection.driver_connection


def _is_in_autocommit(connection: AsyncConnection) -> bool:
    checked_out = connection.sync_connection
    return checked_out is not None and checked_out.get_execution_options().get("isolation_level") == _AT_ONCE


async def _as_sqlalchemy_says(connection: AsyncConnection, error: Exception, sql: str) -> DBAPIError:
    # The driver loses its way when a connection breaks in the middle of something else.
    broken = _driver(connection).is_closed() or isinstance(error, asyncpg.InternalClientError)
    if broken:
        await connection.invalidate(error)
    return DBAPIError(sql, None, error, hide_parameters=True, connection_invalidated=broken)


_AT_ONCE: Final = "AUTOCOMMIT"


def at_once(engine: AsyncEngine) -> AsyncEngine:
    """The engine with each statement a transaction of its own, without BEGIN and COMMIT around it."""
    return engine.execution_options(isolation_level=_AT_ONCE)


@asynccontextmanager
async def begun(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction in a connection of an `at_once` engine: what `engine.begin()` is, at a third of the CPU.

    It is committed at the end of the block, rolled back when the block raises.
    """
    await _BEGIN.rows(connection)
    try:
        yield
    except BaseException:
        if not connection.invalidated and not _driver(connection).is_closed():
            await _ROLLBACK.rows(connection)
        raise
    await _COMMIT.rows(connection)


@asynccontextmanager
async def transaction(at_once: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of an `at_once` engine, and a transaction in it that lasts as long as the block."""
    async with at_once.connect() as connection, begun(connection):
        yield connection


_BEGIN, _COMMIT, _ROLLBACK = (Direct(text(each)) for each in ("BEGIN", "COMMIT", "ROLLBACK"))
