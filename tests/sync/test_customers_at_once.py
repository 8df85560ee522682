"""Two lane workers on one PostgreSQL meet the same people at once: nobody is lost, doubled or in the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters import registry
from adapters.model import Person
from adapters.vendors.memory.records import Conversation, Customer, Event
from config.clock import utc_now
from config.database import open_engine
from config.settings import PACKAGED, Settings
from gateway.keys import new_key
from gateway.lanes import LaneWorker
from gateway.scene import Policies, Stage
from rules.policy import load_policies, measures
from sync.store import merging
from sync.store.inbox import RawEvent, accept, lane_of
from sync.store.merging import Act

CONNECTIONS = ("shop", "crm")
ALL = (*CONNECTIONS, "app")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The database."""
    engine = open_engine(database_url, name="tests")
    yield engine
    await engine.dispose()


def worker(engine: AsyncEngine, *, lanes_per_batch: int, kind: type[LaneWorker] = LaneWorker) -> LaneWorker:
    """A lane worker as a process of its own would have it."""
    account = {"base_url": "http://127.0.0.1:1", "token": "t", "webhook_secret": "s"}
    settings = Settings(
        connections={name: {"adapter": "memory", "settings": account} for name in ALL},
        lanes={"lanes_per_batch": lanes_per_batch},
    )
    policies = load_policies(PACKAGED / "policies")
    return kind(
        engine=engine,
        settings=settings,
        adapters={name: registry.build("memory", account, connection=name) for name in ALL},
        policies=lambda: Policies(policies, measures(policies), policies),
        clock=utc_now,
        new_key=new_key,
    )


def told(connection: str, lane: str, who: str, *, number: int = 0, **about: Any) -> RawEvent:
    """An event of a conversation that tells of a customer."""
    now = utc_now()
    event = Event(
        id=f"evt-{connection}-{lane}-{who}-{number}",
        type="conversation_changed",
        by="customer",
        occurred_at=now,
        customer=Customer(id=who, name=about.pop("name", who), updated_at=about.pop("at", now), **about),
        conversation=Conversation(id=lane, customer_id=who, created_at=now, updated_at=now),
    )
    return RawEvent(
        connection=connection,
        key=event.id,
        lane=lane_of(connection, lane),
        body=msgspec.json.encode(event),
        received_at=now,
    )


class Halting(LaneWorker):
    """A lane worker that stands still between deciding and writing, until it is let go."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.decided, self.go = asyncio.Event(), asyncio.Event()

    async def save(self, connection: AsyncConnection, stage: Stage) -> None:
        """Write, when let go."""
        self.decided.set()
        await self.go.wait()
        await super().save(connection, stage)


async def overtake(engine: AsyncEngine, first: RawEvent, second: RawEvent) -> bool:
    """Work `first` up to where it would write, then `second`, then end both; whether the second waited."""
    slow = worker(engine, lanes_per_batch=1, kind=Halting)
    assert isinstance(slow, Halting)
    await feed(engine, first)
    one = asyncio.ensure_future(slow.work())
    await slow.decided.wait()
    await feed(engine, second)
    two = asyncio.ensure_future(worker(engine, lanes_per_batch=1).work())
    done, _ = await asyncio.wait([two], timeout=0.5)
    slow.go.set()
    await asyncio.wait_for(asyncio.gather(one, two), 30)
    await work_all(engine, worker(engine, lanes_per_batch=8))
    return not done


async def feed(engine: AsyncEngine, *events: RawEvent) -> None:
    """Accept events."""
    async with engine.begin() as connection:
        await accept(connection, events)


async def rows(engine: AsyncEngine, query: str) -> list[Any]:
    """What the database holds."""
    async with engine.connect() as connection:
        return list((await connection.execute(text(query))).all())


async def work_all(engine: AsyncEngine, *workers: LaneWorker) -> None:
    """Let the workers work side by side until nothing waits."""

    async def until_empty(each: LaneWorker) -> None:
        while True:
            await each.work()
            (left,) = await rows(engine, "SELECT count(*) AS n FROM inbox WHERE state = 'pending'")
            if not left.n:
                return

    await asyncio.wait_for(asyncio.gather(*map(until_empty, workers)), 90)
    assert await rows(engine, "SELECT ref, reason, detail FROM inbox WHERE state = 'parked'") == []


async def test_a_new_customer_in_two_lanes_is_made_once(engine: AsyncEngine) -> None:
    """Many conversations of the same new people, worked by two at once: one row each."""
    await feed(engine, *(told("shop", f"con_{n}", f"cus_{n % 5}") for n in range(60)))
    await work_all(engine, worker(engine, lanes_per_batch=4), worker(engine, lanes_per_batch=4))
    assert len(await rows(engine, "SELECT 1 FROM customer")) == 5
    (doubles,) = await rows(
        engine,
        "SELECT count(*) AS n FROM conversation v JOIN identity i ON i.customer_ref = v.customer_ref"
        " WHERE i.kind = 'vendor'",
    )
    assert doubles.n == 60


async def test_what_two_lanes_tell_of_one_customer_is_all_kept(engine: AsyncEngine) -> None:
    """Each adds an address of its own, and the newest word on the attributes counts: no update is lost."""
    await feed(engine, told("shop", "con_0", "cus_1", name="Ann"))
    await work_all(engine, worker(engine, lanes_per_batch=1))
    emails = [f"ann{n}@example.com" for n in range(40)]
    await feed(
        engine,
        *(
            told("shop", f"con_{n}", "cus_1", number=1, email=email, attributes={"n": n})
            for n, email in enumerate(emails)
        ),
    )
    await work_all(engine, worker(engine, lanes_per_batch=2), worker(engine, lanes_per_batch=2))
    (customer,) = await rows(engine, "SELECT attributes FROM customer")
    assert customer.attributes == {"n": 39}
    (latest,) = await rows(engine, "SELECT value FROM identity WHERE kind = 'email' AND normal IS NOT NULL")
    assert latest.value == emails[-1]


async def test_the_same_person_at_two_connections_at_once_is_linked(engine: AsyncEngine) -> None:
    """Both sides' first words are worked at the same time, again and again: each pair becomes one."""
    people = range(60)
    await feed(
        engine,
        *(
            told(name, f"con_{n}", f"{name}_{n}", email=f"p{n}@example.com", verified=["email"])
            for n in people
            for name in CONNECTIONS
        ),
    )
    await work_all(engine, worker(engine, lanes_per_batch=6), worker(engine, lanes_per_batch=7))
    parties = await rows(engine, "SELECT count(*) AS n FROM customer GROUP BY main_ref")
    assert [row.n for row in parties] == [2] * len(people)
    assert len(await rows(engine, "SELECT 1 FROM customer_merge WHERE state = 'merged'")) == len(people)


