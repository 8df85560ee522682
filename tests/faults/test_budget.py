"""Many senders in several processes, one account: its limits are kept, replies go first, all is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from subprocess import Popen
from typing import Any

import pytest
from msgspec import Struct
from sqlalchemy import insert
from support.bridge import Bridge, eventually
from support.redis import RedisServer

from adapters.errors import Held
from adapters.model import PullKind
from adapters.vendors.memory.allowance import Allowance
from gateway.limits.purpose import spending
from sync.priority import Priority
from sync.tables import CommandRow

pytestmark = pytest.mark.alone
QUESTION = "How long does delivery take?"
SENDERS, PULLERS = 32, 8
STARTING = 180


class Scale(Struct, frozen=True, kw_only=True):
    """How large and how long. `told`: the vendor's limits are configured, else learnt from its headers."""

    workers: int
    updates: int
    requests: int
    seconds: float
    customers: int
    fields: int
    told: bool
    within: float


SHORTENED = Scale(
    workers=2, updates=50, requests=350, seconds=3, customers=40, fields=2, told=True, within=60
)
REAL = Scale(
    workers=4, updates=100, requests=700, seconds=60, customers=100, fields=2, told=False, within=540
)


@pytest.fixture
def worker_inside() -> bool:
    """The workers are processes of the test."""
    return False


@pytest.fixture(
    params=[
        pytest.param(SHORTENED, marks=pytest.mark.timeout(300)),
        pytest.param(REAL, marks=[pytest.mark.faults, pytest.mark.timeout(1200)]),
    ]
)
def scale(request: pytest.FixtureRequest) -> Scale:
    """A quick one for every day, and the real figures."""
    wanted: Scale = request.param
    return wanted


@pytest.fixture
def overrides(scale: Scale, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """32 senders, one Redis."""
    if scale.told:
        limits = {"all": scale.requests, "updates": scale.updates}
        own = {name: {"requests": n, "seconds": scale.seconds} for name, n in limits.items()}
        monkeypatch.setenv("DESKBRIDGE_CONNECTIONS__SHOP__LIMITS", json.dumps(own))
    each = SENDERS // scale.workers
    return {
        "redis_url": redis_server.url,
        "delivery": {"concurrency": each, "per_connection": each, "first_retry": 0.05},
    }


@asynccontextmanager
async def backfill(bridge: Bridge) -> AsyncIterator[list[int]]:
    """Pull pages all the time, as fast as the limits allow; how many it were."""
    pages, enough = [0], asyncio.Event()

    async def pull() -> None:
        adapter = bridge.house.adapters["shop"]
        while not enough.is_set():
            try:
                with spending(Priority.BACKFILL):
                    await adapter.pull(PullKind.CUSTOMERS, None)
                pages[0] += 1
            except Held as held:
                pause = held.retry_after.total_seconds() if held.retry_after else 0
                with suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), pause)

    async with asyncio.TaskGroup() as group:
        for _ in range(PULLERS):
            group.create_task(pull())
        try:
            yield pages
        finally:
            enough.set()


async def change_tags(bridge: Bridge, scale: Scale) -> None:
    """Put changes of the tags of all conversations into the outbox, one after the other."""
    threads = await bridge.rows("SELECT ref, id FROM conversation")
    now = datetime.now(UTC)
    rows = [
        {
            "ref": 9_000_000 + number * len(threads) + index,
            "conversation_ref": thread.ref,
            "connection": "shop",
            "kind": "change_tags",
            "body": {
                "type": "change_tags",
                "key": f"tags-{number}-{thread.id}",
                "conversation_id": thread.id,
                "add": [f"step-{number}"],
                "remove": [f"step-{number - 1}"],
            },
            "key": f"tags-{number}-{thread.id}",
            "priority": Priority.FIELDS,
            "state": "waiting",
            "ready_at": now,
            "created_at": now,
        }
        for number in range(scale.fields)
        for index, thread in enumerate(threads)
    ]
    async with bridge.house.engine.begin() as connection:
        await connection.execute(insert(CommandRow), rows)


async def test_limits_are_kept_and_replies_go_first(
    bridge: Bridge, start: Callable[..., Popen[bytes]], scale: Scale
) -> None:
    """No 429, though updates, replies and a backfill want many times what there is."""
    helpdesk = bridge.helpdesk
    for n in range(scale.customers):
        helpdesk.state.open(helpdesk.state.welcome(f"cus_{n}"), channel="email")
    helpdesk.allow(
        Allowance(requests=scale.requests, seconds=scale.seconds),
        Allowance(requests=scale.updates, seconds=scale.seconds, updates_only=True),
    )
    for _ in range(scale.workers):
        start()
    await eventually(lambda: known(bridge, scale), what="all conversations known", within=STARTING)
    async with backfill(bridge) as pages:
        await change_tags(bridge, scale)
        begun = scale.updates / 3
        await eventually(lambda: len(tagged(bridge)) >= begun, what="tags are sent", within=60)
        asked = datetime.now(UTC)
        said = [helpdesk.customer_says(f"cus_{n}", QUESTION).conversation_id for n in range(scale.customers)]
        replied = lambda: all(bridge.replies(each) for each in said)  # noqa: E731
        await eventually(replied, what="all replies", within=scale.within)
        overtook = [at for at in tagged(bridge) if at > asked]
        slowest = max((bridge.replies(each)[0].created_at - asked).total_seconds() for each in said)
        await eventually(lambda: converged(bridge, scale), what="all tags written", within=scale.within)
    assert [each for each in helpdesk.requests if each.status == 429] == []
    most = scale.seconds * (scale.customers / scale.updates + 1.5)
    assert slowest <= most, "a reply waits for other replies alone"
    assert len(overtook) <= scale.updates * 0.65 + scale.workers, "fields leave replies their part"
    assert pages[0] > scale.requests / 2, "the backfill gets what is left"
    assert all(len(bridge.replies(each)) == 1 for each in said)
    assert await bridge.rows("SELECT 1 FROM command WHERE state = 'parked' OR attempts > 1") == []


def tagged(bridge: Bridge) -> list[datetime]:
    """When changes of tags were let in."""
    return [r.at for r in bridge.helpdesk.requests if r.path.endswith("/tags") and r.status == 200]


async def known(bridge: Bridge, scale: Scale) -> bool:
    """Whether every conversation has come in."""
    rows = await bridge.rows("SELECT count(*) AS n FROM conversation")
    return bool(rows[0].n >= scale.customers)


def converged(bridge: Bridge, scale: Scale) -> bool:
    """Whether every conversation has the last tag alone."""
    threads = [each for each in bridge.helpdesk.state.conversations.values() if each.channel == "email"]
    return all(each.tags == [f"step-{scale.fields - 1}"] for each in threads)
