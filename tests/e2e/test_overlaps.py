"""A person who speaks in the very moment in which the AI's reply is being sent: found out, and told."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually

from adapters.vendors.memory.adapter import Memory


async def overlaps(bridge: Bridge) -> list[Any]:
    """What was found out."""
    return await bridge.rows("SELECT * FROM overlap WHERE state = 'confirmed'")


def requests_to_say(bridge: Bridge) -> int:
    """How often the helpdesk was asked to say something."""
    return sum(r.method == "POST" and r.path.endswith("/messages") for r in bridge.helpdesk.requests)


async def leave_hanging(bridge: Bridge) -> str:
    """The AI's reply is at the helpdesk, whose answer takes a while."""
    bridge.helpdesk.misbehave("slow", method="POST", path="/messages", seconds=1.0)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await eventually(lambda: requests_to_say(bridge), what="a reply on its way")
    return said.conversation_id


async def test_a_person_who_speaks_while_the_reply_is_being_sent_is_reported(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Counted, listed and on the timeline; from then on the AI is silent."""
    conversation = await leave_hanging(bridge)
    bridge.helpdesk.agent_says(conversation, "I'll take this one.")
    await bridge.settled()
    await eventually(lambda: overlaps(bridge), what="the overlap")
    (item,) = (await api.get("/v1/overlaps")).json()["items"]
    assert item["kind"] == "while_sending"
    assert item["person"]["id"] == "agent_1"
    (command,) = await bridge.rows("SELECT ref FROM command WHERE kind = 'reply'")
    assert item["command_ref"] == command.ref
    story = (await api.get(f"/v1/conversations/{item['conversation_ref']}/timeline")).json()["entries"]
    assert [entry["overlap"]["ref"] for entry in story if entry["type"] == "overlap"] == [item["ref"]]
    assert 'deskbridge_overlaps_total{kind="while_sending"} 1.0' in (await bridge.http.get("/metrics")).text
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert [reply.author for reply in bridge.replies(conversation)] == ["bot", "agent"]


async def test_a_person_of_whom_we_hear_late_is_reported_too(bridge: Bridge) -> None:
    """The helpdesk tells of their message only after our reply, though it was first."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    bridge.helpdesk.misbehave("reorder", event="message_posted", seconds=1.5)
    bridge.helpdesk.agent_says(said.conversation_id, "Two days.")
    await bridge.settled()
    assert [reply.author for reply in bridge.replies(said.conversation_id)] == ["agent", "bot"]
    (found,) = await eventually(lambda: overlaps(bridge), what="the overlap")
    assert found.kind == "told_late"
    assert found.spoke_at < found.sent_at < found.heard_at


async def test_a_person_who_answers_after_the_reply_crosses_nothing(bridge: Bridge) -> None:
    """An ordinary take-over is no overlap, and neither is a reply that was withdrawn in time."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    bridge.helpdesk.agent_says(said.conversation_id, "I'll take this one.")
    await bridge.settled()
    other = bridge.helpdesk.customer_says("cus_2", "How long does delivery take?")
    bridge.helpdesk.agent_says(other.conversation_id, "I'll take this one.")
    await bridge.settled()
    await asyncio.sleep(1.5)
    assert await bridge.rows("SELECT * FROM overlap") == []


@pytest.mark.parametrize("words", ["I'll take this one.", "same"])
async def test_where_no_token_is_kept_the_person_is_heard_once_the_reply_is_settled(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Their message could be our echo until its id is known; the AI says nothing more meanwhile."""
    monkeypatch.setattr(Memory, "keeps_tokens", False)
    forget_tokens(bridge, monkeypatch)
    conversation = await leave_hanging(bridge)
    reply = bridge.replies(conversation)[0]
    bridge.helpdesk.agent_says(conversation, reply.text if words == "same" else words)

    async def taken() -> bool:
        (row,) = await bridge.rows("SELECT lease_holder FROM conversation")
        return bool(row.lease_holder == "saas_agent")

    await eventually(taken, what="the person heard")
    await bridge.settled()
    rows = await bridge.rows("SELECT author, command_ref FROM message WHERE NOT private ORDER BY sent_at")
    assert [(row.author, row.command_ref is None) for row in rows] == [
        ("customer", True),
        ("ai", False),
        ("agent", True),
    ]
    (found,) = await eventually(lambda: overlaps(bridge), what="the overlap")
    assert found.kind == "while_sending"


async def test_an_echo_that_is_faster_than_the_answer_silences_nobody(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helpdesk without tokens that dresses up what we write: by the moment alone it is held for ours."""
    monkeypatch.setattr(Memory, "keeps_tokens", False)
    forget_tokens(bridge, monkeypatch, dress="<p>{}</p>")
    conversation = await leave_hanging(bridge)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT lease_holder FROM conversation")
    assert row.lease_holder == "ai"
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert [reply.author for reply in bridge.replies(conversation)] == ["bot", "bot"]
    assert await bridge.rows("SELECT ref FROM command WHERE doubt") == []


async def test_an_echo_long_after_the_reply_was_decided_is_still_ours(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The helpdesk was down for an hour; the reply is sent then, and its echo overtakes the answer."""
    monkeypatch.setattr(Memory, "keeps_tokens", False)
    forget_tokens(bridge, monkeypatch)
    bridge.helpdesk.misbehave("error", method="POST", path="/messages", times=None)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await eventually(lambda: requests_to_say(bridge), what="a first try")
    async with bridge.house.engine.begin() as connection:
        await connection.execute(
            text("UPDATE command SET created_at = created_at - CAST(:hour AS interval)"),
            {"hour": timedelta(hours=1)},
        )
    bridge.helpdesk.behave()
    bridge.helpdesk.misbehave("slow", method="POST", path="/messages", seconds=0.5)
    await eventually(lambda: bridge.replies(said.conversation_id), what="the reply", within=20)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT lease_holder FROM conversation")
    assert row.lease_holder == "ai"


def forget_tokens(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, dress: str = "{}") -> None:
    """Let the helpdesk keep no token of ours, as some do, and dress up what the bot says."""
    post = bridge.helpdesk.state.post

    def posted(conversation: Any, words: str, **options: Any) -> Any:
        if options.pop("token", None) is not None:
            words = dress.format(words)
        return post(conversation, words, **options)

    monkeypatch.setattr(bridge.helpdesk.state, "post", posted)
