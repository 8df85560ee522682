"""Fetching in tests: what a helpdesk may hold, and what of it we hold."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support.bridge import Bridge

from adapters.vendors.memory.server import MemoryHelpdesk
from config.clock import utc_now
from gateway.pulling import Puller

ASKED = "How long does delivery take?"


def puller(bridge: Bridge, name: str = "shop", **settings: Any) -> Puller:
    """What the command uses, at the bridge's own helpdesk."""
    return Puller(
        engine=bridge.house.engine,
        name=name,
        adapter=bridge.house.adapters[name],
        settings=bridge.settings.pull.model_copy(update={"first_retry": timedelta(seconds=0.01), **settings}),
        clock=utc_now,
    )


def seed(helpdesk: MemoryHelpdesk, conversations: int, *, seed: int = 0) -> None:
    """Talks of all kinds: agents speaking, resolved ones, tags, questions that nobody answered."""
    helpdesk.courier.subscription = None
    chance = random.Random(seed)
    for number in range(conversations):
        customer = f"cus_{number % max(1, conversations * 2 // 3)}"
        person = helpdesk.state.welcome(customer, name=f"Ann {number}", email=f"{customer}@example.com")
        where = helpdesk.state.open(person, channel="email").id
        helpdesk.customer_says(customer, ASKED, conversation_id=where)
        if number % 5 == 0:
            helpdesk.customer_says(customer, "转人工", conversation_id=where)
        if number % 3 == 0:
            helpdesk.agent_says(where, "Three days.", agent_id=chance.choice(["agent_1", "agent_2"]))
        if number % 4 == 0:
            helpdesk.change_tags(where, add=["vip", "delivery"])
        if number % 7 == 0:
            helpdesk.assign(where, "agent_3")
        if number % 6 == 0:
            helpdesk.set_status(where, "resolved")


async def stored(bridge: Bridge) -> dict[str, Any]:
    """What we hold of each conversation."""
    rows = await bridge.rows("""
        SELECT v.id, v.status, v.tags, v.assignee ->> 'id' AS assignee, c.name,
            (SELECT jsonb_agg(m.id ORDER BY m.id) FROM message m WHERE m.conversation_ref = v.ref) AS said
        FROM conversation v LEFT JOIN customer c ON c.ref = v.customer_ref""")
    return {row.id: (row.status, row.tags, row.assignee, row.name, row.said) for row in rows}


def held(helpdesk: MemoryHelpdesk) -> dict[str, Any]:
    """What the helpdesk holds of each."""
    return {
        each.id: (
            each.status,
            each.tags,
            each.assignee.id if each.assignee else None,
            helpdesk.state.customer(each.customer_id).name,
            sorted(message.id for message in helpdesk.state.thread(each.id)),
        )
        for each in helpdesk.state.conversations.values()
    }


@pytest.fixture
def quiet(bridge: Bridge) -> Iterator[Bridge]:
    """A bridge whose helpdesk sends no webhooks for now."""
    subscription = bridge.helpdesk.courier.subscription
    bridge.helpdesk.courier.subscription = None
    yield bridge
    bridge.helpdesk.courier.subscription = subscription
