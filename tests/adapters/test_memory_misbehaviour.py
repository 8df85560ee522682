"""The reference helpdesk misbehaves when told to, each time in one way."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from serving import Listener, changes_in, reply, texts

from adapters.errors import Retryable
from adapters.model import MessagePosted
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.server import MemoryHelpdesk


@pytest.mark.parametrize(
    ("fault", "options", "outcome_unknown", "applied"),
    [
        ("error", {}, True, False),
        ("error_after", {"status": 503}, True, True),
        ("rate_limit", {"retry_after": 3}, False, False),
        ("time_out_before", {"seconds": 5}, True, False),
        ("time_out_after", {"seconds": 5}, True, True),
        ("reset_before", {}, True, False),
        ("reset_after", {}, True, True),
    ],
)
async def test_misbehaviour_of_the_api_is_sorted(  # noqa: PLR0917 - fixtures and a table
    helpdesk: MemoryHelpdesk,
    memory: Memory,
    fault: str,
    options: dict[str, float],
    outcome_unknown: bool,  # noqa: FBT001 - a parameter of the table
    applied: bool,  # noqa: FBT001 - likewise
) -> None:
    """Every fault is retryable; whether to look first depends on whether it may have been applied."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    memory.http.timeout = httpx.Timeout(0.3)
    helpdesk.misbehave(fault, method="POST", path="/messages", **options)
    with pytest.raises(Retryable) as caught:
        await memory.push(reply(conversation))
    assert caught.value.outcome_unknown is outcome_unknown
    assert (len(helpdesk.messages) == 2) is applied
    assert helpdesk.requests[0].fault == fault
    if fault == "rate_limit":
        assert caught.value.retry_after == timedelta(seconds=3)
    await memory.push(reply(conversation))
    assert len(helpdesk.messages) == (3 if applied else 2), "the helpdesk itself never de-duplicates"


