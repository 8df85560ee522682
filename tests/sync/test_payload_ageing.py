"""Stored bodies age out by the day, and nothing that is still needed goes with them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel
from support.bridge import Bridge, eventually

from gateway import storage
from sync.store import inbox, payloads
from sync.store.inbox import RawEvent

TODAY = datetime.now(UTC).replace(microsecond=0)
KEEP = timedelta(days=30)


async def rows(engine: AsyncEngine, query: str) -> list[Any]:
    """What a query gives."""
    async with engine.connect() as connection:
        return list((await connection.execute(text(query))).all())


async def days(engine: AsyncEngine) -> list[str]:
    """The names of the partitions, oldest first."""
    async with engine.connect() as connection:
        return [partition.name for partition in await payloads.partitions(connection)]


async def receive(engine: AsyncEngine, at: datetime, *states: str) -> None:
    """Events of one moment, a lane each, in these states."""
    async with engine.begin() as connection:
        for number, state in enumerate(states):
            key = f"{at:%m%d%H%M}-{number}-{state}"
            event = RawEvent(
                connection="shop", key=key, lane=f"shop/{key}", body=key.encode(), received_at=at, state=state
            )
            assert await inbox.accept(connection, [event]) == [True]


async def give_partition(engine: AsyncEngine, at: datetime) -> None:
    """Make a day's partition."""
    async with engine.begin() as connection:
        await payloads.add(connection, payloads.partition_of(at.date()))


async def owners(engine: AsyncEngine) -> list[str]:
    """The states of the events that have a body, in their order."""
    found = await rows(
        engine, "SELECT i.state FROM payload p JOIN inbox i ON i.ref = p.inbox_ref ORDER BY i.ref"
    )
    return [row.state for row in found]


@pytest.fixture
async def past(engine: AsyncEngine) -> datetime:
    """A day that is too old to keep, with its partition."""
    at = TODAY - KEEP - timedelta(days=2)
    await give_partition(engine, at)
    return at


async def test_a_body_lies_in_the_partition_of_its_day(engine: AsyncEngine, past: datetime) -> None:
    """Found there by its event, and nowhere else."""
    await receive(engine, past, "pending")
    (row,) = await rows(engine, "SELECT tableoid::regclass::text AS place FROM payload")
    assert row.place == f"payload_{past:%Y%m%d}"
    async with engine.begin() as connection:
        (event,) = await inbox.read_events(connection, [f"shop/{past:%m%d%H%M}-0-pending"])
    assert event.body == f"{past:%m%d%H%M}-0-pending".encode()


async def test_old_days_are_dropped_and_the_next_days_are_made(engine: AsyncEngine, past: datetime) -> None:
    """The table goes, not its rows; a day within the policy stays."""
    await receive(engine, past, "done", "done")
    await give_partition(engine, TODAY - KEEP)
    await receive(engine, TODAY - timedelta(days=29), "done")
    before = await days(engine)
    await storage.age_payloads(engine, KEEP)
    after = await days(engine)
    assert f"payload_{past:%Y%m%d}" in before
    assert f"payload_{past:%Y%m%d}" not in after
    assert after[-1] == f"payload_{TODAY + timedelta(days=storage.DAYS_AHEAD):%Y%m%d}"
    assert len(after) == storage.DAYS_AHEAD + 2
    assert f"payload_{TODAY - KEEP:%Y%m%d}" in after, "its last hour is not thirty days old yet"
    assert [row.n for row in await rows(engine, "SELECT count(*) AS n FROM payload")] == [1]
    assert [row.n for row in await rows(engine, "SELECT count(*) AS n FROM inbox")] == [3]


async def test_what_waits_or_is_parked_keeps_its_body(engine: AsyncEngine, past: datetime) -> None:
    """Their bodies outlive their day in the default partition, until they are done."""
    await receive(engine, past, "done", "pending", "parked", "malformed", "dropped")
    await storage.age_payloads(engine, KEEP)
    kept = await rows(
        engine,
        "SELECT i.state, p.tableoid::regclass::text AS place FROM payload p"
        " JOIN inbox i ON i.ref = p.inbox_ref AND i.received_at = p.received_at ORDER BY i.ref",
    )
    assert [row.state for row in kept] == ["pending", "parked", "malformed"]
    assert {row.place for row in kept} == {"payload_default"}
    async with engine.begin() as connection:
        (event,) = await inbox.read_events(connection, [f"shop/{past:%m%d%H%M}-1-pending"])
        await inbox.finish(connection, [event.ref], now=TODAY)
    assert event.body == f"{past:%m%d%H%M}-1-pending".encode()
    await storage.age_payloads(engine, KEEP)
    left = await rows(
        engine, "SELECT i.state FROM payload p JOIN inbox i ON i.ref = p.inbox_ref ORDER BY i.ref"
    )
    assert [row.state for row in left] == ["parked", "malformed"]


