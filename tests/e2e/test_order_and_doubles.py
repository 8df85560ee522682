"""Bursts, doubles and disorder: one turn, one effect, the customer's own order."""

import asyncio

import httpx
import pytest
from sqlalchemy import text as sql
from support.bridge import SECRET, Bridge, eventually
from support.desk import act, hand_over
from support.pulling import puller

from adapters.signatures import sign
from adapters.vendors.memory.records import SIGNATURE
from adapters.webhook import Webhook
from config.clock import utc_now
from gateway.limits.limits import Receipt
from gateway.limits.purpose import Purpose


async def test_a_burst_is_one_turn_and_gets_one_answer(bridge: Bridge) -> None:
    """Three messages in quick succession are one question."""
    for text in ("hi", "I ordered yesterday", "how long does delivery take?"):
        said = bridge.helpdesk.customer_says("cus_1", text)
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT texts FROM turn")
    assert [item["text"] for item in turn.texts] == [
        "hi",
        "I ordered yesterday",
        "how long does delivery take?",
    ]
    assert len(bridge.replies(said.conversation_id)) == 1


async def test_a_webhook_delivered_twice_has_one_effect(bridge: Bridge) -> None:
    """The second delivery is answered 200 and changes nothing."""
    bridge.helpdesk.misbehave("duplicate", times=None)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
    answers = {delivery.status for delivery in bridge.helpdesk.deliveries}
    assert answers == {200, 202}


async def test_messages_that_arrive_in_disorder_are_read_in_order(bridge: Bridge) -> None:
    """The later message's webhook comes first; the turn still reads as the customer wrote it."""
    bridge.helpdesk.misbehave("reorder", times=1, seconds=0.03)
    bridge.helpdesk.customer_says("cus_1", "I have a question:")
    bridge.helpdesk.customer_says("cus_1", "how long does delivery take?")
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT texts FROM turn")
    assert [item["text"] for item in turn.texts] == ["I have a question:", "how long does delivery take?"]