async def test_webhooks_come_twice_late_or_never_when_told_to(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Duplicates keep their key; a reordered one comes after its followers; a dropped one never."""
    conversation = helpdesk.customer_says("li", "first").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    helpdesk.misbehave("duplicate", event="message_posted")
    helpdesk.customer_says("li", "second")
    await helpdesk.drain()
    keys = [memory.verify(each, now=datetime.now(UTC)).deliveries[0].key for each in listener.heard]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    listener.heard.clear()
    helpdesk.misbehave("reorder", seconds=0.1)
    helpdesk.customer_says("li", "third", conversation_id=conversation)
    helpdesk.customer_says("li", "fourth", conversation_id=conversation)
    helpdesk.misbehave("drop")
    helpdesk.customer_says("li", "fifth", conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["fourth", "third"]


async def test_a_stale_webhook_tells_of_what_was(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """It comes in its order, and once more after later events."""
    conversation = helpdesk.customer_says("li", "first").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    helpdesk.misbehave("stale", seconds=0.1)
    helpdesk.customer_says("li", "second", conversation_id=conversation)
    helpdesk.customer_says("li", "third", conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["second", "third", "second"]


async def test_a_late_deed_is_done_though_nobody_waits_for_it(
    helpdesk: MemoryHelpdesk, memory: Memory
) -> None:
    """A vendor that is slow to act acts even where the caller has hung up."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    helpdesk.misbehave("late", seconds=1.5)
    memory.http.timeout = httpx.Timeout(0.5)
    with pytest.raises(Retryable) as caught:
        await memory.push(reply(conversation))
    assert caught.value.outcome_unknown
    assert len(helpdesk.messages) == 1
    async with asyncio.timeout(10):
        while len(helpdesk.messages) < 2:  # noqa: ASYNC110 - it does it by itself, some time
            await asyncio.sleep(0.05)


async def test_a_clock_that_is_wrong_shows_in_every_record(helpdesk: MemoryHelpdesk) -> None:
    """What happened is listed in order and at real times, whatever the helpdesk's own clock says."""
    helpdesk.set_clock(-60)
    before = datetime.now(UTC)
    said = helpdesk.customer_says("li", "hello")
    assert before - said.created_at > timedelta(seconds=59)
    assert [each.type for each in helpdesk.happened] == [
        "customer_changed",
        "conversation_changed",
        "message_posted",
    ]
    assert all(each.at >= before for each in helpdesk.happened)


async def test_a_refused_webhook_is_sent_again_in_order(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Non-2xx answers are retried, and later events of the conversation wait."""
    conversation = helpdesk.customer_says("li", "zero").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    listener.answers += [503, 500]
    for text in ("one", "two", "three"):
        helpdesk.customer_says("li", text, conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["one", "one", "one", "two", "three"]


async def test_hundreds_of_webhooks_a_second_keep_their_order(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Forty conversations side by side, each in its own order."""
    started = time.perf_counter()
    for number in range(10):
        for customer in range(40):
            helpdesk.customer_says(f"c{customer}", str(number))
    await helpdesk.drain()
    seconds = time.perf_counter() - started
    per_lane: dict[str, list[str]] = {}
    for change in changes_in(memory, listener.heard):
        if isinstance(change, MessagePosted):
            per_lane.setdefault(change.conversation.id, []).append(change.message.text)
    assert len(per_lane) == 40
    assert all(lane == [str(number) for number in range(10)] for lane in per_lane.values())
    assert len(listener.heard) / seconds > 100


async def test_a_checker_in_another_process_can_direct_and_read(
    address: str, helpdesk: MemoryHelpdesk, listener: Listener
) -> None:
    """Everything the methods do, `/control` does over HTTP."""
    async with httpx.AsyncClient(base_url=f"{address}/control") as control:
        webhook = {"url": listener.url, "secret": "other", "attempts": 1}
        assert (await control.put("/webhook", json=webhook)).status_code == 200
        said = await control.post("/customers/li/say", json={"text": "你好", "channel": "comment"})
        conversation = said.json()["conversation_id"]
        await control.post(f"/conversations/{conversation}/agent_say", json={"text": "hi"})
        await control.post(f"/conversations/{conversation}/status", json={"status": "resolved"})
        await control.post(f"/conversations/{conversation}/assignee", json={"agent_id": "agent_3"})
        await control.post(f"/conversations/{conversation}/tags", json={"add": ["vip"]})
        await control.post("/customers/li/attributes", json={"attributes": {"tier": "gold"}})
        await control.post("/misbehave", json={"fault": "error", "times": None})
        await control.delete("/misbehave")
        await control.post("/drain")
        log = (await control.get("/log")).json()
        assert (await control.put("/clock", json={"ahead": 5})).status_code == 200
        happened = (await control.get("/happened?after=1")).json()["items"]
        seen = (await control.get(f"/conversations/{conversation}")).json()
        assert (await control.post("/misbehave", json={"fault": "sing"})).status_code == 422
        assert (await control.post("/customers/li/say", json={"txt": "x"})).status_code == 422
        assert (await control.get("/nothing")).status_code == 404
    assert [message["text"] for message in log["messages"]] == ["你好", "hi"]
    assert all(delivery["status"] == 202 for delivery in log["deliveries"])
    assert [each["type"] for each in happened[:2]] == ["conversation_changed", "message_posted"]
    assert happened[1]["message"]["text"] == "你好"
    assert helpdesk.clock_ahead == timedelta(seconds=5)
    assert seen["conversation"]["status"] == "resolved"
    assert seen["conversation"]["assignee"]["name"] == "Alex"
    assert helpdesk.state.customer("li").attributes == {"tier": "gold"}


async def test_a_misspelt_key_is_refused(address: str, helpdesk: MemoryHelpdesk) -> None:
    """The API overlooks nothing, so that an adapter's slip is seen."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    headers = {"Authorization": "Bearer memory-token"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        path = f"/api/conversations/{conversation}"
        assert (await client.post(f"{path}/messages", json={"text": "x", "tokn": "k"})).status_code == 422
        assert (await client.patch(path, json={"status": "closed"})).status_code == 422


async def test_a_slow_answer_is_an_answer(helpdesk: MemoryHelpdesk, memory: Memory) -> None:
    """Slowness alone changes nothing."""
    helpdesk.misbehave("slow", seconds=0.1)
    started = asyncio.get_running_loop().time()
    assert await memory.check() == "Deskbridge bot"
    assert asyncio.get_running_loop().time() - started >= 0.1
