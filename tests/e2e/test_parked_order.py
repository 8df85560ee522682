"""What is parked steps aside; what is replayed comes once, at its old place, and undoes nothing later."""

import asyncio
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.desk import act as at_desk
from support.desk import hand_over
from support.parked import BrokenAdapter, act, listed, park_reply


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Whoever fails twice is given up."""
    return {"delivery": {"first_retry": 0.02, "attempts": 2}}


async def test_a_parked_reply_lets_the_next_one_by_and_is_replayed_before_those_that_still_wait(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The agent's first word is parked, the second is told; the first comes before the third."""
    hand_off = await hand_over(bridge)
    await at_desk(api, hand_off.ref, "claim")
    bridge.helpdesk.misbehave("error", method="POST", path="/messages", status=422)
    await at_desk(api, hand_off.ref, "reply", text="first")
    await bridge.settled()
    await at_desk(api, hand_off.ref, "reply", text="second")
    await bridge.settled()
    bridge.helpdesk.misbehave("rate_limit", method="POST", path="/messages", retry_after=1.0)
    await at_desk(api, hand_off.ref, "reply", text="third")
    (item,) = await listed(api)
    behind = (await api.get(f"/v1/parked/{item['id']}")).json()["behind"]
    assert behind["passed"] >= 1
    assert [each.partition(" ")[2] for each in behind["next"]] == ["reply"]
    await act(api, item["id"], "replay")
    await bridge.settled()
    texts = [m.text for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"]
    assert texts == ["second", "first", "third"]


async def test_a_parked_event_lets_the_next_ones_by_and_does_not_undo_them(
    bridge: Bridge, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message that could not be read is taken in later; the status stays the newer one."""
    said = bridge.helpdesk.customer_says("cus_1", "hello")
    await bridge.settled()
    broken = BrokenAdapter(bridge, monkeypatch)
    broken.fail_on('"status":"open"')
    bridge.helpdesk.set_status(said.conversation_id, "open")
    await bridge.settled()
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.settled()
    (row,) = await bridge.rows("SELECT status FROM conversation")
    assert row.status == "resolved"
    broken.mend()
    items = await listed(api, kind="event")
    assert items
    for item in items:
        await act(api, item["id"], "replay")
    await bridge.settled()
    (row,) = await bridge.rows("SELECT status FROM conversation")
    assert row.status == "resolved"
    assert await listed(api) == []


async def test_a_status_that_was_set_again_since_is_not_replayed_unless_forced(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Opening it late would undo the agent's resolving it."""
    bridge.helpdesk.misbehave("error", method="PATCH", path="/conversations", status=422)
    hand_off = await hand_over(bridge)
    await at_desk(api, hand_off.ref, "claim")
    await at_desk(api, hand_off.ref, "resolve")
    await bridge.settled()
    (item,) = await listed(api)
    assert item["about"] == "set_status"
    rehearsal = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert "would undo that" in rehearsal["objections"][0]
    assert rehearsal["effects"][0]["detail"]["body"]["status"] == "open"
    refused = await api.post(f"/v1/parked/{item['id']}/replay", json={})
    assert (refused.status_code, "force it" in refused.json()["detail"]) == (409, True)
    bulk = (await api.post("/v1/parked/replay", json={"kind": "command"})).json()
    assert (bulk["replayed"], len(bulk["left_out"])) == ([], 1)
    assert bridge.helpdesk.state.conversation(hand_off.conversation_id).status == "resolved"
    await act(api, item["id"], "replay", force=True)
    await bridge.settled()
    assert bridge.helpdesk.state.conversation(hand_off.conversation_id).status == "open"


async def test_the_ai_does_not_speak_late_where_a_person_has_taken_over(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """No force helps: its epoch is over."""
    said = await park_reply(bridge)
    bridge.helpdesk.agent_says(said.conversation_id, "I take this one.")
    await bridge.settled()
    (item,) = await listed(api)
    rehearsal = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert rehearsal["would"] == "do nothing"
    assert "the lease has moved on" in rehearsal["objections"][0]
    refused = await api.post(f"/v1/parked/{item['id']}/replay", json={"force": True})
    assert refused.status_code == 409
    assert [m.text for m in bridge.replies(said.conversation_id)] == ["I take this one."]


async def test_what_the_vendor_has_already_is_found_and_not_sent_again(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Given up after time-outs that had worked: the dry run names the message, the replay sends nothing."""
    bridge.helpdesk.misbehave("error", method="GET", path="/messages", status=503, times=1)
    said = await park_reply(bridge, fault="error_after", status=503, times=1)
    (item,) = await listed(api)
    assert item["reason"] == "gave_up"
    (there,) = bridge.replies(said.conversation_id)
    rehearsal = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert rehearsal["found"] == there.id
    await act(api, item["id"], "replay")
    await bridge.settled()
    (row,) = await bridge.rows("SELECT state, remote_id FROM command WHERE kind = 'reply'")
    assert tuple(row) == ("done", there.id)
    assert bridge.replies(said.conversation_id) == [there]
    full = (await api.get(f"/v1/parked/{item['id']}")).json()
    assert [a["outcome"] for a in full["attempts"]] == ["unknown", "gave_up", "found"]
    assert [a["act"] for a in full["history"]] == ["replayed"]


async def test_the_echo_of_a_reply_that_is_replayed_hours_later_is_recognised(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Sent, unconfirmed and heard back at once: it is ours, however long ago it was decided."""
    said = await park_reply(bridge)
    async with bridge.house.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE command SET created_at = created_at - interval '3 hours'")
    (item,) = await listed(api)
    bridge.helpdesk.misbehave("error_after", method="POST", path="/messages", status=503)
    await act(api, item["id"], "replay")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
    (row,) = await bridge.rows("SELECT lease_holder, lease_epoch FROM conversation")
    assert tuple(row) == ("ai", 1)
    (message,) = await bridge.rows("SELECT command_ref FROM message WHERE author = 'ai'")
    assert item["id"] == f"command-{message.command_ref}"


async def test_of_many_who_replay_at_once_one_does(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The others are told; the customer reads one message."""
    said = await park_reply(bridge)
    (item,) = await listed(api)
    answers = await asyncio.gather(*(api.post(f"/v1/parked/{item['id']}/replay", json={}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
    await eventually(lambda: bridge.replies(said.conversation_id), what="the reply")
    await bridge.settled()
    assert len(bridge.replies(said.conversation_id)) == 1
