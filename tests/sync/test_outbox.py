"""Claiming commands: whose turn it is, whether they are about a conversation or about a customer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from sync.store import outbox
from sync.store.outbox import Claimed, Room
from sync.tables import CommandRow, Conversation

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONVERSATION = {
    "ref": 1,
    "connection": "shop",
    "id": "con_1",
    "channel": "chat",
    "status": "open",
    "tags": [],
    "subject": "",
    "url": "",
    "language": "en",
    "attributes": {},
    "created_at": NOW,
    "lease_holder": "ai",
    "lease_epoch": 3,
    "lease_since": NOW,
}


def command(ref: int, **more: Any) -> dict[str, Any]:
    """A command that is due."""
    usual = {"connection": "crm", "kind": "update_customer", "body": {}, "key": f"key-{ref}", "priority": 5}
    return {"ref": ref, "state": "waiting", "ready_at": NOW, "created_at": NOW} | usual | more


async def store(engine: AsyncEngine, *rows: dict[str, Any]) -> None:
    """Put commands into the outbox."""
    async with engine.begin() as connection:
        for row in rows:
            await connection.execute(insert(CommandRow), row)


async def claim(engine: AsyncEngine, *, most: int = 10) -> list[Claimed]:
    """Claim what is due, in the order of its refs."""
    async with engine.begin() as connection:
        claimed, _ = await outbox.claim(connection, worker=1, room=Room(most=most, share=most), now=NOW)
    return sorted(claimed, key=lambda each: each.ref)


async def test_a_command_may_be_about_a_customer(engine: AsyncEngine) -> None:
    """It has no conversation, and needs no right to speak."""
    await store(engine, command(7, customer_ref=2))
    (claimed,) = await claim(engine)
    assert (claimed.customer_ref, claimed.conversation_ref, claimed.conversation_id) == (2, None, None)


async def test_commands_about_a_customer_go_one_by_one_at_each_connection(engine: AsyncEngine) -> None:
    """The second waits for the first; another connection and another customer don't."""
    await store(
        engine,
        command(7, customer_ref=2),
        command(8, customer_ref=2),
        command(9, customer_ref=2, connection="erp"),
        command(10, customer_ref=3),
    )
    assert [claimed.ref for claimed in await claim(engine)] == [7, 9, 10]
    assert await claim(engine) == []


async def test_a_conversation_that_a_lane_holds_is_left_for_later(engine: AsyncEngine) -> None:
    """Its lease may be moving right now; what is about customers goes on."""
    async with engine.begin() as lane:
        await lane.execute(insert(Conversation), CONVERSATION)
    await store(engine, command(7, conversation_ref=1, kind="reply", epoch=3), command(8, customer_ref=2))
    async with engine.begin() as lane:
        await lane.execute(text("UPDATE conversation SET lease_epoch = 4 WHERE ref = 1"))
        assert [claimed.ref for claimed in await claim(engine)] == [8]
    assert await claim(engine) == []
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT state FROM command WHERE ref = 7"))).one()
    assert row.state == "superseded"


@pytest.mark.parametrize("subjects", [{}, {"customer_ref": 2, "conversation_ref": 1}])
async def test_a_command_has_one_subject(engine: AsyncEngine, subjects: dict[str, int]) -> None:
    """Neither none nor two: its order would be anyone's guess."""
    with pytest.raises(IntegrityError, match="command_subject"):
        await store(engine, command(7, **subjects))


@pytest.mark.parametrize("ready_in", [0, 3600])
async def test_a_queue_that_the_statistics_have_not_seen_costs_each_command_one_look(
    engine: AsyncEngine, ready_in: int
) -> None:
    """Beside a long history the planner takes what waits for nothing; it must not read all of it for each."""
    waiting = """
        INSERT INTO command
            (ref, customer_ref, connection, kind, body, key, priority, state, ready_at, created_at)
        SELECT n, n, 'crm', 'update_customer', '{}', n::text, 5, :state, :at, :at
        FROM generate_series(CAST(:first AS bigint), :last) AS n
    """
    at = NOW + timedelta(seconds=ready_in)
    async with engine.begin() as connection:
        past = {"state": "done", "at": NOW, "first": 1, "last": 50_000}
        await connection.execute(text(waiting), past)
        await connection.execute(text("ANALYZE command"))
        queue = {"state": "waiting", "at": at, "first": 100_001, "last": 104_000}
        await connection.execute(text(waiting), queue)
        # 4,000 looks take some milliseconds; 4,000 times 4,000 some seconds.
        await connection.execute(text("SET LOCAL statement_timeout = '1s'"))
        due = await outbox.next_due(connection, worker=1, now=NOW)
        assert due == at
        claimed, _ = await outbox.claim(connection, worker=1, room=Room(most=10, share=10), now=NOW)
        assert [each.ref for each in claimed] == ([] if ready_in else list(range(100_001, 100_011)))
