"""A Chatwoot conversation and a ticket elsewhere, linked as one case; every request to Chatwoot is judged."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.bridge import SECRET, TOKEN, eventually, free_port, serving
from support.chatwoot import ChatwootBridge

from adapters.vendors.memory.records import Conversation
from adapters.vendors.memory.server import MemoryHelpdesk
from gateway import links


@pytest.fixture
def crm_port() -> int:
    """Where the CRM listens."""
    return free_port()


@pytest.fixture
def overrides(crm_port: int) -> dict[str, Any]:
    """A CRM beside Chatwoot, and what both share."""
    at = {"base_url": f"http://127.0.0.1:{crm_port}", "token": TOKEN, "webhook_secret": SECRET}
    return {
        "connections": {"crm": {"adapter": "memory", "ai": False, "settings": at}},
        "fields": {
            "conversation": {
                "tags": {"merge": "union"},
                "attributes.order": {"merge": "newest"},
                "attributes.plan": {"owner": "crm"},
                "subject": {"owner": "crm"},
            }
        },
    }


@pytest.fixture
async def crm(chatwoot_bridge: ChatwootBridge, crm_port: int) -> AsyncIterator[MemoryHelpdesk]:
    """The CRM, which tells the bridge."""
    helpdesk = MemoryHelpdesk(
        token=TOKEN, webhook_url=f"{chatwoot_bridge.url}/hooks/crm", webhook_secret=SECRET
    )
    async with serving(helpdesk, crm_port):
        yield helpdesk


async def case(bridge: ChatwootBridge, crm: MemoryHelpdesk) -> Conversation:
    """Link a new ticket with the Chatwoot conversation."""
    ticket = crm.state.open(crm.state.welcome("chen"), channel="email", subject="Parcel")
    bridge.helpdesk.customer_says("Hello", bridge.helpdesk.thread)
    await settled(bridge, crm)
    refs = {row.connection: row.ref for row in await bridge.rows("SELECT connection, ref FROM conversation")}
    async with bridge.house.engine.begin() as connection:
        await links.link(bridge.house, connection, refs["crm"], refs["shop"])
    return ticket


async def settled(bridge: ChatwootBridge, crm: MemoryHelpdesk) -> None:
    """Wait until nothing is under way on either side."""
    for _ in range(2):
        await bridge.settled()
        await crm.drain()
    await bridge.settled()


async def test_custom_attributes_go_both_ways_and_none_is_lost(
    chatwoot_bridge: ChatwootBridge, crm: MemoryHelpdesk
) -> None:
    """Chatwoot overwrites all of them at once: what isn't shared stays as well."""
    thread = chatwoot_bridge.helpdesk.thread
    thread.custom_attributes = {"own": "kept", "order": "12"}
    ticket = await case(chatwoot_bridge, crm)
    crm.state.change(ticket, by="agent", attributes={"plan": "pro", "secret": "of the CRM"})
    await settled(chatwoot_bridge, crm)
    assert thread.custom_attributes == {"own": "kept", "order": "12", "plan": "pro"}
    assert ticket.attributes == {"plan": "pro", "secret": "of the CRM", "order": "12"}
    chatwoot_bridge.helpdesk.set_attributes(thread, {**thread.custom_attributes, "order": "13"})
    await eventually(lambda: ticket.attributes["order"] == "13", what="Chatwoot's edit reaches the CRM")
    crm.state.change(ticket, by="agent", attributes={"plan": "pro"})
    await settled(chatwoot_bridge, crm)
    assert thread.custom_attributes == {"own": "kept", "plan": "pro"}


async def test_what_chatwoot_cannot_write_keeps_nothing_else_from_being_written(
    chatwoot_bridge: ChatwootBridge, crm: MemoryHelpdesk
) -> None:
    """It has no subject; tags reach it all the same, and nothing is parked."""
    ticket = await case(chatwoot_bridge, crm)
    crm.state.change(ticket, by="agent", subject="Lost parcel", tags=["vip"])
    await settled(chatwoot_bridge, crm)
    assert sorted(chatwoot_bridge.helpdesk.thread.labels) == ["after-sales", "vip"]
    assert await chatwoot_bridge.rows("SELECT 1 FROM command WHERE state = 'parked'") == []
    assert ticket.subject == "Lost parcel"