async def test_a_right_that_was_lost_while_a_request_was_paid_is_not_used(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker froze between its last look and the network, and another took the reply over meanwhile."""
    limits, posted = bridge.house.limits, 0
    pay = limits.pay

    async def freeze(connection: str, request: httpx.Request, why: Purpose) -> Receipt:
        nonlocal posted
        receipt = await pay(connection, request, why)
        posted += request.method == "POST"
        if request.method == "POST" and posted == 1:
            async with bridge.house.engine.begin() as database:
                await database.execute(
                    sql("UPDATE command SET claimed_by = 999 WHERE kind = 'reply' AND state = 'in_flight'")
                )
            await asyncio.sleep(1.1)
        return receipt

    monkeypatch.setattr(limits, "pay", freeze)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await eventually(lambda: bridge.replies(said.conversation_id), what="the reply")
    await bridge.settled()
    sent = [entry.method for entry in bridge.helpdesk.requests if entry.path.endswith("/messages")]
    assert sent == ["GET", "POST"], "who takes it over looks first"
    assert posted == 2, "the first was paid, and never left"


async def test_a_reply_that_timed_out_after_it_was_posted_is_not_posted_again(bridge: Bridge) -> None:
    """After an unknown outcome the engine looks before it sends again."""
    bridge.helpdesk.misbehave("reset_after", method="POST", path="/messages", times=1)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
    outcomes = await bridge.rows(
        "SELECT a.outcome FROM attempt a JOIN command c ON c.ref = a.command_ref"
        " WHERE c.kind = 'reply' ORDER BY a.number"
    )
    assert [row.outcome for row in outcomes] == ["unknown", "found"]


async def test_a_look_that_fails_is_looked_again_before_anything_is_sent(bridge: Bridge) -> None:
    """Posted, but answered 500; then the look fails as well: the reply still stands once."""
    bridge.helpdesk.misbehave("error_after", method="POST", path="/messages", times=1)
    bridge.helpdesk.misbehave("error", method="GET", path="/messages", times=2)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1


async def test_a_status_is_not_set_again_over_what_happened_since(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The desk resolves, the answer is lost, the customer writes again: it stays open for them."""
    waiting = await hand_over(bridge)
    await act(api, waiting.ref, "claim")
    helpdesk, where = bridge.helpdesk, waiting.conversation_id
    helpdesk.misbehave("error_after", method="PATCH", path=where, times=1)
    helpdesk.misbehave("reorder", times=1, seconds=0.3)  # nobody tells us of it before it is tried again
    await act(api, waiting.ref, "resolve")
    await eventually(lambda: helpdesk.state.conversation(where).status == "resolved", what="resolved")
    helpdesk.misbehave("reorder", times=2, seconds=0.3)
    helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    await bridge.settled()
    assert helpdesk.state.conversation(where).status == "pending"
    assert sum(r.method == "PATCH" and r.body == {"status": "resolved"} for r in helpdesk.requests) == 1


async def is_answered(bridge: Bridge, where: str) -> None:
    """What the customer writes next there is answered, once."""
    before = len(bridge.replies(where))
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    await bridge.settled()
    (answer,) = bridge.replies(where)[before:]
    assert "Source:" in answer.text


async def test_a_person_who_let_go_is_let_go_though_we_are_told_late(bridge: Bridge) -> None:
    """An agent speaks, resolves, the customer writes again; the resolving is told last: the AI answers."""
    said = bridge.helpdesk.customer_says("cus_1", "Hello")
    where = said.conversation_id
    bridge.helpdesk.agent_says(where, "Let me see")
    await bridge.settled()
    bridge.helpdesk.misbehave("reorder", event="conversation_changed", seconds=0.5)
    bridge.helpdesk.set_status(where, "resolved")
    await is_answered(bridge, where)


async def test_a_persons_word_from_before_it_was_resolved_takes_nothing(bridge: Bridge) -> None:
    """An agent speaks and resolves; their word is told last: what the customer writes next is answered."""
    where = bridge.helpdesk.customer_says("cus_1", "Hello").conversation_id
    await bridge.settled()
    bridge.helpdesk.misbehave("reorder", event="message_posted", seconds=0.5)
    bridge.helpdesk.agent_says(where, "Let me see")
    bridge.helpdesk.set_status(where, "resolved")
    await bridge.settled()
    await is_answered(bridge, where)


async def test_nor_does_it_once_the_customer_has_come_back(bridge: Bridge) -> None:
    """The same, but their word is told after the customer's next question, which stays the AI's."""
    where = bridge.helpdesk.customer_says("cus_1", "Hello").conversation_id
    await bridge.settled()
    bridge.helpdesk.misbehave("reorder", event="message_posted", times=1, seconds=0.2)
    bridge.helpdesk.agent_says(where, "Let me see")
    bridge.helpdesk.set_status(where, "resolved")
    bridge.helpdesk.misbehave("time_out_before", method="POST", path="/messages", times=1, seconds=0.5)
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    await bridge.settled()
    assert sum("Source:" in reply.text for reply in bridge.replies(where)) == 1


async def test_what_was_asked_before_it_was_resolved_is_not_answered(bridge: Bridge) -> None:
    """Every webhook is lost; polling finds the question that an agent dealt with, and the new one."""
    helpdesk = bridge.helpdesk
    helpdesk.misbehave("drop", times=None)
    where = helpdesk.customer_says("cus_1", "What sizes do you have?").conversation_id
    helpdesk.agent_says(where, "All of them")
    helpdesk.set_status(where, "resolved")
    await puller(bridge).poll()
    helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    await helpdesk.drain()
    helpdesk.behave()
    await puller(bridge).poll()
    await eventually(lambda: bridge.replies(where), what="an answer")
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT texts FROM turn")
    assert [said["text"] for said in turn.texts] == ["How long does delivery take?"]


async def test_who_resolves_while_the_desk_does_has_let_go(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Our resolving is still to be sent when an agent speaks and resolves: what comes next is the AI's."""
    waiting = await hand_over(bridge)
    await act(api, waiting.ref, "claim")
    where = waiting.conversation_id
    bridge.helpdesk.misbehave("error", method="PATCH", path=where, times=4)
    await act(api, waiting.ref, "resolve")
    bridge.helpdesk.agent_says(where, "Let me see")
    bridge.helpdesk.set_status(where, "resolved")
    await bridge.helpdesk.drain()
    await eventually(lambda: bridge.helpdesk.state.conversation(where).status == "resolved", what="resolved")
    await bridge.settled()
    await is_answered(bridge, where)


async def test_an_agent_who_speaks_while_the_desk_resolves_has_it_no_longer_than_that(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Resolved here, but not yet there, when the agent speaks: once it is, the AI answers what comes next."""
    waiting = await hand_over(bridge)
    await act(api, waiting.ref, "claim")
    where = waiting.conversation_id
    bridge.helpdesk.misbehave("error", method="PATCH", path=where, times=3)
    await act(api, waiting.ref, "resolve")
    bridge.helpdesk.agent_says(where, "Let me see")
    await bridge.settled()
    assert bridge.helpdesk.state.conversation(where).status == "resolved"
    await is_answered(bridge, where)


async def test_a_person_who_spoke_since_keeps_it_though_it_had_been_resolved_before(bridge: Bridge) -> None:
    """The same, but the agent writes once more before we are told of the resolving: it is theirs."""
    said = bridge.helpdesk.customer_says("cus_1", "Hello")
    where = said.conversation_id
    bridge.helpdesk.agent_says(where, "Let me see")
    await bridge.settled()
    bridge.helpdesk.misbehave("reorder", event="conversation_changed", seconds=0.5)
    bridge.helpdesk.set_status(where, "resolved")
    bridge.helpdesk.agent_says(where, "One more thing")
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=where)
    before = len(bridge.replies(where))
    await bridge.settled()
    assert len(bridge.replies(where)) == before


async def test_a_vendor_that_fails_or_throttles_is_tried_again(bridge: Bridge) -> None:
    """500 before anything happened, then 429 with Retry-After: the reply arrives once."""
    bridge.helpdesk.misbehave("error", method="POST", path="/messages", times=1)
    bridge.helpdesk.misbehave("rate_limit", method="POST", path="/messages", times=1, retry_after=0.1)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1


async def test_our_own_message_coming_back_changes_nothing(bridge: Bridge) -> None:
    """The echo of a reply neither moves the lease nor opens a turn nor is stored twice."""
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    (row,) = await bridge.rows("SELECT lease_holder, lease_epoch FROM conversation")
    assert (row.lease_holder, row.lease_epoch) == ("ai", 1)
    stored = await bridge.rows("SELECT author FROM message ORDER BY sent_at")
    assert [row.author for row in stored] == ["customer", "ai"]


async def test_a_poison_event_is_set_aside_and_delays_nobody(bridge: Bridge) -> None:
    """An event that can't be read is parked with its reason; others are answered."""
    body = b'{"id": "evt_bad", "type": "message_posted", "conversation": {"id": "con_bad"}}'
    response = await post_signed(bridge, body)
    assert response.status_code == 202
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
    (parked,) = await bridge.rows("SELECT key, reason, detail FROM inbox WHERE state = 'parked'")
    assert (parked.key, parked.reason) == ("evt_bad", "unreadable")
    assert "Malformed" in parked.detail


async def post_signed(bridge: Bridge, body: bytes) -> httpx.Response:
    """Deliver a webhook that carries the shop's signature."""
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=body)
    signed = sign(SIGNATURE, webhook, SECRET, at=utc_now())
    return await bridge.http.post("/hooks/shop", content=body, headers=dict(signed.headers))
