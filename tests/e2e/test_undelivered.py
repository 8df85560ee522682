"""A message that the helpdesk accepted may fail later: that is no secret."""

from sqlalchemy import text
from support.bridge import Bridge, eventually

QUESTIONS = ("Do you sell submarines?", "What is the airspeed of a swallow?", "How long does delivery take?")


async def ask(bridge: Bridge, question: str) -> str:
    """A customer asks, and is answered; the id of the reply."""
    said = bridge.helpdesk.customer_says("cus_1", question)
    await bridge.settled()
    return str(bridge.replies(said.conversation_id)[-1].id)


async def test_a_failed_message_is_parked_with_its_reason_and_fails_the_turn(bridge: Bridge) -> None:
    """The command, the timeline, the turn and the metric say so; it can be sent again by a person."""
    reply = await ask(bridge, "How long does delivery take?")
    bridge.helpdesk.fails(reply, "the customer has blocked this number")
    await bridge.settled()
    (command,) = await bridge.rows("SELECT ref, state, parked_as, reason FROM command WHERE kind = 'reply'")
    assert (command.state, command.parked_as) == ("parked", "undelivered")
    assert "blocked" in command.reason
    (turn,) = await bridge.rows("SELECT answer, verdict FROM turn")
    assert (turn.answer["failure"], turn.verdict) == ("not_delivered", "unresolved")
    outcomes = await bridge.rows(
        "SELECT outcome FROM attempt WHERE command_ref = :ref ORDER BY ref", ref=command.ref
    )
    assert [row.outcome for row in outcomes] == ["delivered", "undelivered"]
    metrics = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_messages_undelivered_total{connection="shop"} 1.0' in metrics


async def test_a_failure_that_is_told_twice_counts_once(bridge: Bridge) -> None:
    """Vendors repeat themselves."""
    reply = await ask(bridge, "How long does delivery take?")
    bridge.helpdesk.fails(reply, "no")
    bridge.helpdesk.fails(reply, "no")
    await bridge.settled()
    (row,) = await bridge.rows("SELECT count(*) AS n FROM attempt WHERE outcome = 'undelivered'")
    assert row.n == 1


async def test_a_failed_message_counts_towards_the_hand_off(bridge: Bridge) -> None:
    """Two questions without an answer and one whose answer never arrived: a person takes over."""
    for question in QUESTIONS:
        reply = await ask(bridge, question)
    assert await bridge.rows("SELECT 1 FROM hand_off") == []
    bridge.helpdesk.fails(reply, "the channel is closed")
    await bridge.settled()
    (decision,) = await bridge.rows("SELECT rule, inputs FROM decision")
    assert (decision.rule, decision.inputs) == ("three-failed-ai-turns", {"ai.failed_turns": 3})


async def test_what_failed_for_a_passing_reason_is_sent_again(bridge: Bridge) -> None:
    """The helpdesk says that it is temporary: the same words go out once more, and once only."""
    reply = await ask(bridge, "How long does delivery take?")
    bridge.helpdesk.fails(reply, "try later", temporary=True)

    async def waits() -> bool:
        return bool(await bridge.rows("SELECT 1 FROM command WHERE kind = 'reply' AND state = 'waiting'"))

    await eventually(waits, what="it waits to be sent again")
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE command SET ready_at = now() WHERE state = 'waiting'"))
    await bridge.settled(within=15)
    texts = [message.text for message in bridge.helpdesk.messages if message.author == "bot"]
    assert len(texts) == 2
    assert len(set(texts)) == 1
    (turn,) = await bridge.rows("SELECT answer FROM turn")
    assert turn.answer["failure"] is None


async def test_a_failed_message_of_somebody_else_is_not_our_business(bridge: Bridge) -> None:
    """An agent's message that fails at the helpdesk parks nothing of ours."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    theirs = bridge.helpdesk.agent_says(said.conversation_id, "Hello")
    bridge.helpdesk.fails(theirs.id, "no")
    await bridge.settled()
    assert await bridge.rows("SELECT 1 FROM command WHERE state = 'parked'") == []
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state = 'parked'") == []
