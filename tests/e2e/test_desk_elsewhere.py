"""A person at another vendor's desk takes over: the customer notices nothing but the person."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.bridge import eventually
from support.handed_over import HandedOver, handing_over

from gateway import links
from sync.store import inbox

TICKET = "con_2"
"""What the desk calls the first that is opened there."""


async def hand_over(bridge: HandedOver, text: str = "I want a person, my parcel is lost") -> str:
    """A customer asks for a person; their conversation."""
    said = bridge.helpdesk.customer_says("cus_1", text, name="Ann", email="ann@example.com")
    await bridge.settled()
    return str(said.conversation_id)


async def holders(bridge: HandedOver, conversation: str) -> list[str]:
    """Who held the lease of a conversation."""
    rows = await bridge.rows(
        "SELECT l.holder FROM lease_change l JOIN conversation v ON v.ref = l.conversation_ref"
        " WHERE v.id = :id AND v.connection = 'shop' ORDER BY l.epoch",
        id=conversation,
    )
    return [row.holder for row in rows]


async def test_a_conversation_is_worked_at_a_desk_elsewhere_from_beginning_to_end(
    elsewhere: HandedOver,
) -> None:
    """A ticket with the context; words both ways; closed there is closed here; one case; one voice."""
    conversation = await hand_over(elsewhere)
    ticket = elsewhere.ticket()
    (note,) = elsewhere.there(private=True)
    assert "my parcel is lost" in note[1]
    assert elsewhere.there() == [("customer", "I want a person, my parcel is lost")]
    assert elsewhere.agents.state.customer(ticket.customer_id).email == "ann@example.com"

    elsewhere.helpdesk.customer_says("cus_1", "Order 4711.", conversation_id=conversation)
    await elsewhere.settled()
    elsewhere.agents.agent_says(ticket.id, "Hello Ann, I have found it.", agent_id="agent_2")
    elsewhere.agents.agent_says(ticket.id, "Customer seems upset", private=True)
    await elsewhere.settled()
    assert elsewhere.there()[1:] == [("customer", "Order 4711."), ("agent", "Hello Ann, I have found it.")]
    last = elsewhere.replies(conversation)[-1]
    assert (last.author, last.agent.name, last.text) == ("agent", "Mei", "Hello Ann, I have found it.")

    elsewhere.agents.set_status(ticket.id, "resolved")
    await elsewhere.settled()
    assert elsewhere.helpdesk.state.conversation(conversation).status == "resolved"
    assert [m.text for m in elsewhere.replies(conversation)] == [
        "A colleague will be with you.",
        "Hello Ann, I have found it.",
    ]
    assert await holders(elsewhere, conversation) == ["ai", "nobody", "desk_agent", "ai"]
    (hand_off,) = await elsewhere.rows('SELECT state, "to", ticket FROM hand_off')
    assert (hand_off.state, hand_off.to, hand_off.ticket) == ("resolved", "agents", ticket.id)


async def test_both_are_one_case(elsewhere: HandedOver) -> None:
    """The conversation and the ticket are linked by themselves."""
    await hand_over(elsewhere)

    async def linked() -> Any:
        return await elsewhere.rows(
            "SELECT array_agg(v.connection ORDER BY v.connection) AS names FROM conversation_link l"
            " JOIN conversation v ON v.ref = l.conversation_ref GROUP BY l.main_ref"
        )

    (case,) = await eventually(linked, what="one case of both")
    assert case.names == ["agents", "shop"]


async def test_closed_at_the_helpdesk_is_closed_at_the_desk(elsewhere: HandedOver) -> None:
    """Whoever resolves it at the helpdesk resolves the ticket."""
    conversation = await hand_over(elsewhere)
    elsewhere.helpdesk.set_status(conversation, "resolved")
    await elsewhere.settled()
    assert elsewhere.ticket().status == "resolved"
    assert len(elsewhere.there(private=True)) == 1


async def test_an_agent_who_answers_at_the_helpdesk_ends_it(elsewhere: HandedOver) -> None:
    """The people at the desk are told, and what they still write reaches nobody: that they are told, too."""
    conversation = await hand_over(elsewhere)
    ticket = elsewhere.ticket()
    elsewhere.helpdesk.agent_says(conversation, "I do it myself.")
    await elsewhere.settled()
    assert ticket.status == "resolved"
    assert "taken it over" in elsewhere.there(private=True)[-1][1]
    elsewhere.agents.agent_says(ticket.id, "And I?")
    await elsewhere.settled()
    assert "not delivered" in elsewhere.there(private=True)[-1][1]
    assert [m.text for m in elsewhere.replies(conversation)][-1] == "I do it myself."


@pytest.mark.parametrize("fault", ["error_after", "time_out_after", "reset_after", "error"])
async def test_nothing_is_doubled_when_outcomes_are_unknown(elsewhere: HandedOver, fault: str) -> None:
    """One ticket, one note, each word once: after an unknown outcome it is looked before it is sent again."""
    elsewhere.agents.misbehave(fault, method="POST", times=3, status=503, seconds=0.2)
    conversation = await hand_over(elsewhere)
    ticket = elsewhere.ticket()
    elsewhere.helpdesk.misbehave(fault, method="POST", times=1, status=503, seconds=0.2)
    elsewhere.agents.agent_says(ticket.id, "Here I am.")
    await elsewhere.settled(within=30)
    assert len(elsewhere.there(private=True)) == 1
    assert elsewhere.there() == [
        ("customer", "I want a person, my parcel is lost"),
        ("agent", "Here I am."),
    ]
    assert [m.text for m in elsewhere.replies(conversation)].count("Here I am.") == 1


async def test_who_answers_before_we_know_of_the_ticket_is_heard(elsewhere: HandedOver) -> None:
    """The vendor opens the ticket and keeps us waiting; somebody answers there at once."""
    elsewhere.agents.misbehave("slow", method="POST", path="/api/conversations", times=1, seconds=1.5)
    said = elsewhere.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await eventually(lambda: elsewhere.agents.state.conversations, what="the ticket is there")
    elsewhere.agents.agent_says(elsewhere.ticket().id, "So quick!")
    await elsewhere.settled()
    assert [m.text for m in elsewhere.replies(said.conversation_id)].count("So quick!") == 1
    assert await holders(elsewhere, said.conversation_id) == ["ai", "nobody", "desk_agent"]


async def test_who_answers_before_we_have_seen_the_ticket_at_all_is_heard(elsewhere: HandedOver) -> None:
    """What tells of the ticket, what is said there and what it was opened for are worked in one batch."""
    lane = inbox.lane_of("agents", TICKET)
    async with elsewhere.house.engine.begin() as held:
        await inbox.lock_lane(held, lane)
        said = elsewhere.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
        await eventually(lambda: elsewhere.agents.state.conversations, what="the ticket is there")
        assert elsewhere.ticket().id == TICKET
        elsewhere.agents.agent_says(TICKET, "So quick!")
        await elsewhere.agents.drain()

        async def known() -> bool:
            waiting = "SELECT 1 FROM inbox WHERE lane = :lane AND connection = 'desk' AND state = 'pending'"
            return bool(await elsewhere.rows(waiting, lane=lane))

        await eventually(known, what="the ticket is known to be the hand-off's")
        assert await elsewhere.rows("SELECT 1 FROM conversation WHERE connection = 'agents'") == []
    await elsewhere.settled()
    assert [m.text for m in elsewhere.replies(said.conversation_id)].count("So quick!") == 1
    assert await holders(elsewhere, said.conversation_id) == ["ai", "nobody", "desk_agent"]
    assert sorted(elsewhere.there()) == [("agent", "So quick!"), ("customer", "I want a person")]


async def test_a_ticket_that_can_not_be_opened_leaves_the_customer_with_our_own_desk(
    elsewhere: HandedOver,
) -> None:
    """What the vendor refuses for good goes to the built-in desk, and says why."""
    elsewhere.agents.misbehave("error", method="POST", path="/api/conversations", times=None, status=422)
    await hand_over(elsewhere)
    rows = await elsewhere.rows('SELECT state, "to", cause FROM hand_off ORDER BY ref')
    assert [(row.state, row.to, row.cause) for row in rows] == [
        ("expired", "agents", "rule"),
        ("offered", "desk", "could_not_hand_over"),
    ]
    assert elsewhere.agents.messages == []


class TestSharedFields:
    """Tags and status are kept equal within a case."""

    @pytest.fixture
    async def elsewhere(self, knowledge_url: str, tmp_path: Path) -> AsyncIterator[HandedOver]:
        """The bridge, with shared fields."""
        order = ["pending", "open", "snoozed", "resolved"]
        shared = {"tags": {"merge": "union"}, "status": {"merge": "lattice", "order": order}}
        async with handing_over(knowledge_url, tmp_path, fields={"conversation": shared}) as bridge:
            yield bridge

    async def test_the_case_goes_on_with_the_latest_ticket(self, elsewhere: HandedOver) -> None:
        """What the first hand-off opened is done with: what happens later neither reopens nor tags it."""
        conversation = await hand_over(elsewhere)
        first = elsewhere.ticket()
        await eventually(lambda: in_case(elsewhere, first.id), what="the first is part of the case")
        elsewhere.helpdesk.change_tags(conversation, add=["fragile"])
        await eventually(lambda: first.tags == ["fragile"], what="the first ticket shares the tags")
        elsewhere.agents.set_status(first.id, "resolved")
        await elsewhere.settled()
        assert elsewhere.helpdesk.state.conversation(conversation).status == "resolved"

        elsewhere.helpdesk.customer_says("cus_1", "I want a person again", conversation_id=conversation)
        await elsewhere.settled()
        (second,) = [each for each in elsewhere.agents.state.conversations.values() if each is not first]
        await eventually(lambda: in_case(elsewhere, second.id), what="the second is part of the case")
        assert not await in_case(elsewhere, first.id)
        elsewhere.helpdesk.change_tags(conversation, add=["urgent"])
        await eventually(lambda: "urgent" in second.tags, what="the second ticket shares the tags")
        elsewhere.agents.agent_says(second.id, "Hello again.")
        await elsewhere.settled()
        assert (first.status, first.tags) == ("resolved", ["fragile"])
        assert [m.text for m in elsewhere.replies(conversation)][-1] == "Hello again."
        rows = await elsewhere.rows("SELECT ticket, state FROM hand_off ORDER BY ref")
        assert [row.ticket for row in rows] == [first.id, second.id], "both are on record"
        assert await elsewhere.rows("SELECT 1 FROM command WHERE state = 'parked'") == []

    async def test_what_people_have_linked_stays_linked(self, elsewhere: HandedOver) -> None:
        """A conversation of that desk that no hand-off opened is nobody's to take out of its case."""
        conversation = await hand_over(elsewhere)
        first = elsewhere.ticket()
        await eventually(lambda: in_case(elsewhere, first.id), what="the first is part of the case")
        elsewhere.agents.customer_says("cus_9", "Something older", name="Ann")
        await elsewhere.settled()
        async with elsewhere.house.engine.begin() as connection:
            found = await connection.execute(text("SELECT connection, id, ref FROM conversation"))
            refs = {(row.connection, row.id): row.ref for row in found}
            (older,) = [at for where, at in refs if where == "agents" and at != first.id]
            await links.unlink(elsewhere.house, connection, refs["agents", first.id])
            await links.link(elsewhere.house, connection, refs["shop", conversation], refs["agents", older])
        await asyncio.sleep(1.5)
        assert await in_case(elsewhere, older)
        assert not await in_case(elsewhere, first.id)


async def in_case(bridge: HandedOver, ticket: str) -> bool:
    """Whether a conversation at the desk is linked with one at the shop."""
    found = await bridge.rows(
        "SELECT 1 FROM conversation_link l JOIN conversation v ON v.ref = l.conversation_ref"
        " JOIN conversation_link o ON o.main_ref = l.main_ref AND o.conversation_ref <> l.conversation_ref"
        " WHERE v.id = :id AND v.connection = 'agents'",
        id=ticket,
    )
    return bool(found)


class TestNobodyComes:
    """The offer is limited in time."""

    @pytest.fixture
    def offer(self) -> str:
        """Back to the AI after a second."""
        return ", accept_within: 1s, otherwise: {to: ai, say: handoff.asked}"

    async def test_the_ticket_is_closed_and_the_ai_goes_on(self, elsewhere: HandedOver) -> None:
        """The people there see that it is over."""
        conversation = await hand_over(elsewhere)

        async def returned() -> bool:
            return (await holders(elsewhere, conversation))[-1] == "ai"

        await eventually(returned, what="the AI has it again")
        await elsewhere.settled()
        assert elsewhere.ticket().status == "resolved"
        assert "went elsewhere" in elsewhere.there(private=True)[-1][1]
