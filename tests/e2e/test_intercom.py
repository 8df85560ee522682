"""The whole path with Intercom on the other side, its own API description judging what we send."""

import pytest
from support.intercom import IntercomBridge
from support.usual import QUESTION, answered_once, taken_over
from vendors.intercom import FIN, US

UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")


@pytest.fixture
def bridge(intercom_bridge: IntercomBridge) -> IntercomBridge:
    """The bridge of these tests, with an Intercom workspace as the helpdesk."""
    return intercom_bridge


async def test_a_question_is_answered_and_its_echo_does_nothing(bridge: IntercomBridge) -> None:
    """Our own words come back by webhook, as HTML, and are known as ours."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    (answer,) = bridge.helpdesk.said(thread)
    assert "Source:" in answer["body"]
    assert answer["author"]["id"] == US
    await answered_once(bridge, thread)


async def test_an_agent_takes_over(bridge: IntercomBridge) -> None:
    """By a word in Intercom's own inbox; a note takes nothing."""
    await taken_over(bridge, private="note")


async def test_an_assignment_silences_the_ai(bridge: IntercomBridge) -> None:
    """Without a word."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_takes(thread)
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert len(bridge.helpdesk.said(thread)) == 1


async def test_fin_is_no_agent(bridge: IntercomBridge) -> None:
    """What Intercom's own AI says takes nothing from ours as a person's words would."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "I am Fin.", admin=FIN)
    await bridge.settled()
    assert (await bridge.lease(thread))[0] != "saas_agent"
    assert [who for who, _ in await bridge.mirrored()].count("agent") == 0


async def test_fins_failed_turns_bring_a_person(bridge: IntercomBridge) -> None:
    """Three of Fin's answers that don't help are three failed turns; people are told by a note."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "I am Fin.", admin=FIN)
    for question in ("Where is my parcel?", "Where is my parcel then?", "That is not what I asked"):
        bridge.helpdesk.customer_says(question, thread)
        await bridge.settled()
        bridge.helpdesk.agent_says(thread, "Our parcels are blue.", admin=FIN)
        await bridge.settled()
    assert (await bridge.lease(thread))[0] == "other_bot"
    bridge.helpdesk.customer_says("That did not help", thread)
    await bridge.settled()
    turns = await bridge.rows("SELECT answer, verdict FROM turn WHERE number BETWEEN 2 AND 4")
    assert [(each.answer["by"], each.verdict) for each in turns] == [("other_bot", "unresolved")] * 3
    (decision,) = await bridge.rows("SELECT rule FROM decision")
    assert decision.rule == "three-failed-ai-turns"
    (note,) = bridge.helpdesk.noted(thread)
    assert "Our parcels are blue." in note["body"]
    assert "A colleague is taking over" in bridge.helpdesk.said(thread)[-1]["body"]


async def test_three_failures_are_noted_for_people(bridge: IntercomBridge) -> None:
    """The context comes as a note that customers don't see."""
    thread = None
    for question in UNKNOWN:
        thread = bridge.helpdesk.customer_says(question, thread)
        await bridge.settled()
    assert thread is not None
    (note,) = bridge.helpdesk.noted(thread)
    assert UNKNOWN[-1] in note["body"]
    assert thread["state"] == "open"


async def test_a_deleted_conversation_is_written_to_no_more(bridge: IntercomBridge) -> None:
    """What comes of it meanwhile, an answer that was being sought, stays unsent; what was said stays here."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    bridge.helpdesk.delete(thread)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT deleted_at FROM conversation")
    assert row.deleted_at is not None
    assert len(bridge.helpdesk.said(thread)) == 1
    assert sorted(who for who, _ in await bridge.mirrored()) == ["ai", "customer", "customer"]
    assert await bridge.rows("SELECT 1 FROM command WHERE state NOT IN ('done', 'superseded')") == []
    assert set(bridge.helpdesk.post.statuses) == {202}


async def test_a_forged_webhook_is_refused(bridge: IntercomBridge) -> None:
    """Nothing of it is kept."""
    forged = {"content-type": "application/json", "x-hub-signature": f"sha1={'0' * 40}"}
    answer = await bridge.http.post("/hooks/support", content=b"{}", headers=forged)
    assert answer.status_code == 401
    assert await bridge.rows("SELECT 1 FROM inbox") == []
