"""A hand-off that nobody claims in time goes on, and one that comes back goes where it is known."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually
from support.desk import MEI, OTTO, act
from support.policies import written

from config.settings import PACKAGED

POLICY = """
policy: offers
rules:
  - name: asked
    when: turn.asked_for_person
    then:
      - hand_off:
          to: desk
          queue: first
          say: handoff.asked
          accept_within: 1s
          otherwise:
            to: desk
            queue: second
            priority: urgent
            say: second
            accept_within: 1s
            otherwise: {to: ai, say: nobody}
messages:
  handoff.asked: {zh: 好的, en: A colleague will be with you.}
  second: {zh: 请稍等, en: Still looking for somebody.}
  nobody: {zh: 没有人, en: Nobody is free; let me try again.}
"""


@pytest.fixture
def policy() -> str | None:
    """A policy of the test's own, instead of the packaged one."""
    return None


@pytest.fixture
def overrides(policy: str | None, tmp_path: Path) -> dict[str, Any]:
    """Its directory."""
    if policy is None:
        return {"policies": PACKAGED / "policies"}
    return {"policies": written(tmp_path, policy), "voice": {"most_returns": 1}}


async def offers(bridge: Bridge) -> list[Any]:
    """All hand-offs, oldest first."""
    return await bridge.rows("SELECT * FROM hand_off ORDER BY ref")


async def leases(bridge: Bridge) -> list[tuple[str, str]]:
    """Who held the lease, and why."""
    rows = await bridge.rows("SELECT holder, cause FROM lease_change ORDER BY epoch")
    return [(row.holder, row.cause) for row in rows]


@pytest.mark.parametrize("policy", [POLICY])
async def test_an_offer_that_nobody_claims_goes_on_to_the_next_queue_and_back_to_the_ai(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Each step is told to the customer, is a row of its own, and names its rule and its cause."""
    said = bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")

    async def returned() -> bool:
        return (await leases(bridge))[-1:] == [("ai", "nobody_came")]

    await eventually(returned, what="the AI has it again")
    await bridge.settled()
    assert [reply.text for reply in bridge.replies(said.conversation_id)] == [
        "A colleague will be with you.",
        "Still looking for somebody.",
        "Nobody is free; let me try again.",
    ]
    first, second = await offers(bridge)
    assert (first.state, first.queue, first.cause) == ("expired", "first", "rule")
    assert (second.state, second.queue, second.cause) == ("expired", "second", "not_claimed")
    assert (second.priority, second.follows, second.rule) == ("urgent", first.ref, "asked")
    assert second.package["rule"] == first.package["rule"]
    assert second.package["goal"] == first.package["goal"]
    assert bridge.helpdesk.state.conversation(said.conversation_id).status == "pending"
    (spoken,) = await bridge.rows("SELECT DISTINCT decision_ref FROM command WHERE kind = 'reply'")
    assert spoken.decision_ref == first.decision_ref
    page = (await api.get("/v1/desk/hand-offs", params={"state": "expired"})).json()
    assert [item["cause"] for item in page["items"]] == ["rule", "not_claimed"]
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert bridge.replies(said.conversation_id)[-1].author == "bot"
    metrics = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_hand_offs_expired_total{rule="asked"} 2.0' in metrics
    assert "deskbridge_oldest_offer_seconds 0.0" in metrics


@pytest.mark.parametrize("policy", [POLICY])
async def test_an_offer_that_is_claimed_in_time_stays_claimed(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The clock stops with the claim."""
    bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await eventually(lambda: offers(bridge), what="an offer")
    (offer,) = await offers(bridge)
    assert (await act(api, offer.ref, "claim")).status_code == 200
    await asyncio.sleep(2.5)
    (offer,) = await offers(bridge)
    assert (offer.state, offer.agent) == ("claimed", MEI)


async def test_an_offer_with_nowhere_to_go_waits_and_can_be_alerted_on(bridge: Bridge) -> None:
    """Without `otherwise` it stays offered; its age is a metric."""
    bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE conversation SET lease_since = now() - interval '1 hour'"))
    lines = (await bridge.http.get("/metrics")).text.splitlines()
    (age,) = (line.split()[1] for line in lines if line.startswith("deskbridge_oldest_offer_seconds "))
    assert 3600 <= float(age) < 3700
    (offer,) = await offers(bridge)
    assert offer.state == "offered"


async def test_a_return_remembers_what_was_said_with_the_person(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The AI's next question carries their words; what failed before them counts no more."""
    said = bridge.helpdesk.customer_says("cus_1", "Do you sell submarines?", name="Ann")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "I want a person")
    await bridge.settled()
    (offer,) = await offers(bridge)
    await act(api, offer.ref, "claim")
    await act(api, offer.ref, "reply", text="We only sell kettles.")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "A kettle, then.")
    await bridge.settled()
    assert (await act(api, offer.ref, "return")).status_code == 200
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    (question,) = await bridge.rows(
        "SELECT body FROM command WHERE kind = 'answer' ORDER BY ref DESC LIMIT 1"
    )
    assert question.body["earlier"] == ["We only sell kettles.", "A kettle, then."]
    assert bridge.replies(said.conversation_id)[-1].author == "bot"
    assert len(await offers(bridge)) == 1


