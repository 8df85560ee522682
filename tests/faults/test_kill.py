"""kill -9 between any two steps of the path: nothing lost, nothing twice."""

import asyncio
from collections.abc import Callable
from subprocess import Popen

import pytest
from support.bridge import Bridge, eventually

STEPS = [
    ("sync.store.inbox:take_lanes", "after", 1),  # lanes are locked
    ("gateway.lanes:LaneWorker.apply", "before", 1),  # events are read
    ("gateway.lanes:LaneWorker.save", "after", 1),  # written, not committed
    ("gateway.lanes:LaneWorker._batch", "after", 1),  # committed, nobody told
    ("sync.store.outbox:claim", "after", 1),  # the question is claimed, not committed
    ("gateway.dispatcher:Dispatcher.step", "after", 1),  # the question is claimed and committed
    ("gateway.dispatcher:prepare", "after", 1),  # answered, not stored
    ("gateway.dispatcher:Dispatcher._settle", "after", 1),  # the answer is in the inbox
    ("gateway.lanes:LaneWorker.save", "after", 2),  # the reply is decided, not committed
    ("gateway.lanes:LaneWorker._batch", "after", 2),  # the reply waits in the outbox
    ("adapters.vendors.memory.adapter:Memory.push", "before", 1),  # claimed, not sent
    ("adapters.vendors.memory.adapter:Memory.push", "after", 1),  # sent, not recorded
    ("gateway.dispatcher:Dispatcher._settle", "before", 2),  # likewise, a step later
    ("gateway.dispatcher:Dispatcher._settle", "after", 2),  # recorded
]
QUICK = {1, 3, 5, 7, 11, 12}


@pytest.fixture
def worker_inside() -> bool:
    """The workers are processes of the test."""
    return False


@pytest.mark.parametrize(
    ("target", "moment", "nth"),
    [
        pytest.param(*step, marks=() if number in QUICK else pytest.mark.faults, id=f"{number}-{step[0]}")
        for number, step in enumerate(STEPS)
    ],
)
async def test_a_worker_killed_here_loses_and_doubles_nothing(
    bridge: Bridge, start: Callable[..., Popen[bytes]], target: str, moment: str, nth: int
) -> None:
    """It dies in the middle of answering; the next one finishes, and the customer reads one answer."""
    doomed = start(target, moment, nth)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    status = await asyncio.wait_for(asyncio.to_thread(doomed.wait), 30)
    assert status == -9, "it was to die by SIGKILL at that step"
    start()
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer", within=20)
    await bridge.settled(within=30)
    (reply,) = bridge.replies(said.conversation_id)
    assert "Source:" in reply.text
    stored = await bridge.rows("SELECT author, text FROM message ORDER BY sent_at")
    assert [(row.author, row.text) for row in stored] == [
        ("customer", "How long does delivery take?"),
        ("ai", reply.text),
    ]


@pytest.mark.parametrize("nth", [1, pytest.param(2, marks=pytest.mark.faults), 3])
async def test_a_hand_off_survives_the_death_of_its_worker(
    bridge: Bridge, start: Callable[..., Popen[bytes]], nth: int
) -> None:
    """Killed after the n-th of word, status and note has reached the helpdesk: each is there once."""
    doomed = start("adapters.vendors.memory.adapter:Memory.push", "after", nth)
    said = bridge.helpdesk.customer_says("cus_1", "转人工")
    assert await asyncio.wait_for(asyncio.to_thread(doomed.wait), 30) == -9
    start()
    await eventually(lambda: bridge.notes(said.conversation_id), what="the note", within=20)
    await bridge.settled(within=30)
    assert len(bridge.replies(said.conversation_id)) == 1
    assert len(bridge.notes(said.conversation_id)) == 1
    assert bridge.helpdesk.state.conversation(said.conversation_id).status == "open"
    assert len(await bridge.rows("SELECT 1 FROM hand_off")) == 1
