"""Batches that are full: the lanes are gone round, and none is worked twice on the way."""

from typing import Any

import pytest
from support.bridge import Bridge


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Batches that three customers more than fill."""
    return {"lanes": {"lanes_per_batch": 4}}


@pytest.fixture
def worker_inside() -> bool:
    """The test works the lanes itself."""
    return False


async def test_a_lane_is_taken_once_on_the_way_round(bridge: Bridge) -> None:
    """The second batch takes the rest, and begins again from the start: it meets its own lanes there."""
    for number in range(3):
        bridge.helpdesk.customer_says(f"cus_{number}", "How long does delivery take?")
    await bridge.helpdesk.drain()
    (waiting,) = await bridge.rows("SELECT count(*) AS events, count(DISTINCT lane) AS lanes FROM inbox")
    worker = bridge.house.lane_worker()
    first, second = await worker.work(), await worker.work()
    assert (len(first.lanes), len(second.lanes)) == (4, waiting.lanes - 4)
    assert first.events + second.events == waiting.events
