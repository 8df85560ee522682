"""The desk through HTTP: an agent claims, replies, resolves or returns, and both sides follow."""

import asyncio

import httpx
import msgspec
import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually
from support.desk import OTTO, act, hand_over

from adapters.vendors.memory.records import Event


async def test_open_hand_offs_are_listed_with_who_wants_what(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The list tells who waits, since when, why and how urgently."""
    hand_off = await hand_over(bridge)
    (item,) = (await api.get("/v1/desk/hand-offs")).json()["items"]
    assert item["ref"] == hand_off.ref
    assert item["state"] == "offered"
    assert item["rule"] == "asked-for-a-person"
    assert item["customer_name"] == "Ann"
    assert item["queue"] == "general"
    assert (await api.get("/v1/desk/hand-offs?queue=vip")).json()["items"] == []
    assert (await api.get("/v1/desk/hand-offs?state=claimed")).json()["items"] == []


async def test_a_hand_off_comes_with_its_package(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Whoever takes over has the transcript and what was tried."""
    hand_off = await hand_over(bridge)
    package = (await api.get(f"/v1/desk/hand-offs/{hand_off.ref}")).json()["package"]
    assert package["schema"] == "deskbridge.hand_off/1"
    assert [line["text"] for line in package["transcript"]] == ["I want a person"]


async def test_claiming_gives_the_agent_the_lease(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """From the claim on, the agent is the one voice, and the timeline says why."""
    hand_off = await hand_over(bridge)
    answer = await act(api, hand_off.ref, "claim")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "claimed"
    assert answer.json()["agent"] == {"id": "mei", "name": "Mei Lin"}
    (row,) = await bridge.rows("SELECT lease_holder, lease_person FROM conversation")
    assert (row.lease_holder, row.lease_person["id"]) == ("desk_agent", "mei")
    (move,) = await bridge.rows("SELECT cause, event_ref FROM lease_change ORDER BY epoch DESC LIMIT 1")
    assert move.cause == "desk_claimed"
    (event,) = await bridge.rows("SELECT connection, state FROM inbox WHERE ref = :ref", ref=move.event_ref)
    assert tuple(event) == ("desk", "done")


async def test_a_claimed_hand_off_is_refused_to_others_and_nothing_stays_behind(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The second agent is told who was faster; the refused action leaves no trace."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    before = await bridge.rows("SELECT count(*) AS n FROM inbox")
    for action, more in (("claim", {}), ("reply", {"text": "hello"}), ("resolve", {}), ("return", {})):
        answer = await act(api, hand_off.ref, action, agent=OTTO, key=f"otto-{action}", **more)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "Mei Lin has claimed it"
    assert await bridge.rows("SELECT count(*) AS n FROM inbox") == before
    assert await bridge.rows("SELECT 1 FROM idempotent_request") == []


async def test_two_agents_who_claim_at_once_get_one_claim(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Of many simultaneous claims exactly one succeeds."""
    hand_off = await hand_over(bridge)
    answers = await asyncio.gather(
        *(act(api, hand_off.ref, "claim", agent={"id": f"agent-{n}"}) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]


async def test_a_reply_needs_a_claim(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Nobody speaks who hasn't taken the conversation."""
    hand_off = await hand_over(bridge)
    answer = await act(api, hand_off.ref, "reply", text="hello")
    assert (answer.status_code, answer.json()["detail"]) == (409, "claim it first")


async def test_a_reply_reaches_the_helpdesk_as_that_agent(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The customer reads it under the agent's name."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    assert (await act(api, hand_off.ref, "reply", text="Hello, this is Mei.")).status_code == 200
    await bridge.settled()
    said = bridge.replies(hand_off.conversation_id)[-1]
    assert (said.text, said.author, said.agent.name) == ("Hello, this is Mei.", "agent", "Mei Lin")


@pytest.mark.parametrize(
    ("action", "status", "state"), [("resolve", "resolved", "resolved"), ("return", "pending", "returned")]
)
async def test_resolving_and_returning_move_lease_and_status(
    bridge: Bridge, api: httpx.AsyncClient, action: str, status: str, state: str
) -> None:
    """Either way the AI has the lease again, and the helpdesk the new status."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    answer = await act(api, hand_off.ref, action)
    assert (answer.status_code, answer.json()["state"]) == (200, state)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT lease_holder, status FROM conversation")
    assert tuple(row) == ("ai", status)
    assert bridge.helpdesk.state.conversation(hand_off.conversation_id).status == status
    again = await act(api, hand_off.ref, action)
    assert (again.status_code, again.json()["detail"]) == (409, "this hand-off has ended")


async def test_a_repeated_reply_is_answered_the_same_and_sent_once(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Two sends with one Idempotency-Key, even at once, are one message."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    answers = await asyncio.gather(
        *(act(api, hand_off.ref, "reply", text="Once only.", key="r-1") for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [a.headers.get("idempotent-replayed") for a in answers].count("true") == 3
    await bridge.settled()
    assert [m.text for m in bridge.replies(hand_off.conversation_id)].count("Once only.") == 1


async def test_a_key_used_for_another_request_is_refused(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The same key with another body is a mistake of the caller."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    await act(api, hand_off.ref, "reply", text="first", key="r-1")
    answer = await act(api, hand_off.ref, "reply", text="second", key="r-1")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_that_was_refused_may_be_used_again(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """A refusal is not remembered: once the reason is gone, the same request works."""
    hand_off = await hand_over(bridge)
    assert (await act(api, hand_off.ref, "reply", text="hi", key="r-1")).status_code == 409
    await act(api, hand_off.ref, "claim")
    assert (await act(api, hand_off.ref, "reply", text="hi", key="r-1")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"agent": {"id": "mei"}},
        {"agent": {"id": "mei"}, "text": ""},
        {"agent": {"id": "mei"}, "text": "  \n "},
        {"agent": {"id": ""}, "text": "hi"},
        {"text": "hi"},
        {"agent": {"id": "mei"}, "text": "hi", "surprise": 1},
    ],
)
async def test_a_malformed_reply_is_refused(api: httpx.AsyncClient, body: dict[str, object]) -> None:
    """What can't be meant is told with the reason."""
    answer = await api.post("/v1/desk/hand-offs/1/reply", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_hand_off_is_not_found(api: httpx.AsyncClient) -> None:
    """So is one whose ref no database could hold."""
    assert (await act(api, 12345, "claim")).status_code == 404
    assert (await api.get("/v1/desk/hand-offs/12345")).status_code == 404
    assert (await api.get(f"/v1/desk/hand-offs/{2**70}")).status_code == 400


async def test_a_word_accepted_before_the_deed_counts_before_it(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Lin spoke at the helpdesk, and no worker has come to it yet: Mei can't give back what he has."""
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    where = bridge.helpdesk.state.conversation(hand_off.conversation_id)
    bridge.helpdesk.courier.subscription = None  # told by hand, so that no worker is woken
    said = bridge.helpdesk.agent_says(where.id, "Lin here.")
    spoken = Event(
        id="evt_by_hand",
        type="message_posted",
        by="agent",
        occurred_at=said.created_at,
        customer=bridge.helpdesk.state.customer(where.customer_id),
        conversation=where,
        message=said,
    )
    async with bridge.house.engine.begin() as connection:
        await connection.execute(
            text("""
            WITH event AS (
                INSERT INTO inbox (connection, key, lane, received_at)
                VALUES ('shop', 'evt_by_hand', :lane, now()) RETURNING ref, received_at)
            INSERT INTO payload (inbox_ref, received_at, body) SELECT ref, received_at, :body FROM event
            """),
            {"lane": f"shop/{where.id}", "body": msgspec.json.encode(spoken)},
        )
    answer = await act(api, hand_off.ref, "return")
    assert answer.status_code == 409, answer.text
    await eventually(
        lambda: bridge.rows("SELECT 1 FROM conversation WHERE lease_holder = 'saas_agent'"),
        what="Lin has it",
    )
