"""The log as an export reads it: the rows that transactions wrote between two watermarks.

A row's `xid` is the transaction that last wrote it. Every transaction below a snapshot's xmin has ended
before that snapshot, so rows below it are complete; what is still being written has a higher number and
comes with the next run. No clock is involved, and nothing is skipped.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, literal, or_, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.expression import bindparam

from config.database import written_between
from sync.tables import Conversation, Customer, IdentityRow, LeaseChange, Message
from sync.voice_tables import HandOff

conversation: Any = Conversation.__table__  # type: ignore[attr-defined]
message: Any = Message.__table__  # type: ignore[attr-defined]
lease_change: Any = LeaseChange.__table__  # type: ignore[attr-defined]
hand_off: Any = HandOff.__table__  # type: ignore[attr-defined]
customer: Any = Customer.__table__  # type: ignore[attr-defined]
identity: Any = IdentityRow.__table__  # type: ignore[attr-defined]

_OFFERS = ("meant_for", "cause", "follows", "accept_by", "otherwise")
"""How a hand-off was offered: for those who work with it."""

LOGGED = ("conversation", "message", "turn", "lease_change", "decision", "hand_off", "customer")
"""Every table that carries an `xid`."""
INSIDE = ("revision", "shared", "golden")
"""Columns of a customer that are our own bookkeeping."""
BATCH = 5_000


class Mark(Struct, frozen=True, kw_only=True):
    """Where a snapshot stands, and in which database."""

    system_identifier: str
    database: str
    xmin: int
    """Every transaction below this one has ended."""
    xmax: int
    """No transaction has had this number yet."""


class Window(Struct, frozen=True, kw_only=True):
    """What one run reads: rows last written by transactions from `start` up to, but without, `end`.

    `since` leaves out conversations that have been quiet longer; the `first` run of a log observes it.
    """

    start: int
    end: int
    since: datetime | None = None

    @property
    def first(self) -> bool:
        """Whether nothing was read before."""
        return self.start == 0

    def holds(self, table: Any) -> ColumnElement[bool]:
        """The condition on the rows of a table."""
        return written_between(table.c.xid, self.start, self.end)

    def scope(self) -> Select[tuple[int]] | None:
        """The refs of the conversations to keep to; `None` means all."""
        if self.since is None or not self.first:
            return None
        spoken = select(message.c.ref).where(
            message.c.conversation_ref == conversation.c.ref, message.c.sent_at >= self.since
        )
        latest = func.coalesce(conversation.c.last_message_at, conversation.c.created_at)
        return select(conversation.c.ref).where(or_(latest >= self.since, spoken.exists()))


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One repeatable-read, read-only transaction: everything in it sees the same moment."""
    async with engine.connect() as plain:
        connection = await plain.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        async with connection.begin():
            # Slow disks must not cost the snapshot; a reader holds up nobody.
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
            yield connection


async def mark(connection: AsyncConnection) -> Mark:
    """Where this transaction's snapshot stands."""
    row = (
        await connection.execute(
            text("""
            SELECT pg_snapshot_xmin(now.s)::text AS xmin, pg_snapshot_xmax(now.s)::text AS xmax,
                   (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
                   (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database
            FROM (SELECT pg_current_snapshot() AS s) AS now
            """)
        )
    ).one()
    return Mark(
        system_identifier=row.system_identifier,
        database=row.database,
        xmin=int(row.xmin),
        xmax=int(row.xmax),
    )


async def tables_from_elsewhere(connection: AsyncConnection, *, xmax: int) -> list[str]:
    """The tables with rows of transactions that this server has not had: a dump was restored into it."""
    found = []
    for table in LOGGED:
        newest = text(f"SELECT xid::text FROM {table} ORDER BY xid DESC LIMIT 1")  # noqa: S608 - our own names
        highest = await connection.scalar(newest)
        if highest is not None and int(highest) >= xmax:
            found.append(table)
    return found