async def test_the_newest_word_wins_over_a_batch_that_was_overtaken(engine: AsyncEngine) -> None:
    """A batch that read before and writes after another one doesn't undo what that one wrote."""
    now = utc_now()
    await feed(engine, told("shop", "con_0", "cus_1", at=now))
    await work_all(engine, worker(engine, lanes_per_batch=1))
    about = {"email": "ann@example.com"}
    older = told("shop", "con_1", "cus_1", number=1, at=now + timedelta(seconds=1), name="Older", **about)
    newer = told("shop", "con_2", "cus_1", number=2, at=now + timedelta(seconds=2), name="Newer")
    assert await overtake(engine, older, newer)
    (customer,) = await rows(engine, "SELECT name FROM customer")
    assert customer.name == "Newer"


async def test_two_who_come_at_once_with_one_address_are_linked(engine: AsyncEngine) -> None:
    """Neither sees the other's row: the address is what the second one waits for."""
    proven = {"email": "ann@example.com", "verified": ["email"]}
    first, second = (told(name, f"con_{name}", f"{name}_1", **proven) for name in CONNECTIONS)
    assert await overtake(engine, first, second)
    assert len(await rows(engine, "SELECT DISTINCT main_ref FROM customer")) == 1


async def test_who_was_merged_while_a_batch_waited_is_found_again(engine: AsyncEngine) -> None:
    """A person merges the candidate away while a lane is about to link to it: the batch begins again."""
    proven = {"email": "ann@example.com", "verified": ["email"]}
    await feed(engine, told("shop", "con_0", "cus_1", **proven), told("app", "con_0", "app_1"))
    await work_all(engine, worker(engine, lanes_per_batch=8))
    refs = {
        row.value: row.customer_ref
        for row in await rows(engine, "SELECT value, customer_ref FROM identity WHERE kind = 'vendor'")
    }
    act = Act(person=Person("mei", "Mei"), at=utc_now())
    async with engine.connect() as person:
        transaction = await person.begin()
        await merging.merge(person, kept=refs["app_1"], gone=refs["cus_1"], act=act)
        await feed(engine, told("crm", "con_1", "crm_1", **proven))
        late = asyncio.ensure_future(worker(engine, lanes_per_batch=8).work())
        done, _ = await asyncio.wait([late], timeout=0.5)
        assert not done
        await transaction.commit()
    await asyncio.wait_for(late, 30)
    mains = await rows(engine, "SELECT DISTINCT main_ref FROM customer")
    assert [row.main_ref for row in mains] == [refs["app_1"]]


async def test_nobody_waits_in_a_ring(engine: AsyncEngine) -> None:
    """Batches that share many customers in different orders all finish, without a deadlock."""
    before = await rows(
        engine, "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()"
    )
    for number in range(4):
        await feed(
            engine,
            *(
                told(
                    name,
                    f"con_{name}_{n}_{number}",
                    f"{name}_{(n * 7 + number) % 12}",
                    number=number,
                    name=f"{n}-{number}",
                    email=f"p{(n * 7 + number) % 12}@example.com",
                    verified=["email"],
                )
                for n in range(24)
                for name in CONNECTIONS
            ),
        )
    workers = [worker(engine, lanes_per_batch=size) for size in (5, 8, 13)]
    await work_all(engine, *workers)
    after = await rows(
        engine, "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()"
    )
    assert after == before
    assert len(await rows(engine, "SELECT 1 FROM customer")) == 24
    assert {row.n for row in await rows(engine, "SELECT count(*) AS n FROM customer GROUP BY main_ref")} == {
        2
    }