async def test_a_day_that_is_still_needed_by_many_is_kept_whole(
    engine: AsyncEngine, past: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moving thousands would hold up those who store: the day waits until fewer need it."""
    monkeypatch.setattr(storage, "SAVE_AT_MOST", 1)
    await receive(engine, past, "parked", "parked", "done")
    await storage.age_payloads(engine, KEEP)
    assert f"payload_{past:%Y%m%d}" in await days(engine)
    assert len(await rows(engine, "SELECT 1 FROM payload")) == 3


async def test_the_default_partition_is_swept_in_batches(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored while no partition was there ages out, too."""
    monkeypatch.setattr(storage, "SWEEP_BATCH", 2)
    monkeypatch.setattr(storage, "PAUSE", 0)
    old = TODAY - KEEP - timedelta(days=40)
    await receive(engine, old, *["done"] * 5, "pending")
    await receive(engine, TODAY - timedelta(days=1), "done")
    await storage.age_payloads(engine, KEEP)
    left = await rows(
        engine, "SELECT i.state FROM payload p JOIN inbox i ON i.ref = p.inbox_ref ORDER BY i.ref"
    )
    assert [row.state for row in left] == ["pending", "done"]


async def test_bodies_in_the_default_delay_only_their_own_day(engine: AsyncEngine) -> None:
    """A day that began without its partition goes on without it; the next one has its own."""
    async with engine.begin() as connection:
        for partition in await payloads.partitions(connection):
            await connection.execute(text(f"DROP TABLE {partition.name}"))
    await receive(engine, TODAY, "pending")
    await storage.age_payloads(engine, KEEP)
    made = await days(engine)
    assert f"payload_{TODAY:%Y%m%d}" not in made
    assert f"payload_{TODAY + timedelta(days=1):%Y%m%d}" in made


async def test_webhooks_are_accepted_though_every_partition_is_missing(bridge: Bridge) -> None:
    """The default partition takes them, and they are worked and answered."""
    async with bridge.house.engine.begin() as connection:
        for partition in await payloads.partitions(connection):
            await connection.execute(text(f"DROP TABLE {partition.name}"))
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    (row,) = await bridge.rows("SELECT DISTINCT tableoid::regclass::text AS place FROM payload")
    assert row.place == "payload_default"


async def test_dropping_waits_for_nobody_and_holds_up_no_webhook(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long reader has the table, each webhook is taken within its limit; the day goes afterwards."""
    engine = bridge.house.engine
    at = TODAY - KEEP - timedelta(days=2)
    await give_partition(engine, at)
    monkeypatch.setattr(storage, "TRIES", 2)
    async with engine.connect() as reader:
        await reader.execute(text("SELECT count(*) FROM payload"))
        ageing = asyncio.create_task(storage.age_payloads(engine, KEEP))
        for number in range(20):
            bridge.helpdesk.customer_says(f"cus_{number}", "hello")
            await bridge.helpdesk.drain()
            await asyncio.sleep(0.05)
        await ageing
        assert f"payload_{at:%Y%m%d}" in await days(engine)
    assert {delivery.status for delivery in bridge.helpdesk.deliveries} == {202}
    await storage.age_payloads(engine, KEEP)
    assert f"payload_{at:%Y%m%d}" not in await days(engine)


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_models_and_migrations_agree(engine: AsyncEngine) -> None:
    """A migrated database is what the models describe; its partitions come and go by themselves."""

    def differences(connection: Connection) -> list[Any]:
        options = {"include_name": lambda name, kind, _: kind != "table" or not name.startswith("payload_")}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, SQLModel.metadata)

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    assert [each for each in found if each[0] != "remove_table" or each[1].name != "alembic_version"] == []
