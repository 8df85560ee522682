"""Where another bot speaks to the customer, ours doesn't."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A short patience with other bots, told by the clock of the rows."""
    return {"voice": {"other_bot_silence": timedelta(minutes=5)}}


def other_bot_says(bridge: Bridge, conversation_id: str, words: str) -> None:
    """A bot that isn't ours writes: no command of ours bears its message."""
    bridge.helpdesk.state.post(bridge.helpdesk.state.conversation(conversation_id), words, author="bot")


async def holders(bridge: Bridge) -> list[tuple[str, str]]:
    """Who held the lease, and why."""
    rows = await bridge.rows("SELECT holder, cause FROM lease_change ORDER BY epoch")
    return [(row.holder, row.cause) for row in rows]


async def test_two_bots_never_talk_over_each_other(bridge: Bridge) -> None:
    """A bot that isn't ours takes the conversation by speaking: what is said next is its to answer."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "Hello, I am Captain.")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert [reply.token is None for reply in bridge.replies(said.conversation_id)] == [False, True]
    assert await holders(bridge) == [("ai", "first_seen"), ("other_bot", "other_bot_spoke")]
    (first,) = await bridge.rows("SELECT ended_by FROM turn")
    assert first.ended_by == "other_bot"


async def test_a_bot_that_falls_silent_gives_the_conversation_back(bridge: Bridge) -> None:
    """After the silence that the settings allow, the AI answers the next question; not before."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "Hello, I am Captain.")
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE conversation SET lease_since = now() - interval '6 minutes'"))
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("other_bot", "other_bot_spoke"), "it has just spoken"
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE message SET seen_at = now() - interval '6 minutes'"))

    async def returned() -> bool:
        return (await holders(bridge))[-1] == ("ai", "other_bot_silent")

    await eventually(returned, what="the lease back with the AI")
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert bridge.replies(said.conversation_id)[-1].token is not None


async def test_a_bot_takes_nothing_from_people(bridge: Bridge) -> None:
    """An automatic word in a conversation that waits for a person changes nobody's turn."""
    said = bridge.helpdesk.customer_says("cus_1", "I want a person")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "All our agents are busy.")
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("nobody", "rule:asked-for-a-person")
    (waiting,) = await bridge.rows("SELECT state FROM hand_off")
    assert waiting.state == "offered"


async def test_where_our_ai_does_not_answer_resolving_does_not_wake_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without our AI stays without it."""
    without = bridge.settings.connections["shop"].model_copy(update={"ai": False})
    monkeypatch.setitem(bridge.settings.connections, "shop", without)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "Hello?", conversation_id=said.conversation_id)
    await bridge.settled()
    assert bridge.replies(said.conversation_id) == []
