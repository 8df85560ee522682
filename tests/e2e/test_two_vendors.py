"""A customer in Chatwoot, a person in Zendesk: every request of ours judged by both vendors' descriptions."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from support.bridge import eventually, free_port, serving
from support.chatwoot import ChatwootBridge
from support.policies import packaged
from support.zendesk import judged
from vendors.zendesk import AGENT, BRIDGE, SETTINGS, Raw
from vendors.zendesk_webhooks import ZendeskAccount

UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")


@pytest.fixture
def zendesk_port() -> int:
    """Where Zendesk listens."""
    return free_port()


@pytest.fixture
def overrides(zendesk_port: int, tmp_path: Path) -> dict[str, Any]:
    """The packaged policy, with Zendesk as the desk."""
    at = {"base_url": f"http://127.0.0.1:{zendesk_port}", **SETTINGS}
    return {
        "policies": packaged(tmp_path, "zendesk"),
        "connections": {"zendesk": {"adapter": "zendesk", "role": "desk", "settings": at}},
        "attachments": {"allow_hosts": ["127.0.0.1"]},
    }


@pytest.fixture
async def zendesk(
    chatwoot_bridge: ChatwootBridge, zendesk_port: int, specs: Path | None
) -> AsyncIterator[ZendeskAccount]:
    """The desk, which tells the bridge; no request may break its description."""
    account = ZendeskAccount(f"{chatwoot_bridge.url}/hooks/zendesk")
    judged(account, specs)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(account.door, zendesk_port))
        await stack.enter_async_context(account.post)
        yield account
    assert account.door.objections == []


async def settled(bridge: ChatwootBridge, zendesk: ZendeskAccount) -> None:
    """Wait until nothing is under way on either side."""
    for _ in range(2):
        await bridge.settled(30)
        await zendesk.drain()
    await bridge.settled(30)


def only(zendesk: ZendeskAccount, before: set[int]) -> Raw:
    """The ticket that has come into being."""
    (number,) = zendesk.tickets.keys() - before
    return zendesk.tickets[number]


async def test_from_chatwoot_to_a_zendesk_ticket_and_back_until_closed(
    chatwoot_bridge: ChatwootBridge, zendesk: ZendeskAccount
) -> None:
    """Three failed turns; a ticket with the context; replies both ways; solved there is resolved here."""
    bridge, before = chatwoot_bridge, set(zendesk.tickets)
    thread = None
    for question in UNKNOWN:
        thread = bridge.helpdesk.customer_says(question, thread)
        await settled(bridge, zendesk)
    assert thread is not None
    ticket = only(zendesk, before)
    notes = [each["body"] for each in zendesk.noted(ticket)]
    assert any(UNKNOWN[-1] in note and "three-failed-ai-turns" in note for note in notes)

    bridge.helpdesk.customer_says("Order 4711, please", thread)
    await settled(bridge, zendesk)
    assert zendesk.comments[ticket["id"]][-1]["body"] == "Order 4711, please"
    assert zendesk.comments[ticket["id"]][-1]["author_id"] == ticket["requester_id"]

    zendesk.agent_says(ticket, "Hello, I have found your order.")
    zendesk.agent_says(ticket, "seems upset", private=True)
    await settled(bridge, zendesk)
    said = [message["content"] for message in bridge.said(thread)]
    assert sum("I have found your order." in text for text in said) == 1
    assert not any("upset" in text for text in said)
    assert (await bridge.lease(thread))[0] == "desk_agent"

    zendesk.change(ticket, {"status": "solved"}, actor=AGENT)
    await settled(bridge, zendesk)
    assert thread.status == "resolved"
    assert ticket["status"] == "solved"
    mine = [each for each in zendesk.comments[ticket["id"]] if each["author_id"] == BRIDGE and each["public"]]
    assert mine == [], "nothing of the house was said to the customer by mail"
    assert sum("I have found your order." in each["content"] for each in bridge.said(thread)) == 1

    async def one_case() -> Any:
        return await bridge.rows(
            "SELECT main_ref FROM conversation_link GROUP BY main_ref HAVING count(*) = 2"
        )

    await eventually(one_case, what="both are one case")


async def test_resolved_in_chatwoot_is_solved_in_zendesk(
    chatwoot_bridge: ChatwootBridge, zendesk: ZendeskAccount
) -> None:
    """And nothing comes back from there."""
    bridge, before = chatwoot_bridge, set(zendesk.tickets)
    thread = bridge.helpdesk.customer_says("I want to talk to a person")
    await settled(bridge, zendesk)
    ticket = only(zendesk, before)
    bridge.helpdesk.set_status(thread, "resolved")
    await settled(bridge, zendesk)
    assert ticket["status"] == "solved"
    assert thread.status == "resolved"
    (hand_off,) = await bridge.rows("SELECT state FROM hand_off")
    assert hand_off.state == "resolved"
