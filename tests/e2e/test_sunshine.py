"""The whole path with Zendesk messaging on the other side, its own description judging what we send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually, free_port, serving
from vendors.door import Door
from vendors.sunshine import OURS, WORKSPACE, FakeSunshine, Thread, settings

from adapters.model import Control, ControlChanged, HandOver, ReleaseControl, TakeControl
from config.embedded import EmbeddedPostgres
from config.settings import Settings
from gateway.app import create_app
from gateway.migrate import upgrade

QUESTION = "How long does delivery take?"


@dataclass
class SunshineBridge(Bridge):
    """A running bridge with an app of Zendesk messaging on its other side."""

    helpdesk: FakeSunshine  # type: ignore[assignment]

    async def lease(self, thread: Thread) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        (row,) = await self.rows(
            "SELECT lease_holder, lease_epoch FROM conversation WHERE id = :id", id=thread.id
        )
        return row.lease_holder, row.lease_epoch

    async def mirrored(self) -> list[tuple[str, bool]]:
        """Of each message that we hold: who wrote it, and whether a command of ours did."""
        rows = await self.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
        return [(row.author, row.command_ref is not None) for row in rows]


@pytest.fixture
def description(request: pytest.FixtureRequest) -> Path | None:
    """The published description; without the reference material the path is proven unjudged."""
    try:
        reference: Path = request.getfixturevalue("reference")
    except pytest.skip.Exception:
        return None
    return reference / "vendor-specs/sunshine/openapi-17.12.1.yaml"


def house(database_url: str, tmp_path: Path, url: str, vendor_port: int) -> Settings:
    """The settings of a bridge to the app."""
    there = settings(f"http://127.0.0.1:{vendor_port}/sc")
    given: dict[str, Any] = {
        "connections": {"messaging": {"adapter": "sunshine", "settings": there}},
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
    }
    return Settings(database_url=database_url, data_dir=tmp_path, public_url=url, **given)


@pytest.fixture
async def bridge(
    knowledge_url: str, tmp_path: Path, description: Path | None, *, worker_inside: bool
) -> AsyncIterator[SunshineBridge]:
    """A bridge between an app and the house; no request may break the description."""
    from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import

    vendor_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    vendor = FakeSunshine(hook=f"{url}/hooks/messaging")
    door = Door(Judge(description, vendor, base_path="/sc") if description else vendor)
    given = house(knowledge_url, tmp_path, url, vendor_port)
    app = create_app(given, with_worker=worker_inside)
    async with AsyncExitStack() as stack:
        vendor_url = await stack.enter_async_context(serving(door, vendor_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        await stack.enter_async_context(vendor.courier)
        yield SunshineBridge(
            helpdesk=vendor,
            helpdesk_url=vendor_url,
            url=url,
            settings=given,
            http=http,
            house=app.state.house,
        )
    assert door.objections == []


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
