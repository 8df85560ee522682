"""Zendesk messaging's switchboard and our hand-offs, over the whole path: as the bot, and as the desk."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from support.bridge import eventually
from support.desk import MEI, act
from support.policies import asking, written
from support.sunshine import SunshineBridge
from vendors.sunshine_app import ANSWER_BOT, OURS, WORKSPACE, Thread

from adapters.vendors.sunshine.switchboard import METADATA_LIMIT


@pytest.fixture
def with_ai() -> bool:
    """Whether our AI answers there: we are the bot then, else its desk."""
    return True


@pytest.fixture
def overrides(tmp_path: Path, offer: str, *, with_ai: bool) -> dict[str, Any]:
    """A policy that hands over by the vendor's switch."""
    policies = written(tmp_path, asking("saas", offer))
    return {"policies": policies, "messaging": {"ai": with_ai}}


@pytest.fixture
def bridge(sunshine_bridge: SunshineBridge, *, with_ai: bool) -> SunshineBridge:
    """The bridge; whoever is the bot has control at first."""
    sunshine_bridge.helpdesk.default = OURS if with_ai else ANSWER_BOT
    return sunshine_bridge


def moved(bridge: SunshineBridge) -> list[str]:
    """What was done with the switchboard, by anybody."""
    return [verb for verb, _ in bridge.helpdesk.moves]


async def nothing_parked(bridge: SunshineBridge) -> None:
    """Nothing of ours was refused, and no webhook of theirs answered in a way that loses it."""
    assert await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'") == []
    assert set(bridge.helpdesk.courier.statuses) == {202}
    assert bridge.helpdesk.courier.lost == []


async def asked(bridge: SunshineBridge, *words: str) -> Thread:
    """A customer asks for a person."""
    thread = None
    for each in (*words, "I want a person"):
        thread = bridge.helpdesk.customer_says(each, thread)
        await bridge.settled(30)
    assert thread is not None
    return thread


async def test_a_conversation_longer_than_the_metadata_loses_nothing(bridge: SunshineBridge) -> None:
    """4 KB hold the summary and an address; at that address lies every word."""
    long = [f"第{number}次：" + "包裹还没有到🙂" * 100 for number in range(4)]
    thread = await asked(bridge, *long)
    assert thread.active is WORKSPACE
    ((verb, metadata),) = bridge.helpdesk.moves
    assert verb == "passControl"
    assert len(msgspec.json.encode(metadata)) <= METADATA_LIMIT
    assert metadata["deskbridge_complete"] is False
    assert metadata["deskbridge_url"].startswith(bridge.url)
    (row,) = await bridge.rows("SELECT package FROM hand_off")
    transcript = msgspec.json.encode(row.package["transcript"]).decode()
    assert all(each in transcript for each in long)
    assert (await bridge.lease(thread))[0] == "saas_agent"
    await nothing_parked(bridge)


async def test_released_control_is_the_bots_again(bridge: SunshineBridge) -> None:
    """The agents' ticket closes; what the customer says next the AI answers, and once."""
    thread = await asked(bridge)
    bridge.helpdesk.agent_says(thread, "It is solved.")
    bridge.helpdesk.gives(thread, "releaseControl")
    await bridge.settled(30)
    assert (await bridge.lease(thread))[0] == "ai"
    before = len(bridge.helpdesk.said(thread))
    bridge.helpdesk.customer_says("How long does delivery take?", thread)
    await bridge.settled(30)
    assert len(bridge.helpdesk.said(thread)) == before + 1
    await nothing_parked(bridge)


class TestOffered:
    """The rule gives the agents a time."""

    @pytest.fixture
    def offer(self) -> str:
        """Back to the AI after a minute."""
        return ", accept_within: 1m, otherwise: {to: ai, say: handoff.asked}"

    async def test_an_offer_that_is_accepted_is_theirs(self, bridge: SunshineBridge) -> None:
        """Until then control stays with us; afterwards our AI is silent."""
        thread = await asked(bridge)
        assert (thread.active, thread.pending) == (OURS, WORKSPACE)
        bridge.helpdesk.gives(thread, "acceptControl")
        await bridge.settled(30)
        assert await bridge.hand_offs() == [("taken", "saas", "rule")]
        bridge.helpdesk.agent_says(thread, "Here I am.")
        said = len(bridge.helpdesk.said(thread))
        bridge.helpdesk.customer_says("How long does delivery take?", thread)
        await bridge.settled(30)
        assert len(bridge.helpdesk.said(thread)) == said
        assert moved(bridge) == ["offerControl", "acceptControl"]
        await nothing_parked(bridge)

    async def test_an_offer_that_nobody_accepts_is_taken_back(self, bridge: SunshineBridge) -> None:
        """When its time is over the AI has it again, at the vendor's switch, too."""
        thread = await asked(bridge)
        async with bridge.house.engine.begin() as connection:
            await connection.execute(text("UPDATE hand_off SET accept_by = now()"))

        async def returned() -> bool:
            return (await bridge.lease(thread))[0] == "ai"

        await eventually(returned, what="back with the AI")
        await bridge.settled(30)
        assert (thread.active, thread.pending) == (OURS, None)
        await nothing_parked(bridge)


class TestAsTheDesk:
    """Zendesk's own bot answers first; what it gives to us waits for our people."""

    @pytest.fixture
    def with_ai(self) -> bool:
        """Our AI doesn't answer there."""
        return False

    async def test_an_offer_is_claimed_worked_and_released(self, bridge: SunshineBridge, api: Any) -> None:
        """Offered with what the bot knows; claimed, it is accepted; resolved, it is released."""
        thread = bridge.helpdesk.customer_says("Your bot knows nothing")
        bridge.helpdesk.gives(thread, "offerControl", OURS, summary="wants a refund")
        await bridge.settled(30)
        (row,) = await bridge.rows("SELECT ref, cause, package FROM hand_off")
        assert row.cause == "offered"
        assert row.package["passed"]["summary"] == "wants a refund"
        assert thread.active is ANSWER_BOT, "nobody has claimed it yet"
        assert (await act(api, row.ref, "claim", agent=MEI)).is_success
        await act(api, row.ref, "reply", agent=MEI, text="Hello, this is Mei.")
        await bridge.settled(30)
        assert thread.active is OURS
        assert [each["content"]["text"] for each in bridge.helpdesk.said(thread)] == ["Hello, this is Mei."]
        await act(api, row.ref, "resolve", agent=MEI)
        await bridge.settled(30)
        assert moved(bridge) == ["offerControl", "acceptControl", "releaseControl"]
        assert thread.active is None
        assert [state for state, *_ in await bridge.hand_offs()] == ["resolved"]
        await nothing_parked(bridge)

    async def test_what_is_passed_to_us_and_returned_is_released(
        self, bridge: SunshineBridge, api: Any
    ) -> None:
        """Control is ours at once; returning gives it back, and our AI never speaks."""
        thread = bridge.helpdesk.customer_says("Your bot knows nothing")
        bridge.helpdesk.gives(thread, "passControl", OURS)
        await bridge.settled(30)
        (row,) = await bridge.rows("SELECT ref, cause FROM hand_off")
        assert row.cause == "passed"
        await act(api, row.ref, "claim", agent=MEI)
        await act(api, row.ref, "return", agent=MEI)
        await bridge.settled(30)
        assert moved(bridge) == ["passControl", "releaseControl"]
        assert bridge.helpdesk.said(thread) == []
        await nothing_parked(bridge)
