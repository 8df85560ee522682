"""The whole path with a Chatwoot on the other side, its own API description judging what we send."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from support.bridge import eventually
from support.chatwoot import ChatwootBridge, Setup
from support.desk import act
from support.fake_chatwoot import SPEAKERS, Raw, Thread

from knowledge.answers import Answerer

QUESTION = "How long does delivery take?"
UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")
SETUPS = {
    "account and bot": Setup(),
    "account's webhook only, no bot": Setup(hooks=("account",), bot=False),
    "bot's webhook only": Setup(hooks=("bot",)),
    "older release": Setup(keeps_mark=False, signs=False),
}
everywhere = pytest.mark.parametrize("chatwoot_setup", SETUPS.values(), ids=SETUPS)


@pytest.fixture
def bridge(chatwoot_bridge: ChatwootBridge) -> ChatwootBridge:
    """The bridge of these tests, with a Chatwoot account as the helpdesk."""
    return chatwoot_bridge


async def fail_three_times(bridge: ChatwootBridge, thread: Thread | None = None) -> Thread:
    """Ask three things that the shop knows nothing about."""
    for question in UNKNOWN:
        thread = bridge.helpdesk.customer_says(question, thread)
        await bridge.settled()
    assert thread is not None
    return thread


def senders(messages: Sequence[Raw]) -> list[str]:
    """Whose names Chatwoot shows."""
    return [message["sender"]["name"] for message in messages]


@everywhere
async def test_a_question_is_answered_and_our_own_words_come_back_in_vain(
    bridge: ChatwootBridge, chatwoot_setup: Setup
) -> None:
    """The answer names its source, is the bot's, and its echo moves, opens and stores nothing."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    (answer,) = bridge.said(thread)
    assert "Source:" in answer["content"]
    assert answer["sender"] == SPEAKERS["bot-token" if chatwoot_setup.bot else "user-token"]
    assert await bridge.lease(thread) == ("ai", 1)
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1
    stored = await bridge.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
    assert [(row.author, row.command_ref is None) for row in stored] == [("customer", True), ("ai", False)]
    assert set(bridge.helpdesk.courier.statuses) <= {200, 202}
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []


@everywhere
async def test_three_failures_a_person_and_the_ai_again(
    bridge: ChatwootBridge, api: httpx.AsyncClient
) -> None:
    """The whole way: told, handed over with the package, answered by name, resolved, and the AI's again."""
    thread = await fail_three_times(bridge)
    assert "colleague" in bridge.said(thread)[-1]["content"]
    (note,) = bridge.noted(thread)
    assert UNKNOWN[-1] in note["content"]
    assert thread.contact["email"] in note["content"]
    assert thread.status == "open"
    hand_off = await bridge.offered()
    assert hand_off.package["rule"]["rule"] == "three-failed-ai-turns"

    assert (await act(api, hand_off.ref, "claim")).status_code == 200
    assert (await act(api, hand_off.ref, "reply", text="Hello, I am looking into it.")).status_code == 200
    await bridge.settled()
    assert bridge.said(thread)[-1]["content"] == "Mei Lin: Hello, I am looking into it."
    assert (await bridge.lease(thread))[0] == "desk_agent"

    assert (await act(api, hand_off.ref, "resolve")).status_code == 200
    await bridge.settled()
    assert thread.status == "resolved"
    bridge.helpdesk.customer_says(QUESTION, thread)
    await bridge.settled()
    assert "Source:" in bridge.said(thread)[-1]["content"]
    assert thread.status == bridge.helpdesk.first_status
    (row,) = await bridge.rows("SELECT status FROM conversation")
    assert row.status == thread.status
    assert await bridge.causes(thread) == [
        "first_seen",
        "rule:three-failed-ai-turns",
        "desk_claimed",
        "resolved",
    ]
    stored = await bridge.rows("SELECT author, text FROM message WHERE NOT private")
    assert [row.text for row in stored if row.author == "agent"] == ["Hello, I am looking into it."]
    assert len(stored) == len([each for each in thread.messages if not each["private"]])


async def test_a_hand_off_returned_to_the_ai_is_pending_again(
    bridge: ChatwootBridge, api: httpx.AsyncClient
) -> None:
    """The desk gives it back: Chatwoot shows it as the bot's, and the AI answers."""
    thread = bridge.helpdesk.customer_says("I want a person")
    await bridge.settled()
    hand_off = await bridge.offered()
    for action in ("claim", "return"):
        assert (await act(api, hand_off.ref, action)).status_code == 200
    await bridge.settled()
    assert thread.status == "pending"
    bridge.helpdesk.customer_says(QUESTION, thread)
    await bridge.settled()
    assert "Source:" in bridge.said(thread)[-1]["content"]


