"""A worker dies between an agent's reply with a file and its sending: the file arrives, and once."""

import asyncio
from collections.abc import Callable
from subprocess import Popen

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.desk import act, hand_over
from support.file_server import PNG

BEFORE = 3
"""What handing over sends: a word, a status, a note."""


@pytest.fixture
def worker_inside() -> bool:
    """The workers are processes of the test."""
    return False


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_agents_file_survives_the_death_of_its_sender(
    bridge: Bridge, start: Callable[..., Popen[bytes]], api: httpx.AsyncClient, moment: str
) -> None:
    """Claimed and loaded, not sent; or sent and not recorded."""
    doomed = start("adapters.vendors.memory.adapter:Memory.push", moment, BEFORE + 1)
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    content = PNG + b"\1" * 600_000
    kept = await api.post(f"/v1/desk/hand-offs/{hand_off.ref}/files?name=label.png", content=content)
    said = await act(api, hand_off.ref, "reply", text="Your label", files=[kept.json()["ref"]])
    assert said.status_code == 200, said.text
    assert await asyncio.wait_for(asyncio.to_thread(doomed.wait), 30) == -9
    assert len(await bridge.rows("SELECT 1 FROM desk_file")) == 1
    start()
    await eventually(
        lambda: bridge.rows(
            "SELECT 1 FROM command WHERE state = 'done' AND body ? 'attachments'"
            " AND body ->> 'text' = 'Your label'"
        ),
        what="the reply is done",
        within=30,
    )
    await bridge.settled(within=30)
    (reply,) = [m for m in bridge.replies(hand_off.conversation_id) if m.text == "Your label"]
    (file,) = reply.files
    assert (file.name, bridge.helpdesk.state.files[file.id]) == ("label.png", ("image/png", content))
    (outcome,) = await bridge.rows("SELECT outcome FROM attempt ORDER BY ref DESC LIMIT 1")
    assert outcome.outcome == ("delivered" if moment == "before" else "found")
