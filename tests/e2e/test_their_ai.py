"""A shop whose AI is Chatwoot's own bot, and Deskbridge its rules: `ai: theirs`."""

from typing import Any

import httpx
import pytest
from support.bridge import eventually
from support.chatwoot import ChatwootBridge, Thread
from support.desk import act
from support.fake_chatwoot import Raw

CAPTAIN: Raw = {"id": 41, "name": "Captain", "type": "captain_assistant"}
QUESTIONS = (
    "Where is my parcel?",
    "Where is my parcel then?",
    "That is not what I asked",
    "That did not help",
)


@pytest.fixture
def bridge(chatwoot_bridge: ChatwootBridge, monkeypatch: pytest.MonkeyPatch) -> ChatwootBridge:
    """The bridge of these tests: at its Chatwoot our AI says nothing, Captain does."""
    theirs = chatwoot_bridge.settings.connections["shop"].model_copy(update={"ai": "theirs"})
    monkeypatch.setitem(chatwoot_bridge.settings.connections, "shop", theirs)
    return chatwoot_bridge


async def ask(bridge: ChatwootBridge, question: str, thread: Thread | None = None) -> Thread:
    """The customer asks, and Captain answers, as long as Chatwoot lets it."""
    thread = bridge.helpdesk.customer_says(question, thread)
    await bridge.settled()
    if thread.status == "pending":
        bridge.helpdesk.post(thread, "Our parcels are blue.", sender=CAPTAIN)
        await bridge.settled()
    return thread


def said(bridge: ChatwootBridge, thread: Thread) -> list[tuple[str, str]]:
    """What the customer was told, and by whom."""
    return [(message["sender"]["name"], message["content"]) for message in bridge.said(thread)]


async def questions(bridge: ChatwootBridge) -> list[Any]:
    """What our AI was asked."""
    return await bridge.rows("SELECT 1 FROM command WHERE kind = 'answer'")


async def test_three_failed_turns_of_chatwoots_own_bot_bring_a_person(
    bridge: ChatwootBridge, api: httpx.AsyncClient
) -> None:
    """From the first question on; after the person has resolved it, Captain's turns are judged again."""
    thread: Thread | None = None
    for question in QUESTIONS[:3]:
        thread = await ask(bridge, question, thread)
        assert await bridge.lease(thread) == ("other_bot", 1)
    assert thread is not None
    await ask(bridge, QUESTIONS[3], thread)
    turns = await bridge.rows("SELECT answer, verdict FROM turn ORDER BY number")
    assert [(each.answer["by"], each.verdict) for each in turns[:3]] == [("other_bot", "unresolved")] * 3
    decision = await bridge.rows("SELECT rule, inputs FROM decision")
    assert [(each.rule, each.inputs) for each in decision] == [
        ("three-failed-ai-turns", {"ai.failed_turns": 3})
    ]
    assert [who for who, _ in said(bridge, thread)[:3]] == ["Captain"] * 3
    assert "A colleague is taking over" in said(bridge, thread)[3][1]
    assert thread.status == "open", "so Chatwoot's bot is silent, too"
    (note,) = bridge.noted(thread)
    assert "Other bot: Our parcels are blue." in note["content"]

    hand_off = await bridge.offered()
    for action in ("claim", "resolve"):
        assert (await act(api, hand_off.ref, action)).status_code == 200
    await bridge.settled()
    await ask(bridge, "How long does delivery take?", thread)
    assert (await bridge.lease(thread))[0] == "other_bot"
    latest = (await bridge.rows("SELECT answer FROM turn ORDER BY number"))[-1]
    assert latest.answer["by"] == "other_bot"
    assert await questions(bridge) == []


async def test_what_people_give_back_goes_to_the_vendors_bot(
    bridge: ChatwootBridge, api: httpx.AsyncClient
) -> None:
    """And one failed turn is enough then, as after any return."""
    thread = await ask(bridge, "I want a person")
    hand_off = await bridge.offered()
    for action in ("claim", "return"):
        assert (await act(api, hand_off.ref, action)).status_code == 200
    await bridge.settled()
    assert thread.status == "pending"
    assert (await bridge.lease(thread))[0] == "other_bot"
    await ask(bridge, QUESTIONS[0], thread)
    await ask(bridge, QUESTIONS[1], thread)
    rules = [row.rule for row in await bridge.rows("SELECT rule FROM decision ORDER BY ref")]
    assert rules == ["asked-for-a-person", "failed-after-return"]
    assert await questions(bridge) == []


async def test_a_silent_bot_of_the_vendor_does_not_wake_ours(bridge: ChatwootBridge) -> None:
    """There is no AI of ours that could have the conversation back."""
    thread = await ask(bridge, QUESTIONS[0])
    async with bridge.house.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE conversation SET lease_since = now() - interval '1 hour'")
        await connection.exec_driver_sql("UPDATE message SET seen_at = now() - interval '1 hour'")

    async def looked() -> bool:
        (row,) = await bridge.rows("SELECT clock_timestamp() AS at")
        seen.append(row.at)
        return bool((seen[-1] - seen[0]).total_seconds() > 2.5)

    seen: list[Any] = []
    await eventually(looked, what="the clock has looked at it")
    assert await bridge.lease(thread) == ("other_bot", 1)


async def test_people_at_the_helpdesk_are_not_judged(bridge: ChatwootBridge) -> None:
    """An agent who answers has the conversation; what was open then is no failure of anybody."""
    thread = bridge.helpdesk.customer_says(QUESTIONS[0])
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "I'll look.")
    await bridge.settled()
    bridge.helpdesk.customer_says(QUESTIONS[1], thread)
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT answer, verdict, ended_by FROM turn")
    assert (turn.answer, turn.verdict, turn.ended_by) == (None, "open", "person")
