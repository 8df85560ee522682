"""Polling fills what webhooks lost; it is no second voice, and never tells old news as new."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.bridge import SECRET, Bridge, eventually
from support.pulling import ASKED, held, puller, seed, stored

from adapters.vendors.memory.server import MemoryHelpdesk
from config.clock import utc_now
from gateway.pulling import Purpose
from sync.store import pulls


def age(helpdesk: MemoryHelpdesk, by: timedelta) -> None:
    """Let everything at the helpdesk have happened so much earlier."""
    for each in (*helpdesk.state.conversations.values(), *helpdesk.state.customers.values()):
        each.updated_at -= by
    for thread in helpdesk.state._threads.values():  # noqa: SLF001 - time is what is faked here
        thread[:] = [type(m)(**{**_fields(m), "created_at": m.created_at - by}) for m in thread]


def _fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


async def test_a_question_whose_webhook_was_lost_is_answered(bridge: Bridge) -> None:
    """The poll finds it, it is recent, so it acts like the webhook: one turn, one answer."""
    bridge.helpdesk.misbehave("drop", times=None)
    said = bridge.helpdesk.customer_says("cus_1", ASKED)
    await bridge.helpdesk.drain()
    bridge.helpdesk.behave()
    await puller(bridge).poll()
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    await puller(bridge).poll()
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1


async def test_what_is_old_is_history_for_a_poll_too(quiet: Bridge) -> None:
    """The first poll of a connection meets everything there is: all of it is stored, nothing is answered."""
    seed(quiet.helpdesk, 60)
    age(quiet.helpdesk, timedelta(hours=1))
    await puller(quiet).poll()
    await quiet.settled()
    assert await stored(quiet) == held(quiet.helpdesk)
    for table in ("turn", "command", "decision"):
        assert await quiet.rows(f"SELECT 1 FROM {table}") == []


async def test_what_a_webhook_brought_is_not_accepted_again(bridge: Bridge) -> None:
    """When nothing was lost a poll adds nothing to the inbox."""
    said = bridge.helpdesk.customer_says("cus_1", ASKED)
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    await bridge.settled()
    before = await bridge.rows("SELECT count(*) AS n FROM inbox WHERE form = 'vendor'")
    for _ in range(2):
        await puller(bridge).poll()
        await bridge.settled()
    assert await bridge.rows("SELECT 1 FROM inbox WHERE form = 'canonical'") == []
    assert before == await bridge.rows("SELECT count(*) AS n FROM inbox WHERE form = 'vendor'")
    assert len(bridge.replies(said.conversation_id)) == 1


async def test_a_poll_goes_on_where_the_last_one_ended(quiet: Bridge) -> None:
    """Only what has changed is asked for: an old conversation's messages aren't read again."""
    seed(quiet.helpdesk, 30)
    age(quiet.helpdesk, timedelta(hours=1))
    pulling = puller(quiet, overlap=timedelta(0))
    await pulling.poll()
    await quiet.settled()
    quiet.helpdesk.requests.clear()
    said = quiet.helpdesk.customer_says("cus_new", ASKED)
    await pulling.poll()
    asked = [r.path for r in quiet.helpdesk.requests if r.method == "GET" and r.path.endswith("/messages")]
    assert asked == [f"/api/conversations/{said.conversation_id}/messages"]


async def test_polling_begins_where_the_backfill_ended_never_at_now(quiet: Bridge) -> None:
    """What happened between the two is found."""
    seed(quiet.helpdesk, 20)
    await puller(quiet).backfill()
    quiet.helpdesk.customer_says("cus_between", ASKED)
    age(quiet.helpdesk, timedelta(hours=1))
    quiet.helpdesk.requests.clear()
    await puller(quiet).poll()
    await quiet.settled()
    assert await stored(quiet) == held(quiet.helpdesk)
    pages = [r for r in quiet.helpdesk.requests if r.path.endswith("/messages")]
    assert len(pages) == 1, "only the new conversation was read"


async def test_a_stale_page_never_overwrites_a_fresh_webhook(bridge: Bridge) -> None:
    """The page was made before an agent resolved the conversation, and is stored after."""
    said = bridge.helpdesk.customer_says("cus_1", ASKED)
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    await bridge.settled()
    bridge.helpdesk.misbehave("slow", times=1, path="/api/conversations", seconds=0.7)
    polling = asyncio.create_task(puller(bridge).poll())
    await eventually(
        lambda: any(r.fault == "slow" for r in bridge.helpdesk.requests), what="the page being asked for"
    )
    bridge.helpdesk.change_tags(said.conversation_id, add=["late"])
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.helpdesk.drain()
    await polling
    await bridge.settled()
    (row,) = await bridge.rows("SELECT status, tags FROM conversation")
    assert (row.status, row.tags) == ("resolved", ["late"])


async def test_a_person_found_by_a_poll_silences_the_ai(bridge: Bridge) -> None:
    """An agent spoke, the webhook was lost: from the poll on the conversation is theirs."""
    said = bridge.helpdesk.customer_says("cus_1", ASKED)
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer")
    await bridge.settled()
    bridge.helpdesk.misbehave("drop", times=None)
    bridge.helpdesk.agent_says(said.conversation_id, "Lin here.")
    await bridge.helpdesk.drain()
    bridge.helpdesk.behave()
    await puller(bridge).poll()
    await bridge.settled()
    (row,) = await bridge.rows("SELECT lease_holder FROM conversation")
    assert row.lease_holder == "saas_agent"


class TestByTheLeader:
    """With `poll` set, the worker that leads does it by itself."""

    @pytest.fixture
    def overrides(self, free_helpdesk_port: int) -> dict[str, Any]:
        """Ask every quarter of a second."""
        connection = {
            "adapter": "memory",
            "poll": 0.25,
            "settings": {
                "base_url": f"http://127.0.0.1:{free_helpdesk_port}",
                "token": "api-token-for-tests",
                "webhook_secret": SECRET,
            },
        }
        return {"connections": {"shop": connection}}

    async def test_a_lost_question_is_found_without_anybody_asking(self, bridge: Bridge) -> None:
        """The customer waits a moment longer, that is all."""
        bridge.helpdesk.misbehave("drop", times=None)
        said = bridge.helpdesk.customer_says("cus_1", ASKED)
        await eventually(lambda: bridge.replies(said.conversation_id), what="an answer", within=15)
        async with bridge.house.engine.connect() as database:
            run = await pulls.latest_run(database, name="shop", purpose=Purpose.POLL)
        assert run is not None
        assert run.started_at <= utc_now()
