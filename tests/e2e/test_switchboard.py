"""A helpdesk with a switch of its own for who may speak: our lease follows it, as the bot and as the desk."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually, memory_at
from support.desk import MEI, act
from support.policies import asking, written

from adapters.vendors.memory.switchboard import Reception


@pytest.fixture
def with_ai() -> bool:
    """Whether our AI answers at the helpdesk: we are the bot then, else its desk."""
    return True


@pytest.fixture
def overrides(tmp_path: Path, free_helpdesk_port: int, offer: str, *, with_ai: bool) -> dict[str, Any]:
    """A helpdesk with a switchboard."""
    policies = written(tmp_path, asking("saas", offer))
    shop = memory_at(free_helpdesk_port, ai=with_ai, queues={"after-sales": "group 7"})
    shop["settings"]["switchboard"] = True
    return {"policies": policies, "connections": {"shop": shop}, "voice": {"most_returns": 1}}


@pytest.fixture
async def switched(bridge: Bridge, *, with_ai: bool) -> Bridge:
    """The bridge; whoever is the bot has control at first."""
    bridge.helpdesk.state.first = "deskbridge" if with_ai else "agents"
    return bridge


async def hand_over(bridge: Bridge) -> str:
    """A customer asks for a person; their conversation."""
    said = bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await bridge.settled()
    return str(said.conversation_id)


async def moves(bridge: Bridge) -> list[tuple[str, str]]:
    """Who held the lease, and why."""
    rows = await bridge.rows("SELECT holder, cause FROM lease_change ORDER BY epoch")
    return [(row.holder, row.cause) for row in rows]


def passed(bridge: Bridge) -> list[Any]:
    """The requests that moved control."""
    return [entry.body for entry in bridge.helpdesk.requests if entry.path.endswith("/control")]


async def test_a_rule_passes_control_with_the_whole_context(switched: Bridge) -> None:
    """By the vendor's switch, to the queue as the vendor calls it; the other side's word makes it theirs."""
    conversation = await hand_over(switched)
    (move,) = passed(switched)
    assert (move["act"], move["metadata"]["to"]) == ("pass", "group 7")
    assert move["metadata"]["package"]["schema"] == "deskbridge.hand_off/1"
    assert switched.notes(conversation) == []
    assert await switched.hand_offs() == [("taken", "saas", "rule")]
    # The answer to our request names nobody; if it comes before the switch's own word, that adds the name.
    holders = [holder for holder, _ in groupby(holder for holder, _ in await moves(switched))]
    assert holders == ["ai", "nobody", "saas_agent"]
    switched.helpdesk.customer_says("cus_1", "Hello?")
    await switched.settled()
    assert len(switched.replies(conversation)) == 1, "the AI is silent"


async def test_control_that_comes_back_returns_it_to_the_ai_which_remembers(switched: Bridge) -> None:
    """The AI answers what is said next, knowing what people said."""
    conversation = await hand_over(switched)
    switched.helpdesk.agent_says(conversation, "We deliver within two days.")
    await switched.settled()
    switched.helpdesk.move_control(conversation, "pass")
    await switched.settled()
    assert (await moves(switched))[-1] == ("ai", "control_returned")
    switched.helpdesk.customer_says("cus_1", "What is your return policy?")
    await switched.settled()
    asked = await switched.rows("SELECT body FROM command WHERE kind = 'answer' ORDER BY ref DESC LIMIT 1")
    assert "We deliver within two days." in asked[0].body["earlier"]
    assert switched.replies(conversation)[-1].author == "bot"


async def test_what_comes_back_too_often_stays_with_our_people(switched: Bridge) -> None:
    """`voice.most_returns` holds for the vendor's switch, too."""
    conversation = await hand_over(switched)
    for _ in range(2):
        switched.helpdesk.move_control(conversation, "pass")
        await switched.settled()
        switched.helpdesk.state.move_control(
            switched.helpdesk.state.conversation(conversation),
            "pass",
            by="agents",
            active="agents",
            pending=None,
        )
        await switched.settled()
    assert (await switched.hand_offs())[-1][1:] == ("desk", "too_many_returns")


