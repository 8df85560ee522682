"""kill -9 while a desk at another vendor has the customer: no ticket and no word is lost, or there twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import Popen

import pytest
from support.bridge import eventually
from support.handed_over import HandedOver, handing_over

PUSH = "adapters.vendors.memory.adapter:Memory.push"
ASKED, ORDER, HELLO = "I want a person, my parcel is lost", "Order 4711.", "Here I am."


@pytest.fixture
async def bridge(knowledge_url: str, tmp_path: Path) -> AsyncIterator[HandedOver]:
    """A shop's helpdesk and a desk elsewhere; the workers are processes of the test."""
    async with handing_over(knowledge_url, tmp_path, worker_inside=False) as bridge:
        yield bridge


async def test_workers_killed_between_doing_and_recording_do_nothing_twice(
    bridge: HandedOver, start: Callable[..., Popen[bytes]]
) -> None:
    """One dies when the ticket is opened, one when each side's word is said; the next looks, and goes on."""

    async def dies(doomed: Popen[bytes]) -> None:
        assert await asyncio.wait_for(asyncio.to_thread(doomed.wait), 30) == -9

    doomed = start(PUSH, "after", about="OpenConversation(")
    conversation = bridge.helpdesk.customer_says("cus_1", ASKED, name="Ann").conversation_id
    await dies(doomed)
    ticket = bridge.ticket()
    assert await bridge.rows("SELECT 1 FROM hand_off WHERE ticket IS NOT NULL") == []

    doomed = start(PUSH, "after", about=ORDER)
    bridge.helpdesk.customer_says("cus_1", ORDER, conversation_id=conversation)
    await dies(doomed)
    assert ("customer", ORDER) in bridge.there()

    doomed = start(PUSH, "after", about=HELLO)
    bridge.agents.agent_says(ticket.id, HELLO)
    await dies(doomed)
    start()

    async def quiet() -> bool:
        left = "SELECT 1 FROM command WHERE state IN ('waiting', 'in_flight')"
        return await bridge.rows(left) == []

    await eventually(quiet, what="nothing left to do", within=20)
    await bridge.settled(within=30)
    assert bridge.there() == [("customer", ASKED), ("customer", ORDER), ("agent", HELLO)]
    assert len(bridge.there(private=True)) == 1, "the context"
    replies = [each.text for each in bridge.replies(conversation)]
    assert replies == ["A colleague will be with you.", HELLO]
    assert await bridge.rows("SELECT 1 FROM command WHERE state = 'parked'") == []
