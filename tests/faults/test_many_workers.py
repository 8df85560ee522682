"""Many workers: lanes and commands move within seconds, never to two at once; and a flood starves nobody."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import msgspec
import pytest
from support.bridge import Bridge, eventually

from adapters.vendors.memory.records import Event, Message
from config.clock import utc_now
from gateway.store import LEADER
from sync.store.inbox import RawEvent, accept, lane_of
from sync.store.workers import count_workers

Start = Callable[..., Popen[bytes]]

pytestmark = pytest.mark.alone
REBALANCED_WITHIN = 5.0
QUESTION = "How long does delivery take?"
STARTING = 40.0
FLOOD = 600


@pytest.fixture
def worker_inside() -> bool:
    """The workers are processes of the test."""
    return False


def is_frozen(process: Popen[bytes]) -> bool:
    """Whether the kernel has stopped it."""
    state = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return state == "T"


async def workers(bridge: Bridge) -> int:
    """How many workers show that they live."""
    async with bridge.house.engine.connect() as connection:
        return await count_workers(connection)


async def at_work(bridge: Bridge, count: int) -> None:
    """Wait until so many workers are at work."""

    async def all_there() -> bool:
        return await workers(bridge) == count

    await eventually(all_there, what=f"{count} workers at work", within=STARTING)


async def one_frozen_one_at_work(bridge: Bridge, start: Start, target: str, moment: str) -> tuple[Any, Any]:
    """A customer's message, and the worker that froze over it; another one is at work."""
    other = start()
    await at_work(bridge, 1)
    other.send_signal(signal.SIGSTOP)
    doomed = start(target, moment, 1, "SIGSTOP")
    await at_work(bridge, 2)
    said = bridge.helpdesk.customer_says("cus_1", QUESTION)
    await eventually(lambda: is_frozen(doomed), what="the worker frozen at that step", within=STARTING)
    other.send_signal(signal.SIGCONT)
    return said, doomed


@pytest.mark.parametrize(
    ("target", "moment"),
    [
        ("gateway.lanes:LaneWorker.save", "after"),
        ("adapters.vendors.memory.adapter:Memory.push", "before"),
        pytest.param("adapters.vendors.memory.adapter:Memory.push", "after", marks=pytest.mark.faults),
    ],
)
async def test_what_a_killed_worker_held_moves_on_within_five_seconds(
    bridge: Bridge, start: Start, target: str, moment: str
) -> None:
    """Killed in the middle of a lane's transaction, or with a command in flight: one answer, soon."""
    said, doomed = await one_frozen_one_at_work(bridge, start, target, moment)
    killed_at = time.monotonic()
    doomed.kill()
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer", within=REBALANCED_WITHIN)
    print(f"answered {time.monotonic() - killed_at:.2f} s after kill -9")  # noqa: T201 - the figure asked for
    await bridge.settled(within=20)
    assert len(bridge.replies(said.conversation_id)) == 1


async def test_a_worker_that_wakes_up_late_can_not_commit(bridge: Bridge, start: Start) -> None:
    """Frozen before its commit: others go on, its lane is taken from it, and it changes nothing."""
    said, frozen = await one_frozen_one_at_work(bridge, start, "gateway.lanes:LaneWorker.save", "after")
    other = bridge.helpdesk.customer_says("cus_2", QUESTION)
    await eventually(lambda: bridge.replies(other.conversation_id), what="the others' answer")
    assert not bridge.replies(said.conversation_id), "the lane was locked, and yet somebody else worked it"
    await eventually(lambda: bridge.replies(said.conversation_id), what="the lane taken over", within=16)
    frozen.send_signal(signal.SIGCONT)
    again = bridge.helpdesk.customer_says("cus_1", "Can I pay with PayPal?")
    await eventually(lambda: len(bridge.replies(again.conversation_id)) == 2, what="the next answer")
    await bridge.settled(within=20)
    assert frozen.poll() is None, "it lives, and works on"
    rows = await bridge.rows(
        "SELECT (SELECT count(*) FROM message WHERE author = 'customer') AS heard,"
        " (SELECT count(*) FROM turn) AS turns, (SELECT count(*) FROM lease_change) AS leases"
    )
    assert [tuple(row) for row in rows] == [(3, 3, 2)]
    assert len(bridge.replies(other.conversation_id)) == 1


@pytest.mark.parametrize(("fate", "within"), [(signal.SIGKILL, REBALANCED_WITHIN), (signal.SIGSTOP, 16.0)])
async def test_another_worker_leads_soon(
    bridge: Bridge, start: Start, fate: signal.Signals, within: float
) -> None:
    """The recurring jobs go on, on one worker: after a death at once, after a freeze once that is known."""

    async def leaders() -> list[int]:
        rows = await bridge.rows(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND objid = :key"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            key=LEADER,
        )
        return [row.pid for row in rows]

    first = start()
    (before,) = await eventually(leaders, what="a leader", within=STARTING)
    start()
    await at_work(bridge, 2)
    assert await leaders() == [before]
    first.send_signal(fate)

    async def led_anew() -> bool:
        now = await leaders()
        return len(now) == 1 and now != [before]

    await eventually(led_anew, what="another leader", within=within)
    if fate is signal.SIGSTOP:
        (after,) = await leaders()
        first.send_signal(signal.SIGCONT)
        await at_work(bridge, 2)
        assert await leaders() == [after], "who wakes up late leads no more"


async def test_a_flood_in_one_conversation_keeps_nobody_waiting(bridge: Bridge, start: Start) -> None:
    """Hundreds of events wait in one lane; others are answered meanwhile as if they didn't."""
    start()
    await at_work(bridge, 1)
    first = bridge.helpdesk.customer_says("cus_0", QUESTION)
    await eventually(lambda: bridge.replies(first.conversation_id), what="an answer in calm")
    async with bridge.house.engine.begin() as connection:
        await accept(connection, flood(bridge, first.conversation_id))
    waits = []
    for number in range(1, 4):
        asked_at = time.monotonic()
        said = bridge.helpdesk.customer_says(f"cus_{number}", QUESTION)
        await eventually(lambda of=said: bridge.replies(of.conversation_id), what="an answer in the flood")
        waits.append(time.monotonic() - asked_at)
    print(f"answered in the flood after {', '.join(f'{wait:.2f}' for wait in waits)} s")  # noqa: T201 - a figure
    assert sorted(waits)[1] < 3.0
    (left,) = await bridge.rows("SELECT count(*) FROM inbox WHERE state = 'pending'")
    await bridge.settled(within=60)
    assert left[0] > 0, "the flood was over before the others were answered: nothing was shown"


def flood(bridge: Bridge, conversation_id: str) -> list[RawEvent]:
    """As many messages of one customer as a broken client would send."""
    state, now = bridge.helpdesk.state, utc_now()
    conversation = state.conversation(conversation_id)
    customer = state.customer(conversation.customer_id)
    return [
        RawEvent(
            connection="shop",
            key=f"flood_{number}",
            lane=lane_of("shop", conversation_id),
            received_at=now,
            body=msgspec.json.encode(
                Event(
                    id=f"flood_{number}",
                    type="message_posted",
                    by="customer",
                    occurred_at=now,
                    customer=customer,
                    conversation=conversation,
                    message=Message(
                        id=f"flood_{number}",
                        conversation_id=conversation_id,
                        author="customer",
                        text=f"hello? {number}",
                        revision=10_000 + number,
                        created_at=now + timedelta(milliseconds=number),
                    ),
                )
            ),
        )
        for number in range(FLOOD)
    ]