async def test_what_failed_before_the_person_is_not_held_against_the_ai(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Two failed turns, a person, and then success: no rule counts the two."""
    for question in ("Do you sell submarines?", "What is the airspeed of a swallow?", "I want a person"):
        bridge.helpdesk.customer_says("cus_1", question)
        await bridge.settled()
    (offer,) = await offers(bridge)
    await act(api, offer.ref, "claim")
    await act(api, offer.ref, "return")
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    assert len(await offers(bridge)) == 1
    assert (await leases(bridge))[-1] == ("ai", "returned")


async def test_one_failed_turn_after_a_return_goes_back_to_the_same_people(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """No second and third try: to their queue, and meant for the agent who had it; anyone may claim it."""
    bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE hand_off SET queue = 'kettles'"))
    (offer,) = await offers(bridge)
    await act(api, offer.ref, "claim")
    await act(api, offer.ref, "return")
    bridge.helpdesk.customer_says("cus_1", "Do you sell submarines?")
    await bridge.settled()
    _, again = await offers(bridge)
    assert (again.rule, again.queue, again.meant_for) == ("failed-after-return", "kettles", MEI)
    (item,) = (await api.get("/v1/desk/hand-offs")).json()["items"]
    assert item["meant_for"] == MEI
    assert (await act(api, again.ref, "claim", agent=OTTO)).status_code == 200


async def test_the_ai_and_people_do_not_pass_a_customer_back_and_forth_for_ever(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """After `voice.most_returns` returns it stays with people; resolving begins anew."""
    failing = "Do you sell submarines?"
    said = bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await bridge.settled()
    for _ in range(bridge.settings.voice.most_returns):
        latest = (await offers(bridge))[-1]
        await act(api, latest.ref, "claim")
        assert (await act(api, latest.ref, "return")).status_code == 200
        bridge.helpdesk.customer_says("cus_1", failing)
        await bridge.settled()
    latest = (await offers(bridge))[-1]
    await act(api, latest.ref, "claim")
    refused = await act(api, latest.ref, "return")
    assert refused.status_code == 409
    assert "3 times" in refused.json()["detail"]
    assert (await act(api, latest.ref, "resolve")).status_code == 200
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", failing, conversation_id=said.conversation_id)
    await bridge.settled()
    assert (await leases(bridge))[-1] == ("ai", "resolved")
    assert len(await offers(bridge)) == 1 + bridge.settings.voice.most_returns


PING_PONG = """
policy: offers
rules:
  - name: always
    when: turn.number > 0
    then: [{hand_off: {to: desk, accept_within: 1s, otherwise: {to: ai}}}]
"""


@pytest.mark.parametrize("policy", [PING_PONG])
async def test_an_empty_desk_and_a_failing_ai_end_up_with_people(bridge: Bridge) -> None:
    """Every turn hands off and nobody ever comes: after so many rounds the offer waits for a person."""
    rounds = bridge.settings.voice.most_returns
    for number in range(rounds):
        bridge.helpdesk.customer_says("cus_1", f"Do you sell submarines? {number}")

        async def back(number: int = number) -> bool:
            return (await leases(bridge)).count(("ai", "nobody_came")) == number + 1

        await eventually(back, what=f"round {number}")
        await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "And now?")

    async def stays() -> bool:
        latest = (await offers(bridge))[-1]
        return (latest.state, latest.cause, latest.accept_by) == ("offered", "too_many_returns", None)

    await eventually(stays, what="an offer that waits")
    assert (await leases(bridge)).count(("ai", "nobody_came")) == rounds
