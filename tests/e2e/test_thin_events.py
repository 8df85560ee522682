"""Vendors that tell ids only: what happened is looked up, in order, and then is as if they had told it."""

import pytest
from support.bridge import SECRET, Bridge, eventually


@pytest.fixture
async def thin(bridge: Bridge) -> Bridge:
    """A bridge whose helpdesk tells ids only."""
    bridge.helpdesk.subscribe(f"{bridge.url}/hooks/shop", SECRET, thin=True)
    return bridge


async def test_a_question_told_by_its_id_is_answered(thin: Bridge) -> None:
    """Customer, conversation and message are looked up; the answer goes out; its echo is recognised."""
    said = thin.helpdesk.customer_says(
        "cus_1", "How long does delivery take?", name="Ann", email="a@example.com"
    )
    await thin.settled()
    (reply,) = thin.replies(said.conversation_id)
    assert "Hangzhou" in reply.text
    stored = await thin.rows("SELECT author, text FROM message ORDER BY sent_at")
    assert [row.author for row in stored] == ["customer", "ai"]
    (customer,) = await thin.rows(
        "SELECT c.name FROM customer c JOIN conversation v ON v.customer_ref = c.ref WHERE v.id = :id",
        id=said.conversation_id,
    )
    assert customer.name == "Ann"
    assert [row.holder for row in await thin.rows("SELECT holder FROM lease_change")] == ["ai"]


async def test_what_is_told_in_order_is_worked_in_order_through_faults(thin: Bridge) -> None:
    """A look-up that fails keeps those behind it waiting: words stay in their order."""
    said = thin.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await thin.settled()
    thin.helpdesk.misbehave("error", method="GET", path="/messages/", times=2, status=503)
    thin.helpdesk.misbehave("time_out_before", method="GET", path="/messages/", times=1, seconds=0.3)
    for number in range(6):
        thin.helpdesk.agent_says(said.conversation_id, f"Word {number}", private=number % 2 == 0)
    await thin.settled(within=30)
    rows = await thin.rows("SELECT text FROM message WHERE author = 'agent' ORDER BY ref")
    assert [row.text for row in rows] == [f"Word {number}" for number in range(6)]
    (lease,) = await thin.rows("SELECT lease_holder FROM conversation")
    assert lease.lease_holder == "saas_agent"


async def test_a_person_is_heard_though_a_reply_is_stuck(thin: Bridge) -> None:
    """What is looked up doesn't wait for what is to be sent; what is to be sent waits for it."""
    thin.helpdesk.misbehave("error", method="POST", path="/messages", times=None, status=503)
    said = thin.helpdesk.customer_says("cus_1", "How long does delivery take?")

    async def failed() -> bool:
        return bool(await thin.rows("SELECT 1 FROM attempt WHERE outcome = 'unknown'"))

    await eventually(failed, what="the reply failed")
    thin.helpdesk.agent_says(said.conversation_id, "I am here.")
    await thin.settled()
    thin.helpdesk.behave()
    assert [reply.author for reply in thin.replies(said.conversation_id)] == ["agent"]
    states = await thin.rows("SELECT state FROM command WHERE kind = 'reply'")
    assert [row.state for row in states] == ["superseded"]


async def test_what_is_gone_by_then_harms_nobody(thin: Bridge) -> None:
    """A conversation that was deleted before it could be looked up is asked for a few times, then let go."""
    thin.helpdesk.misbehave("error", method="GET", path="/api/conversations/", times=1, status=503)
    said = thin.helpdesk.customer_says("cus_1", "Hello?")
    thin.helpdesk.delete_conversation(said.conversation_id)
    await thin.settled(within=20)
    assert {row.state for row in await thin.rows("SELECT state FROM command WHERE kind = 'fetch'")} == {
        "done"
    }
    assert await thin.rows("SELECT 1 FROM inbox WHERE state = 'parked'") == []


async def test_a_customer_told_by_their_id_is_known_afterwards(thin: Bridge) -> None:
    """Attributes that changed are looked up."""
    thin.helpdesk.customer_says("cus_1", "Hello", name="Ann")
    await thin.settled()
    thin.helpdesk.change_attributes("cus_1", tier="gold")
    await thin.settled()
    (customer,) = await thin.rows("SELECT name, attributes FROM customer")
    assert (customer.name, customer.attributes) == ("Ann", {"tier": "gold"})
