"""Many senders in several processes, one account: its limits are kept, replies go first, all is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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


@pytest.fixture(params=[SHORTENED, pytest.param(REAL, marks=[pytest.mark.faults, pytest.mark.timeout(1200)])])
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
    pages = [0]

    async def pull() -> None:
        adapter = bridge.house.adapters["shop"]
        while True:
            try:
                with spending(Priority.BACKFILL):
                    await adapter.pull(PullKind.CUSTOMERS, None)
                pages[0] += 1
            except Held as held:
                await asyncio.sleep(held.retry_after.total_seconds() if held.retry_after else 0)

    tasks = [asyncio.create_task(pull()) for _ in range(PULLERS)]
    try:
        yield pages
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def write_fields(bridge: Bridge, scale: Scale) -> None:
    """Put field writes for all customers into the outbox."""
    people = await bridge.rows("SELECT customer_ref AS ref, value FROM identity WHERE kind = 'vendor'")
    now = datetime.now(UTC)
    rows = [
        {
            "ref": 9_000_000 + number * len(people) + index,
            "customer_ref": person.ref,
            "connection": "shop",
            "kind": "update_customer",
            "body": {
                "type": "update_customer",
                "key": f"field-{number}-{person.value}",
                "customer_id": person.value,
                "attributes": {"step": number},
            },
            "key": f"field-{number}-{person.value}",
            "priority": Priority.FIELDS,
            "state": "waiting",
            "ready_at": now,
            "created_at": now,
        }
        for number in range(scale.fields)
        for index, person in enumerate(people)
    ]
    async with bridge.house.engine.begin() as connection:
        await connection.execute(insert(CommandRow), rows)


@pytest.mark.timeout(300)
async def test_limits_are_kept_and_replies_go_first(
    bridge: Bridge, start: Callable[..., Popen[bytes]], scale: Scale
) -> None:
    """No 429, though updates, replies and a backfill want many times what there is."""
    helpdesk = bridge.helpdesk
    for n in range(scale.customers):
        helpdesk.state.welcome(f"cus_{n}")
    helpdesk.allow(
        Allowance(requests=scale.requests, seconds=scale.seconds),
        Allowance(requests=scale.updates, seconds=scale.seconds, updates_only=True),
    )
    for _ in range(scale.workers):
        start()
    await eventually(lambda: known(bridge, scale), what="all customers known", within=STARTING)
    async with backfill(bridge) as pages:
        await write_fields(bridge, scale)
        begun = scale.updates / 3
        await eventually(lambda: len(sent(bridge, "PATCH")) >= begun, what="fields are sent", within=60)
        asked = datetime.now(UTC)
        said = [helpdesk.customer_says(f"cus_{n}", QUESTION).conversation_id for n in range(scale.customers)]
        replied = lambda: all(bridge.replies(each) for each in said)  # noqa: E731
        await eventually(replied, what="all replies", within=scale.within)
        overtook = [at for at in sent(bridge, "PATCH") if at > asked]
        slowest = max((bridge.replies(each)[0].created_at - asked).total_seconds() for each in said)
        await eventually(lambda: converged(bridge, scale), what="all fields written", within=scale.within)
    assert [each for each in helpdesk.requests if each.status == 429] == []
    most = scale.seconds * (scale.customers / scale.updates + 1.5)
    assert slowest <= most, "a reply waits for other replies alone"
    assert len(overtook) <= scale.updates * 0.65 + scale.workers, "fields leave replies their part"
    assert pages[0] > scale.requests / 2, "the backfill gets what is left"
    assert all(len(bridge.replies(each)) == 1 for each in said)
    assert await bridge.rows("SELECT 1 FROM command WHERE state = 'parked' OR attempts > 1") == []


def sent(bridge: Bridge, method: str) -> list[datetime]:
    """When requests of that kind were let in."""
    return [each.at for each in bridge.helpdesk.requests if each.method == method and each.status == 200]


async def known(bridge: Bridge, scale: Scale) -> bool:
    """Whether every customer has come in."""
    rows = await bridge.rows("SELECT count(*) AS n FROM identity WHERE kind = 'vendor'")
    return bool(rows[0].n >= scale.customers)


def converged(bridge: Bridge, scale: Scale) -> bool:
    """Whether every customer has the last value."""
    last = {"step": scale.fields - 1}
    return all(each.attributes == last for each in bridge.helpdesk.state.customers.values())
