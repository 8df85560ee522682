"""Statements that go straight to the driver belong to their transaction, and fail as others do."""

import asyncio

import pytest
from sqlalchemy import BigInteger, bindparam, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from config.database import Direct, at_once, refuses_data, transaction
from sync.tables import CommandRow

ADD = Direct(
    text("INSERT INTO jot (n, what) VALUES (:n, :what)").bindparams(bindparam("n", type_=BigInteger))
)
COUNT = text("SELECT count(*) FROM jot")
PID = Direct(text("SELECT pg_backend_pid() AS pid"))


@pytest.fixture
async def jots(engine: AsyncEngine) -> AsyncEngine:
    """An engine to whose database a small table was added."""
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE jot (n bigint PRIMARY KEY, what text)"))
    return engine


async def count(engine: AsyncEngine) -> int:
    """How many rows others see."""
    async with engine.connect() as connection:
        return int(await connection.scalar(COUNT) or 0)


async def test_as_the_first_statement_it_is_rolled_back_with_the_rest(jots: AsyncEngine) -> None:
    """SQLAlchemy begins with the first statement that it sees; this one it doesn't see."""
    async with jots.connect() as connection:
        await connection.begin()
        await ADD.rows(connection, {"n": 1, "what": "first"})
        assert await connection.scalar(COUNT) == 1
        assert await count(jots) == 0
        await connection.rollback()
    assert await count(jots) == 0


async def test_a_transaction_is_committed_at_its_end_and_not_before(jots: AsyncEngine) -> None:
    """Beside SQLAlchemy's own statements and savepoints."""
    async with transaction(at_once(jots)) as connection:
        await ADD.many(connection, [{"n": 1, "what": "a"}, {"n": 2, "what": None}])
        with pytest.raises(DBAPIError):
            async with connection.begin_nested():
                await ADD.rows(connection, {"n": 2, "what": "twice"})
        await connection.execute(text("UPDATE jot SET what = 'b' WHERE n = 2"))
        assert await count(jots) == 0
    assert await count(jots) == 2


async def test_a_transaction_that_fails_leaves_nothing_and_its_connection_is_fit(jots: AsyncEngine) -> None:
    """Be it by an error of the database or cut off in the middle of a statement."""
    engine = at_once(jots)

    async def add_and(last: Direct) -> None:
        async with transaction(engine) as connection:
            await ADD.rows(connection, {"n": 1, "what": "a"})
            await last.rows(connection)

    with pytest.raises(DBAPIError) as caught:
        async with transaction(engine) as connection:
            await ADD.many(connection, [{"n": 1, "what": "a"}, {"n": 1, "what": "again"}])
    assert refuses_data(caught.value)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(add_and(Direct(text("SELECT pg_sleep(5)"))), 0.05)
    with pytest.raises(DBAPIError):
        await add_and(Direct(text("SELECT no_such_column")))
    async with transaction(engine) as connection:
        await ADD.rows(connection, {"n": 1, "what": "a"})
    assert await count(jots) == 1


async def test_a_broken_connection_is_given_up(jots: AsyncEngine) -> None:
    """The error says so, and the next transaction has another one."""
    engine = at_once(jots)
    async with transaction(engine) as connection:
        (pid,) = await PID.values(connection)

    async def break_and_add() -> None:
        async with transaction(engine) as connection:
            async with jots.connect() as other:
                (mine,) = await PID.values(connection)
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            await ADD.rows(connection, {"n": 1, "what": "a"})

    with pytest.raises(DBAPIError) as caught:
        await break_and_add()
    assert caught.value.connection_invalidated
    assert not refuses_data(caught.value)
    async with transaction(engine) as connection:
        (now,) = await PID.rows(connection)
    assert now.pid != pid


async def test_an_insert_that_counts_on_a_default_of_ours_is_refused(engine: AsyncEngine) -> None:
    """The driver knows none: it names what is missing instead of storing nothing."""
    async with transaction(at_once(engine)) as connection:
        with pytest.raises(TypeError, match="attempts"):
            await Direct(insert(CommandRow)).many(connection, [{"ref": 1, "kind": "reply"}])


async def test_what_is_no_text_to_the_database_is_refused_as_data(jots: AsyncEngine) -> None:
    """A value that the driver can't encode would fail again."""
    async with transaction(at_once(jots)) as connection:
        with pytest.raises(DBAPIError) as caught:
            await ADD.rows(connection, {"n": 2**70, "what": "a"})
    assert refuses_data(caught.value)