class TestOffered:
    """The rule gives them a time."""

    @pytest.fixture
    def offer(self) -> str:
        """Back to the AI after a minute."""
        return ", accept_within: 1m, otherwise: {to: ai, say: handoff.asked}"

    async def test_an_offer_waits_in_their_queue_and_comes_back(self, switched: Bridge) -> None:
        """Its place in the queue is known; when nobody accepts it in time, the AI has it again."""
        switched.helpdesk.switchboard.reception = Reception(reception="queued", position=3)
        await hand_over(switched)
        (row,) = await switched.rows("SELECT state, position FROM hand_off")
        assert (row.state, row.position) == ("offered", 3)
        async with switched.house.engine.begin() as connection:
            await connection.execute(text("UPDATE hand_off SET accept_by = now()"))

        async def returned() -> bool:
            return (await moves(switched))[-1] == ("ai", "nobody_came")

        await eventually(returned, what="back with the AI")
        await switched.settled()
        assert [move["act"] for move in passed(switched)] == ["offer", "accept"]
        assert await switched.rows("SELECT 1 FROM command WHERE state = 'parked'") == []

    async def test_an_offer_that_is_accepted_is_theirs(self, switched: Bridge) -> None:
        """Their accepting it in time ends the offer."""
        switched.helpdesk.switchboard.reception = Reception(reception="queued", position=1)
        conversation = await hand_over(switched)
        switched.helpdesk.move_control(conversation, "accept")
        await switched.settled()
        assert await switched.hand_offs() == [("taken", "saas", "rule")]
        assert (await moves(switched))[-1] == ("saas_agent", "control_theirs")

    async def test_an_offer_that_is_refused_goes_on_at_once(self, switched: Bridge) -> None:
        """Nobody waits for a time that is over already."""
        switched.helpdesk.switchboard.reception = Reception(reception="queued", position=1)
        conversation = await hand_over(switched)
        switched.helpdesk.move_control(conversation, "refuse")
        await switched.settled()
        assert (await switched.hand_offs())[0] == ("expired", "saas", "rule")


async def test_where_nobody_is_there_our_own_desk_has_it(switched: Bridge) -> None:
    """Without `otherwise`, a customer isn't left with nobody."""
    switched.helpdesk.switchboard.reception = Reception(reception="nobody")
    await hand_over(switched)
    assert await switched.hand_offs() == [
        ("expired", "saas", "rule"),
        ("offered", "desk", "nobody_there"),
    ]


class TestAsTheDesk:
    """Our AI doesn't answer here: what is given to us waits for our people."""

    @pytest.fixture
    def with_ai(self) -> bool:
        """The vendor's own bot has it at first."""
        return False

    async def test_an_offer_to_us_is_claimed_worked_and_given_back(self, switched: Bridge, api: Any) -> None:
        """Offered with its context; claimed, control is taken; resolved, it is released."""
        said = switched.helpdesk.customer_says("cus_1", "Your bot knows nothing", name="Ann")
        context = {"summary": "wants a refund", "queue": "refunds", "priority": "high"}
        switched.helpdesk.move_control(said.conversation_id, "offer", **context)
        await switched.settled()
        (row,) = await switched.rows("SELECT ref, queue, priority, cause, package FROM hand_off")
        assert (row.queue, row.priority, row.cause) == ("refunds", "high", "offered")
        assert row.package["passed"]["summary"] == "wants a refund"
        assert passed(switched) == []

        assert (await act(api, row.ref, "claim")).is_success
        await act(api, row.ref, "reply", text="Hello, this is Mei.")
        await switched.settled()
        conversation = switched.helpdesk.state.conversation(said.conversation_id)
        assert conversation.active == "deskbridge"
        assert [m.text for m in switched.replies(said.conversation_id)] == ["Hello, this is Mei."]

        await act(api, row.ref, "resolve")
        await switched.settled()
        assert [move["act"] for move in passed(switched)] == ["accept", "release"]
        assert conversation.active is None
        assert [state for state, *_ in await switched.hand_offs()] == ["resolved"]

    async def test_what_is_passed_to_us_waits_at_once(self, switched: Bridge, api: Any) -> None:
        """Control is ours already: claiming takes nothing more; returning gives it back."""
        said = switched.helpdesk.customer_says("cus_1", "Your bot knows nothing", name="Ann")
        switched.helpdesk.move_control(said.conversation_id, "pass")
        await switched.settled()
        (row,) = await switched.rows("SELECT ref, cause FROM hand_off")
        assert row.cause == "passed"
        await act(api, row.ref, "claim", agent=MEI)
        await act(api, row.ref, "return")
        await switched.settled()
        assert [move["act"] for move in passed(switched)] == ["release"]
        assert [state for state, *_ in await switched.hand_offs()] == ["returned"]
        assert switched.replies(said.conversation_id) == [], "our AI doesn't answer here"
