"""The whole path with HubSpot on the other side: webhooks tell ids, and everything else is looked up."""

import pytest
from support.hubspot import HubspotBridge
from vendors.hubspot import US

QUESTION = "How long does delivery take?"


@pytest.fixture
def bridge(hubspot_bridge: HubspotBridge) -> HubspotBridge:
    """The bridge of these tests, with a HubSpot portal as the helpdesk."""
    return hubspot_bridge


async def test_a_question_is_answered_and_its_echo_does_nothing(bridge: HubspotBridge) -> None:
    """The message is fetched, answered by the way it came, and our own words are known as ours."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    (answer,) = bridge.helpdesk.said(thread)
    assert "Source:" in answer["text"]
    (recipient,) = answer["sent"]["recipients"]
    assert recipient["deliveryIdentifiers"][0]["value"] == f"chat-{thread['id']}"
    assert answer["sent"]["senderActorId"] == US
    assert await bridge.lease(thread) == ("ai", 1)
    assert await bridge.mirrored() == [("customer", False), ("ai", True)]
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1
    assert set(bridge.helpdesk.post.statuses) == {202}
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []
    assert await bridge.rows("SELECT 1 FROM command WHERE state <> 'done'") == []


async def test_an_agent_takes_over(bridge: HubspotBridge) -> None:
    """By a word in HubSpot's own inbox; a comment takes nothing."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "nice answer", kind="COMMENT")
    await bridge.settled()
    assert await bridge.lease(thread) == ("ai", 1)
    bridge.helpdesk.agent_says(thread, "Let me look into it.")
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert len(bridge.helpdesk.said(thread)) == 2
    assert await bridge.lease(thread) == ("saas_agent", 2)


async def test_a_forged_webhook_is_refused(bridge: HubspotBridge) -> None:
    """Nothing of it is kept."""
    forged = {"content-type": "application/json", "x-hubspot-signature": "0" * 64}
    answer = await bridge.http.post("/hooks/support", content=b"[]", headers=forged)
    assert answer.status_code == 401
    assert await bridge.rows("SELECT 1 FROM inbox") == []
