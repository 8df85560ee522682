"""The whole path with HubSpot on the other side: webhooks tell ids, and everything else is looked up."""

import pytest
from support.hubspot import HubspotBridge
from support.usual import QUESTION, answered_once, taken_over
from vendors.hubspot import US


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
    await answered_once(bridge, thread)


async def test_an_agent_takes_over(bridge: HubspotBridge) -> None:
    """By a word in HubSpot's own inbox; a comment takes nothing."""
    await taken_over(bridge, private="COMMENT")


async def test_a_forged_webhook_is_refused(bridge: HubspotBridge) -> None:
    """Nothing of it is kept."""
    forged = {"content-type": "application/json", "x-hubspot-signature": "0" * 64}
    answer = await bridge.http.post("/hooks/support", content=b"[]", headers=forged)
    assert answer.status_code == 401
    assert await bridge.rows("SELECT 1 FROM inbox") == []
