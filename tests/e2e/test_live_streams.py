"""A live broadcast: two hundred viewers, each with a conversation of their own, who ask at once."""

from collections import Counter
from typing import Any

import pytest
from support.bridge import Bridge

VIEWERS = 200
ASKED = ("How long does delivery take?", "What is your return policy?", "How do I update my email address?")
OWN = {"email": "business@clearsail.example"}


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Two replies a minute in a stream."""
    return {"channels": {"live": {"per_minute": 2}}}


async def became(bridge: Bridge, stream: str) -> Counter[str]:
    """What became of the turns of one stream."""
    rows = await bridge.rows(
        "SELECT COALESCE(t.answer ->> 'held_back', 'said') AS what FROM turn t"
        " JOIN conversation v ON v.ref = t.conversation_ref WHERE v.stream = :stream",
        stream=stream,
    )
    return Counter(row.what for row in rows)


async def test_two_hundred_viewers_who_ask_the_same_are_answered_once(bridge: Bridge) -> None:
    """One reply for all of a stream; nothing is left waiting, and another stream has its own."""
    for number in range(VIEWERS):
        bridge.helpdesk.customer_says(f"viewer_{number}", ASKED[0], channel="live", stream="room_1")
    bridge.helpdesk.customer_says("viewer_0", ASKED[0], channel="live", stream="room_2")
    await bridge.settled(within=60)
    assert len(await bridge.rows("SELECT ref FROM conversation")) == VIEWERS + 1
    assert await became(bridge, "room_1") == {"said": 1, "answered_in_stream": VIEWERS - 1}
    assert await became(bridge, "room_2") == {"said": 1}
    assert [message.author for message in bridge.helpdesk.messages].count("bot") == 2


async def test_a_stream_is_spoken_in_only_so_often_however_many_ask(bridge: Bridge) -> None:
    """Of three questions two are answered, each once: more than two replies a minute nobody reads."""
    for number in range(60):
        asked = ASKED[number % len(ASKED)]
        bridge.helpdesk.customer_says(f"viewer_{number}", asked, channel="live", stream="room_1")
    await bridge.settled(within=60)
    found = await became(bridge, "room_1")
    assert found["said"] == 2
    assert found["stream_full"] >= 1
    assert found.total() == 60
    said = [message.text for message in bridge.helpdesk.messages if message.author == "bot"]
    assert len(said) == len(set(said)) == 2


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ("Is there a discount for large orders?", "To protect your privacy"),
        ("买得多有团购价吗？", "为保护您的隐私"),
    ],
)
async def test_under_a_post_nobody_reads_what_is_personal(bridge: Bridge, asked: str, begins: str) -> None:
    """The invitation to a direct message is in the customer's own language."""
    said = bridge.helpdesk.customer_says("cus_1", asked, channel="comment", **OWN)
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert reply.text.startswith(begins)
    assert OWN["email"] not in reply.text
