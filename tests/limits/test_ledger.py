"""Where use is counted: one suite for Redis and for its twin in the process."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from adapters.manifest import LimitHeaders
from gateway.limits.arithmetic import Rule, Told
from gateway.limits.endpoints import Budget
from gateway.limits.ledger import LocalLedger, RedisLedger
from sync.priority import Priority

START = 1_700_000_000_000
Ledger = LocalLedger | RedisLedger


def budget(name: str = "all", *, requests: int = 100, seconds: int = 60, cap: int | None = None) -> Budget:
    """A limit of the account `acme`."""
    return Budget(
        key=f"test:{name}",
        account="acme",
        name=name,
        rule=Rule(requests=requests, window=seconds * 1000, cap=cap),
        only=(),
        headers=LimitHeaders(),
    )


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        """Milliseconds."""
        return self.now


@pytest.fixture
def time() -> Time:
    """The time of both ledgers."""
    return Time()


@pytest.fixture(params=["local", "redis"])
def ledger(request: pytest.FixtureRequest, time: Time, redis: Redis) -> Ledger:
    """Each of the twins."""
    return LocalLedger(time) if request.param == "local" else RedisLedger(redis, time)


async def drain(ledger: Ledger, *budgets: Budget, priority: Priority = Priority.REPLY) -> int:
    """Draw as long as it is paid; how often it was."""
    count = 0
    while (await ledger.draw(budgets, priority)).paid:
        count += 1
    return count


async def test_a_limit_is_paid_until_it_is_used_up(ledger: Ledger, time: Time) -> None:
    """And again after its window."""
    limit = budget(requests=5)
    assert await drain(ledger, limit) == 5
    refused = await ledger.draw([limit], Priority.REPLY)
    assert timedelta(seconds=60) <= refused.wait <= timedelta(seconds=61)
    time.now += refused.wait // timedelta(milliseconds=1)
    assert await drain(ledger, limit) == 5


async def test_a_request_pays_all_its_limits_or_none(ledger: Ledger) -> None:
    """A ticket update counts for the account, too; refused by one it costs the other nothing."""
    every, updates = budget(requests=7), budget("updates", requests=3)
    assert await drain(ledger, every, updates) == 3
    assert await drain(ledger, every) == 4


async def test_many_at_once_never_draw_too_much(ledger: Ledger) -> None:
    """The check and the payment are one step."""
    limit = budget(requests=20)
    drawn = await asyncio.gather(*(ledger.draw([limit], Priority.REPLY) for _ in range(50)))
    assert sum(each.paid for each in drawn) == 20


async def test_the_last_part_is_kept_for_replies(ledger: Ledger) -> None:
    """Fields leave 35 %."""
    limit = budget(requests=100)
    assert await drain(ledger, limit, priority=Priority.FIELDS) == 65
    assert await drain(ledger, limit) == 35


async def test_looking_pays_nothing(ledger: Ledger) -> None:
    """It only says how long a request would wait."""
    limit = budget(requests=1)
    assert (await ledger.draw([limit], Priority.REPLY, look=True)).paid
    assert await drain(ledger, limit) == 1
    assert not (await ledger.draw([limit], Priority.REPLY, look=True)).paid


async def test_a_refusal_by_the_vendor_closes_the_limit(ledger: Ledger, time: Time) -> None:
    """Until the time it named."""
    limit = budget()
    paid = await ledger.draw([limit], Priority.REPLY)
    await ledger.settle([limit], {"all": Told(closed_for=30_000)}, paid_at=paid.at)
    assert (await ledger.draw([limit], Priority.REPLY)).wait == timedelta(seconds=30)
    time.now += 30_000
    assert await drain(ledger, limit) == 99


async def test_the_vendors_word_corrects_the_count(ledger: Ledger) -> None:
    """Its limit and what others used of it; told of one limit, the other stays as it was."""
    every, updates = budget(requests=700), budget("updates", requests=100)
    paid = await ledger.draw([every, updates], Priority.REPLY)
    told = {"updates": Told(limit=50, remaining=10, reset=16_000)}
    await ledger.settle([every, updates], told, paid_at=paid.at)
    assert await drain(ledger, every, updates) == 10
    assert (await ledger.draw([every, updates], Priority.REPLY)).wait == timedelta(seconds=16)
    (level,) = await ledger.levels([updates])
    assert (level.limit, level.used, level.remaining) == (50, 50, 0)


step = st.one_of(
    st.tuples(st.just("pause"), st.integers(1, 9_000)),
    st.tuples(st.just("draw"), st.sampled_from(list(Priority))),
    st.tuples(st.just("answer"), st.integers(0, 3_000)),
    st.tuples(
        st.just("told"),
        st.builds(
            Told,
            limit=st.none() | st.integers(1, 30),
            remaining=st.none() | st.integers(0, 30),
            reset=st.none() | st.integers(0, 9_000),
            closed_for=st.sampled_from([0, 0, 0, 500]),
        ),
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=25), cap=st.none() | st.integers(1, 20))
def test_the_twins_agree(shared_redis_server: Any, steps: list[tuple[str, Any]], cap: int | None) -> None:
    """Whatever happens, Redis and the process come to the same answers."""

    async def play(make: Callable[[Time], Ledger]) -> list[Any]:
        time, seen = Time(), []
        budgets = [budget("all", requests=12, seconds=6, cap=cap), budget("updates", requests=7, seconds=3)]
        ledger, paid_at = make(time), START
        for kind, value in steps:
            if kind == "pause":
                time.now += value
            elif kind == "draw":
                drawn = await ledger.draw(budgets, value)
                paid_at = drawn.at if drawn.paid else paid_at
                seen.append((drawn.wait, drawn.at))
            else:
                told = {"updates": value} if kind == "told" else {}
                time.now += value if kind == "answer" else 0
                await ledger.settle(budgets, told, paid_at=paid_at)
            seen.append(await ledger.levels(budgets))
        return seen

    async def both() -> None:
        redis = Redis.from_url(shared_redis_server.url, decode_responses=True)
        await redis.flushdb()
        remote = await play(lambda time: RedisLedger(redis, time))
        await redis.aclose()
        assert remote == await play(LocalLedger)

    with asyncio.Runner() as runner:
        runner.run(both())
