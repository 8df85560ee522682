"""What a vendor deletes and tells of: marked at once, never written to again, and still there to read."""

from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.connected import ConnectedBridge
from support.desk import MEI, act, hand_over
from support.handed_over import HandedOver
from support.pulling import puller

from gateway.reconciling import reconcile
from sync.store import reading
from sync.store.deletions import GONE

QUESTION = "How long does delivery take?"


async def commands(bridge: Bridge, kind: str = "reply") -> list[tuple[str, str | None]]:
    """What became of commands of a kind, and why."""
    rows = await bridge.rows("SELECT state, reason FROM command WHERE kind = :kind ORDER BY ref", kind=kind)
    return [(row.state, row.reason) for row in rows]


async def failed(bridge: Bridge, status: int) -> None:
    """Wait until a command was answered so."""

    async def told() -> list[Any]:
        return await bridge.rows("SELECT 1 FROM attempt WHERE status = :status", status=status)

    await eventually(told, what=f"a command met {status}")


async def test_what_waits_for_a_deleted_conversation_is_not_sent(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """It is settled with its reason, nobody is asked about it, and the story tells why; words stay."""
    helpdesk = bridge.helpdesk
    helpdesk.misbehave("error", method="POST", path="/messages", times=None, status=503)
    said = helpdesk.customer_says("cus_1", QUESTION)
    await failed(bridge, 503)
    helpdesk.delete_conversation(said.conversation_id, told=True)
    await bridge.settled()
    assert await commands(bridge) == [("superseded", GONE)]
    (turn,) = await bridge.rows("SELECT verdict, ended_by FROM turn")
    assert (turn.verdict, turn.ended_by) == ("open", "deleted")
    (ref,) = [row.ref for row in await bridge.rows("SELECT ref FROM conversation")]
    story = (await api.get(f"/v1/conversations/{ref}/timeline")).json()["entries"]
    assert [each["message"]["text"] for each in story if each["type"] == "message"] == [QUESTION]
    assert story[-1]["type"] == "deleted"
    assert (await api.get(f"/v1/conversations/{ref}")).json()["conversation"]["deleted_at"]
    assert (await api.get("/v1/parked")).json()["items"] == []


@pytest.mark.parametrize("late", [False, True])
async def test_what_finds_it_gone_is_nothing_for_a_person_to_put_right(bridge: Bridge, *, late: bool) -> None:
    """A reply that was on its way meets 404, before we are told of the deletion or after."""
    helpdesk = bridge.helpdesk
    if late:
        helpdesk.misbehave("reorder", event="conversation_deleted", seconds=1.5)
    else:
        helpdesk.misbehave("late", method="POST", path="/messages", seconds=1.0)
    said = helpdesk.customer_says("cus_1", QUESTION)
    if late:
        await eventually(lambda: helpdesk.deliveries, what="the question is told")
    else:
        await eventually(
            lambda: "POST" in {each.method for each in helpdesk.requests}, what="it is under way"
        )
    helpdesk.delete_conversation(said.conversation_id, told=True)
    await failed(bridge, status=404)
    if late:
        assert [state for state, _ in await commands(bridge)] == ["parked"]
    await bridge.settled()
    assert await commands(bridge) == [("superseded", GONE)]


async def test_a_reconciliation_settles_it_where_nobody_tells(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """A vendor that tells of no deletion: the parked reply goes with the mark."""
    said = bridge.helpdesk.customer_says("cus_1", QUESTION)
    await eventually(lambda: bridge.helpdesk.deliveries, what="the question is told")
    bridge.helpdesk.delete_conversation(said.conversation_id)
    await bridge.settled()
    assert [state for state, _ in await commands(bridge)] == ["parked"]
    await reconcile(puller(bridge))
    assert await commands(bridge) == [("superseded", GONE)]
    assert (await api.get("/v1/parked")).json()["items"] == []


async def test_a_person_at_the_desk_is_told_that_it_is_gone(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Their hand-off has ended, their reply is refused, and nothing goes to the helpdesk any more."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim", agent=MEI)
    await bridge.settled()
    bridge.helpdesk.delete_conversation(hand_off.conversation_id, told=True)
    await bridge.settled()
    before = len(bridge.helpdesk.requests)
    answer = await act(api, hand_off.ref, "reply", agent=MEI, text="Hello?")
    assert answer.status_code == 409
    await bridge.settled()
    assert len(bridge.helpdesk.requests) == before
    (row,) = await bridge.rows("SELECT state FROM hand_off")
    assert row.state == "deleted"
    (lease,) = await bridge.rows("SELECT cause FROM lease_change ORDER BY epoch DESC LIMIT 1")
    assert lease.cause == "deleted"


async def test_what_is_taken_back_is_there_again(bridge: Bridge) -> None:
    """A later word of the vendor's about it counts; an older one that comes late doesn't."""
    helpdesk = bridge.helpdesk
    said = helpdesk.customer_says("cus_1", QUESTION)
    await bridge.settled()
    conversation = helpdesk.state.conversation(said.conversation_id)
    helpdesk.misbehave("reorder", event="conversation_changed", seconds=1.0)
    helpdesk.change_tags(conversation.id, add=["late"])
    helpdesk.delete_conversation(conversation.id, told=True)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT deleted_at, tags FROM conversation")
    assert row.tags == ["late"]
    assert row.deleted_at is not None
    helpdesk.restore_conversation(conversation)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT deleted_at FROM conversation")
    assert row.deleted_at is None
    helpdesk.customer_says("cus_1", "What is your return policy?", conversation_id=conversation.id)
    await bridge.settled()
    assert len(bridge.replies(conversation.id)) == 2


class TestSharedFields:
    """A customer with a field that is kept equal at both sides."""

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        """The tier is the shop's to say."""
        return {"fields": {"customer": {"attributes.tier": {"owner": "shop"}}}}

    async def test_nothing_is_written_to_a_customer_who_was_deleted(self, connected: ConnectedBridge) -> None:
        """Neither what waited nor what comes; the record says so, and who it was stays known."""
        proven = {"email": "ann@example.com", "verified": ["email"]}
        connected.helpdesk.customer_says("cus_1", "Hello", **proven)
        connected.crm.customer_says("crm_1", "Hello", **proven)
        await connected.settled()
        connected.crm.misbehave("error", method="PATCH", times=None, status=503)
        connected.helpdesk.change_attributes("cus_1", tier="gold")
        await failed(connected, 503)
        connected.crm.delete_customer("crm_1", told=True)
        await connected.settled()
        assert await commands(connected, "update_customer") == [("superseded", GONE)]
        connected.helpdesk.change_attributes("cus_1", tier="silver")
        await connected.settled()
        assert len(await commands(connected, "update_customer")) == 1
        ref = await connected.ref_of("shop", "cus_1")
        async with connected.house.engine.connect() as database:
            known = await reading.customer(database, ref)
        assert known is not None
        assert [each.value for each in known.identities if each.deleted_at] == ["crm_1"]


async def test_the_desk_elsewhere_is_told_that_the_customers_conversation_is_gone(
    elsewhere: HandedOver,
) -> None:
    """Its people learn why, and the ticket is closed."""
    said = elsewhere.helpdesk.customer_says("cus_1", "I want a person")
    await elsewhere.settled()
    elsewhere.helpdesk.delete_conversation(said.conversation_id, told=True)
    await elsewhere.settled()
    assert "has deleted the conversation" in elsewhere.there(private=True)[-1][1]
    assert elsewhere.ticket().status == "resolved"


async def test_a_customer_whose_ticket_was_deleted_is_not_forgotten(elsewhere: HandedOver) -> None:
    """They wait at our own desk, and nothing is written to the ticket any more."""
    said = elsewhere.helpdesk.customer_says("cus_1", "I want a person")
    await elsewhere.settled()
    ticket = elsewhere.ticket()
    elsewhere.agents.agent_says(ticket.id, "One moment.")
    await elsewhere.settled()
    elsewhere.agents.delete_conversation(ticket.id, told=True)
    elsewhere.helpdesk.customer_says("cus_1", "Hello?", conversation_id=said.conversation_id)
    await elsewhere.settled()
    rows = await elsewhere.rows('SELECT state, "to", cause FROM hand_off ORDER BY ref')
    assert [(row.state, row.to, row.cause) for row in rows] == [
        ("expired", "agents", "rule"),
        ("offered", "desk", "ticket_deleted"),
    ]
    (lease,) = await elsewhere.rows("SELECT lease_holder FROM conversation WHERE connection = 'shop'")
    assert lease.lease_holder == "nobody"
    assert await elsewhere.rows("SELECT 1 FROM command WHERE state = 'parked'") == []
