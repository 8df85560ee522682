"""Long answers, personal ones, and many questions at once: what becomes of them on each channel."""

from typing import Any

import pytest
from support.bridge import Bridge


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Short messages in direct messages, a slow live stream."""
    return {
        "channels": {
            "direct_message": {"longest": 120},
            "live": {"public": True, "longest": 100, "every": 1.5},
            "comment": {"public": True, "longest": 300},
        }
    }


async def test_a_long_answer_goes_out_in_parts_and_in_order(bridge: Bridge) -> None:
    """Each within the limit; together they are the answer; their echoes mean nothing."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", channel="direct_message")
    await bridge.settled()
    texts = [reply.text for reply in bridge.replies(said.conversation_id)]
    assert len(texts) > 1
    assert all(len(text) <= 120 for text in texts)
    assert "Hangzhou" in " ".join(texts)
    (lease,) = await bridge.rows("SELECT lease_holder FROM conversation")
    assert lease.lease_holder == "ai"


async def test_in_public_nobody_reads_what_is_personal(bridge: Bridge) -> None:
    """An answer that holds what we know of the customer becomes an invitation, in their language."""
    where = {"channel": "comment", "attributes": {"city": "Hangzhou"}}
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", **where)
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert "direct message" in reply.text
    assert "Hangzhou" not in reply.text


async def test_a_live_stream_is_answered_together_and_not_too_often(bridge: Bridge) -> None:
    """What is asked while the AI may not speak yet is one question."""
    first = bridge.helpdesk.customer_says("cus_1", "What is your return policy?", channel="live")
    await bridge.settled()
    for word in ("How long", "does delivery", "take?"):
        bridge.helpdesk.customer_says("cus_1", word, channel="live")
        await bridge.helpdesk.drain()
    await bridge.settled()
    turns = await bridge.rows("SELECT texts FROM turn ORDER BY number")
    assert [len(turn.texts) for turn in turns] == [1, 3]
    at = [reply.created_at for reply in bridge.replies(first.conversation_id)]
    assert (at[-1] - at[0]).total_seconds() >= 1
