"""The whole path with Zendesk messaging on the other side, its own description judging what we send."""

import asyncio
from pathlib import Path

import pytest
from support.bridge import eventually, free_port, serving
from support.sunshine import SunshineBridge, house
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import OURS, WORKSPACE

from adapters.model import Control, ControlChanged, HandOver, ReleaseControl, TakeControl
from config.embedded import EmbeddedPostgres
from gateway.app import create_app
from gateway.migrate import upgrade

QUESTION = "How long does delivery take?"


@pytest.fixture
def bridge(sunshine_bridge: SunshineBridge) -> SunshineBridge:
    """The bridge of these tests, with Zendesk messaging on the other side."""
    return sunshine_bridge


async def test_a_question_is_answered_and_then_a_person_has_it(bridge: SunshineBridge) -> None:
    """The answer names its source, its echo does nothing; when an agent speaks, the AI falls silent."""
    helpdesk = bridge.helpdesk
    thread = helpdesk.customer_says(QUESTION)
    await bridge.settled()
    (answer,) = helpdesk.said(thread)
    assert "Source:" in answer["content"]["text"]
    assert answer["metadata"]["deskbridge_author"] == "ai"
    assert await bridge.mirrored() == [("customer", False), ("ai", True)]
    assert await bridge.lease(thread) == ("ai", 1)

    helpdesk.agent_says(thread, "I'll take this one.")
    await bridge.settled()
    assert (await bridge.lease(thread))[0] == "saas_agent"
    helpdesk.customer_says(QUESTION, thread)
    await bridge.settled()
    assert [each["content"]["text"] for each in helpdesk.said(thread)][1:] == ["I'll take this one."]
    assert set(helpdesk.courier.statuses) <= {200, 202}
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []


async def test_several_events_in_one_webhook_and_each_only_once(bridge: SunshineBridge) -> None:
    """They are worked in order; sent again, they do nothing."""
    helpdesk = bridge.helpdesk
    helpdesk.courier.together = 3
    user = helpdesk.welcome(externalId="shop-88213", authenticated=True)
    thread = helpdesk.open_thread(user)
    helpdesk.customer_says(QUESTION, thread)
    helpdesk.presses(thread, "track_order")
    await bridge.settled()
    told = await bridge.rows("SELECT author, text FROM message WHERE author = 'customer' ORDER BY ref")
    assert [row.text for row in told] == [QUESTION, "track_order"]
    said, mirrored = len(helpdesk.said(thread)), await bridge.mirrored()
    for body in list(helpdesk.courier.sent):
        helpdesk.courier.send(body)
    await bridge.settled()
    assert (len(helpdesk.said(thread)), await bridge.mirrored()) == (said, mirrored)
    (customer,) = await bridge.rows("SELECT name FROM customer")
    assert customer.name == "雅婷 陳"


async def test_what_may_have_been_said_is_looked_for_first(bridge: SunshineBridge) -> None:
    """A 429 without Retry-After, then a 502 after the message was taken: the customer reads it once."""
    helpdesk = bridge.helpdesk
    helpdesk.fails, helpdesk.fails_after = [429], [502]
    thread = helpdesk.customer_says(QUESTION)
    await bridge.settled()
    assert len(helpdesk.said(thread)) == 1
    tries = await bridge.rows("SELECT outcome FROM attempt ORDER BY ref")
    assert [row.outcome for row in tries] == ["delivered", "retry", "unknown", "found"]  # the answer, first
    path = f"conversations/{thread.id}/messages"
    assert [each for each in helpdesk.log if path in each] == [f"POST {path}"] * 2 + [f"GET {path}"]
    assert await bridge.mirrored() == [("customer", False), ("ai", True)]


@pytest.mark.parametrize("worker_inside", [False])
async def test_control_goes_to_the_agents_and_comes_back(bridge: SunshineBridge) -> None:
    """By the vendor's own switch, over HTTP; each move is told in a webhook and read as it is."""
    helpdesk, adapter = bridge.helpdesk, bridge.house.adapters["messaging"]
    thread = helpdesk.customer_says("I want a person")
    handed = HandOver(key="h1", conversation_id=thread.id, summary="wants a person", url="https://x")
    await adapter.push(handed)
    assert thread.active is WORKSPACE
    helpdesk.gives(thread, "offerControl", OURS)
    await adapter.push(TakeControl(key="h2", conversation_id=thread.id))
    assert thread.active is OURS
    await adapter.push(ReleaseControl(key="h3", conversation_id=thread.id))
    await helpdesk.drain()
    bodies = await bridge.rows(
        "SELECT p.body FROM payload p JOIN inbox i ON i.ref = p.inbox_ref ORDER BY i.ref"
    )
    changes = [change for row in bodies for change in adapter.parse(row.body)]
    moves = [each.control for each in changes if isinstance(each, ControlChanged)]
    assert moves == [Control.THEIRS, Control.OFFERED_TO_US, Control.OURS, Control.RELEASED]


async def test_no_event_is_lost_while_the_database_is_away(
    own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """4xx would be final at Zendesk: it hears 503, sends again, and the event is taken once we can."""
    await upgrade(own_postgres.url())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    vendor = FakeSunshine(hook=f"{url}/hooks/messaging")
    vendor.courier.back_off = 0.4
    app = create_app(house(own_postgres.url(), tmp_path, url, free_port()), with_worker=False)
    async with serving(app, port), vendor.courier:
        await asyncio.to_thread(own_postgres.stop)
        vendor.customer_says(QUESTION)
        await eventually(lambda: vendor.courier.statuses, what="an answer to the first webhook")
        again = await asyncio.to_thread(EmbeddedPostgres, tmp_path / "pg")
        await vendor.drain()
    assert vendor.courier.lost == []
    assert vendor.courier.statuses[0] == 503
    assert vendor.courier.statuses[-2:] == [202, 202]
    assert set(vendor.courier.statuses) == {503, 202}
    await asyncio.to_thread(again.stop)
