"""Which errors of the database are about what it was given, so that trying again is of no use."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from config.database import refuses_data, storable


@pytest.mark.parametrize(
    ("statement", "values", "refused"),
    [
        ("SELECT CAST(:v AS text)", {"v": "a\x00b"}, True),
        ("SELECT 1 / CAST(:v AS bigint)", {"v": 0}, True),
        ("SELECT CAST(:v AS bigint)", {"v": 2**70}, True),
        ("INSERT INTO ref_twice VALUES (1), (1)", {}, True),
        ("SELECT * FROM no_such_table", {}, False),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {}, False),
        ("SELECT pg_sleep(20)", {}, False),
    ],
)
async def test_only_what_would_be_refused_again_is_about_the_data(
    engine: AsyncEngine, statement: str, values: dict[str, Any], *, refused: bool
) -> None:
    """A lost connection, a schema that doesn't fit or a time-out says nothing against an event."""
    typed = text(statement)
    if isinstance(values.get("v"), int):
        typed = typed.bindparams(bindparam("v", type_=BigInteger))
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TEMPORARY TABLE ref_twice (ref int PRIMARY KEY)"))
        await connection.execute(text("SET statement_timeout = '1s'"))
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(typed, values)
        assert refuses_data(caught.value) is refused


def test_what_a_vendor_says_can_be_stored() -> None:
    """Whatever it holds."""
    assert storable("no\x00such field") == "nosuch field"
    assert storable(None) is None