@everywhere
async def test_no_second_voice_when_an_agent_is_faster(
    bridge: ChatwootBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent writes in Chatwoot while the answer is being prepared: the answer is never said."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    prepare = Answerer.answer

    async def slowly(*given: Any, **named: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await prepare(*given, **named)

    monkeypatch.setattr(Answerer, "answer", slowly)
    thread = bridge.helpdesk.customer_says(QUESTION)
    await asyncio.wait_for(asked.wait(), 10)
    bridge.helpdesk.agent_says(thread, "I'll take this one.")

    async def heard() -> bool:
        return await bridge.lease(thread) == ("saas_agent", 2)

    await eventually(heard, what="the agent was heard")
    go_on.set()
    await bridge.settled()
    assert senders(bridge.said(thread)) == ["Lin Wei"]
    assert await bridge.lease(thread) == ("saas_agent", 2)
    (row,) = await bridge.rows("SELECT lease_person FROM conversation")
    assert row.lease_person["name"] == "Lin Wei"


async def test_an_agents_private_note_takes_nothing_from_the_ai(bridge: ChatwootBridge) -> None:
    """Agents talk among themselves; the customer is still the AI's."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "Nice answer!", private=True)
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert senders(bridge.said(thread)) == ["Sail Bot", "Sail Bot"]
    assert await bridge.lease(thread) == ("ai", 1)


@pytest.mark.parametrize(
    ("deed", "lease"), [("assign", ("saas_agent", 2)), ("open", ("nobody", 2))], ids=["assign", "open"]
)
async def test_an_agent_who_takes_the_conversation_silences_the_ai(
    bridge: ChatwootBridge, deed: str, lease: tuple[str, int]
) -> None:
    """Without a word: assigning themselves or opening it is enough."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    take(bridge, thread, deed)
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert senders(bridge.said(thread)) == ["Sail Bot"]
    assert await bridge.lease(thread) == lease


def take(bridge: ChatwootBridge, thread: Thread, deed: str) -> None:
    """An agent takes a conversation in Chatwoot's own screen."""
    if deed == "assign":
        bridge.helpdesk.assign_to(thread, 6)
    else:
        bridge.helpdesk.set_status(thread, "open")


async def test_an_agent_who_opens_it_soon_after_our_own_opening_is_no_echo(
    bridge: ChatwootBridge, api: httpx.AsyncClient
) -> None:
    """We opened it a minute ago, and resolved it; now somebody else opens it, and the AI is silent."""
    thread = bridge.helpdesk.customer_says("I want a person")
    await bridge.settled()
    hand_off = await bridge.offered()
    for action in ("claim", "resolve"):
        assert (await act(api, hand_off.ref, action)).status_code == 200
    await bridge.settled()
    bridge.helpdesk.customer_says(QUESTION, thread)
    await bridge.settled()
    spoken = len(bridge.said(thread))
    take(bridge, thread, "open")
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert len(bridge.said(thread)) == spoken
    (row,) = await bridge.rows("SELECT status, lease_holder FROM conversation")
    assert (row.status, row.lease_holder) == ("open", "nobody")


@pytest.mark.parametrize(
    "chatwoot_setup", [Setup(), SETUPS["older release"]], ids=["by our mark", "by content"]
)
@pytest.mark.parametrize("kind", ["reply", "note"])
async def test_a_message_that_timed_out_after_it_was_posted_is_not_posted_again(
    bridge: ChatwootBridge, kind: str
) -> None:
    """After an unknown outcome we look; older releases forget the mark, so the words must do."""
    bridge.house.adapters["shop"].http.timeout = httpx.Timeout(0.3)
    private = kind == "note"
    posted = f'"private":{json.dumps(private)}'.encode()
    bridge.helpdesk.door.hangs_after = lambda sent: posted in sent.content
    thread = bridge.helpdesk.customer_says("I want a person" if private else QUESTION)
    await bridge.settled()
    assert len(bridge.said(thread)) == 1
    assert len(bridge.noted(thread)) == private
    outcomes = await bridge.rows(
        "SELECT a.outcome FROM attempt a JOIN command c ON c.ref = a.command_ref"
        " WHERE c.kind = :kind ORDER BY a.number",
        kind=kind,
    )
    assert [row.outcome for row in outcomes] == ["unknown", "found"]
    assert ("user-token", f"GET conversations/{thread.number}/messages") in bridge.helpdesk.log


@pytest.mark.usefixtures("reference")
async def test_every_request_is_judged(bridge: ChatwootBridge, api: httpx.AsyncClient) -> None:
    """Messages, notes and statuses pass before the judge; a misspelt key does not."""
    thread = await fail_three_times(bridge)
    hand_off = await bridge.offered()
    for action, about in (("claim", {}), ("reply", {"text": "Hello."}), ("resolve", {})):
        assert (await act(api, hand_off.ref, action, **about)).status_code == 200
    await bridge.settled()
    assert bridge.judge is not None
    assert len(bridge.judge.seen) == len(bridge.helpdesk.log) > 6
    base = f"/api/v1/accounts/3/conversations/{thread.number}"
    sent = {(each.url.path, json.loads(each.content).get("private")) for each in bridge.judge.seen}
    assert sent == {(f"{base}/messages", False), (f"{base}/messages", True), (f"{base}/toggle_status", None)}
    assert bridge.judge.faults == []
    async with httpx.AsyncClient(base_url=bridge.helpdesk_url, trust_env=False) as anyone:
        wrong = {"content": "Hello", "privat": True}
        await anyone.post(f"{base}/messages", json=wrong, headers={"api_access_token": "user-token"})
    (fault,) = bridge.judge.faults
    assert "body.privat is unknown" in fault
    bridge.judge.faults.clear()