async def adopt(connection: AsyncConnection) -> int:
    """Give rows from elsewhere (see above) this transaction's number; how many there were."""
    adopted = 0
    for table in LOGGED:
        result = await connection.execute(
            text(
                f"UPDATE {table} SET xid = pg_current_xact_id()"  # noqa: S608 - our own names
                " WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) AND xid <> pg_current_xact_id()"
            )
        )
        adopted += result.rowcount
    return adopted


def queries(window: Window) -> dict[str, Select[Any]]:
    """What the export reads of two-way state, by the name of its file; ordered by ref."""
    scope = window.scope()
    return {
        "conversations": _rows(conversation, window).where(_within(conversation.c.ref, scope)),
        "messages": _rows(message, window).where(_within(message.c.conversation_ref, scope)),
        "lease_changes": _rows(lease_change, window).where(_within(lease_change.c.conversation_ref, scope)),
        "hand_offs": _hand_offs(window).where(_within(hand_off.c.conversation_ref, scope)),
        "customers": _customers(window),
    }


def _rows(table: Any, window: Window, *extra: Any, without: Iterable[str] = ()) -> Select[Any]:
    left_out = {"xid", *without}
    columns = [column for column in table.c if column.name not in left_out]
    return select(*columns, *extra).where(window.holds(table)).order_by(table.c.ref)


def _within(ref: Any, scope: Select[tuple[int]] | None) -> ColumnElement[bool]:
    if scope is None:
        return true()
    condition: ColumnElement[bool] = ref.in_(scope)
    return condition


def _hand_offs(window: Window) -> Select[Any]:
    package = func.jsonb_build_object(
        "hand_off_ref",
        hand_off.c.ref,
        "schema",
        hand_off.c.package["schema"],
        "goal",
        hand_off.c.package["goal"],
        type_=JSONB,
    )
    return _rows(hand_off, window, package.label("package"), without=["package", *_OFFERS])


def _customers(window: Window) -> Select[Any]:
    address = func.jsonb_build_object(
        "connection", identity.c.connection, "kind", identity.c.kind, "value", identity.c.value
    )
    addresses = (
        select(
            func.coalesce(
                func.jsonb_agg(aggregate_order_by(address, identity.c.ref)), literal([], JSONB), type_=JSONB
            )
        )
        .where(identity.c.customer_ref == customer.c.ref)
        .correlate(customer)
        .scalar_subquery()
    )
    rows = _rows(customer, window, addresses.label("identities"), without=INSIDE)
    if window.since is None:
        return rows
    talking = select(conversation.c.customer_ref)
    if (scope := window.scope()) is not None:
        return rows.where(customer.c.ref.in_(talking.where(conversation.c.ref.in_(scope))))
    # A conversation that the first run left out may come back: its customer comes with it.
    came_back = customer.c.ref.in_(talking.where(window.holds(conversation)))
    complete = written_between(customer.c.xid, 0, window.end)
    columns = [column for column in customer.c if column.name not in {"xid", *INSIDE}]
    return (
        select(*columns, addresses.label("identities"))
        .where(complete, or_(window.holds(customer), came_back))
        .order_by(customer.c.ref)
    )


async def count(connection: AsyncConnection, query: Select[Any]) -> int:
    """How many rows a query gives."""
    return await connection.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0


async def stream(
    connection: AsyncConnection, query: Select[Any], *, most: int = BATCH
) -> AsyncIterator[list[dict[str, Any]]]:
    """The rows of a query in batches, through a cursor on the server: memory stays constant."""
    async with connection.stream(query, execution_options={"yield_per": most}) as rows:
        names = tuple(rows.keys())
        async for batch in rows.partitions(most):
            yield [dict(zip(names, row, strict=True)) for row in batch]


_NAMES = (
    select(conversation.c.ref, customer.c.name)
    .join(customer, customer.c.ref == conversation.c.customer_ref)
    .where(conversation.c.ref == func.any(bindparam("refs", type_=ARRAY(BIGINT))), customer.c.name != "")
)


async def load_names(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, str]:
    """The names of the customers of these conversations."""
    rows = await connection.execute(_NAMES, {"refs": sorted(set(refs))})
    return {row.ref: row.name for row in rows}
