"""What was parked, through the API: looked at, tried out, replayed, dropped."""

from functools import partial
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.desk import NewKey
from support.parked import TORN, BrokenAdapter, act, deliver, listed, park_reply

from gateway.access import Scope
from sync.parking import POISON_AFTER


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Patience for two tries, so that giving up is soon."""
    return {"delivery": {"first_retry": 0.02, "attempts": 2}}


@pytest.fixture
def broken(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> BrokenAdapter:
    """An adapter that can't read what the vendor sends, until it is mended."""
    return BrokenAdapter(bridge, monkeypatch)


async def test_events_and_commands_are_one_list_with_one_kind_of_id(
    bridge: Bridge, api: httpx.AsyncClient, broken: BrokenAdapter
) -> None:
    """The longest parked first; filters by kind, connection, reason and age; pages that meet each once."""
    broken.fail_on("nobody can read this")
    assert (await deliver(bridge, TORN)).status_code == 400
    bridge.helpdesk.customer_says("cus_2", "nobody can read this")
    await bridge.settled()
    await park_reply(bridge)
    items = await listed(api)
    assert [item["reason"] for item in items] == ["malformed", "unreadable", "rejected"]
    assert [item["id"].partition("-")[0] for item in items] == ["event", "event", "command"]
    assert [item["about"] for item in items][2] == "reply"
    assert [i["reason"] for i in await listed(api, kind="command")] == ["rejected"]
    assert [i["reason"] for i in await listed(api, reason="unreadable")] == ["unreadable"]
    assert await listed(api, connection="other") == []
    assert await listed(api, older_than=3600) == []
    seen, path = [], "/v1/parked?limit=1"
    while path:
        page = (await api.get(path)).json()
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert seen == [item["id"] for item in items]


async def test_one_is_shown_with_what_it_means_and_what_was_tried(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Reason, cure, key, every attempt with the vendor's status, and the body."""
    said = await park_reply(bridge, fault="error", status=503, times=2)
    (item,) = await listed(api)
    full = (await api.get(f"/v1/parked/{item['id']}")).json()
    assert full["parked"]["reason"] == "gave_up"
    assert "vendor works again" in full["cure"]
    assert [(a["number"], a["outcome"], a["status"]) for a in full["attempts"]] == [
        (1, "unknown", 503),
        (2, "gave_up", 503),
    ]
    assert full["body"]["conversation_id"] == said.conversation_id
    assert full["key"] == full["body"]["key"]


async def test_secrets_are_never_shown_and_personal_data_only_to_those_who_may_read(
    bridge: Bridge, api: httpx.AsyncClient, new_key: NewKey, broken: BrokenAdapter
) -> None:
    """The scope operate alone sees the shape of a body, not what people said in it."""
    broken.fail_on("13800138000")
    bridge.helpdesk.customer_says("cus_1", "Call me at 13800138000", name="Ann Lee", email="ann@example.com")
    await bridge.settled()
    await deliver(bridge, TORN)
    operator = {"Authorization": f"Bearer {await new_key(Scope.OPERATE)}"}
    reader = {"Authorization": f"Bearer {await new_key(Scope.OPERATE, Scope.READ)}"}
    for item in await listed(api):
        hidden = await api.get(f"/v1/parked/{item['id']}", headers=operator)
        shown = await api.get(f"/v1/parked/{item['id']}", headers=reader)
        assert hidden.status_code == shown.status_code == 200
        assert not any(word in hidden.text for word in ("Ann", "ann@", "13800138000", "hush"))
        assert "hush" not in shown.text
    (event, *_) = await listed(api, reason="unreadable")
    texts = [(await api.get(f"/v1/parked/{event['id']}", headers=h)).json() for h in (operator, reader)]
    assert texts[0]["body"]["conversation"]["id"] == texts[1]["body"]["conversation"]["id"]
    assert "Ann Lee" in str(texts[1]["body"])
    assert "scope read" in texts[0]["note"]


async def test_parked_needs_its_own_scope(bridge: Bridge, new_key: NewKey) -> None:
    """Reading conversations or working at the desk opens none of it."""
    for scope in (Scope.READ, Scope.DESK):
        headers = {"Authorization": f"Bearer {await new_key(scope)}"}
        for method, path in (
            ("GET", ""),
            ("GET", "/event-1"),
            ("POST", "/event-1/drop"),
            ("POST", "/replay"),
        ):
            answer = await bridge.http.request(method, f"/v1/parked{path}", headers=headers)
            assert answer.status_code == 403, path
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_dry_run_tells_what_a_replay_would_do_and_does_nothing(
    bridge: Bridge, api: httpx.AsyncClient, broken: BrokenAdapter
) -> None:
    """Still broken: parked again. Mended: the message, the lease; as live also the question to the AI."""
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    (item,) = await listed(api)
    again = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert "be parked again" in again["would"]
    broken.mend()
    history = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert "message_stored" in {e["what"] for e in history["effects"]}
    assert not {"turn_opened", "command"} & {e["what"] for e in history["effects"]}
    live = (await act(api, item["id"], "replay", dry_run=True, **{"as": "live"}))["rehearsal"]
    told = {e["what"]: e for e in live["effects"]}
    assert {"turn_opened", "command"} <= set(told)
    assert told["command"]["detail"]["connection"] == "ai"
    for table in ("message", "command", "turn", "parking_act"):
        assert await bridge.rows(f"SELECT 1 FROM {table}") == [], table
    assert await listed(api) == [item]


async def test_a_replayed_event_is_history_and_a_live_one_acts(
    bridge: Bridge, api: httpx.AsyncClient, broken: BrokenAdapter
) -> None:
    """By default it is taken in and nothing acts on it; `live`, named explicitly, answers the customer."""
    for customer in ("cus_1", "cus_2"):
        bridge.helpdesk.customer_says(customer, "How long does delivery take?")
    await bridge.settled()
    first, second = await listed(api)
    broken.mend()
    assert (await act(api, first["id"], "replay"))["parked"]["state"] in {"pending", "done"}
    await bridge.settled()
    assert [tuple(r) for r in await bridge.rows("SELECT origin FROM message")] == [("replay",)]
    assert await bridge.rows("SELECT 1 FROM command") == []
    await act(api, second["id"], "replay", **{"as": "live"})
    await eventually(lambda: [m for m in bridge.helpdesk.messages if m.author == "bot"], what="an answer")
    await bridge.settled()
    assert len(await bridge.rows("SELECT 1 FROM message WHERE author = 'ai'")) == 1
    assert await listed(api) == []


async def test_a_replay_is_done_once_however_often_it_is_asked_for(
    bridge: Bridge, api: httpx.AsyncClient, broken: BrokenAdapter
) -> None:
    """The same Idempotency-Key is answered the same; another one is told that it is not parked any more."""
    bridge.helpdesk.customer_says("cus_1", "hello")
    await bridge.settled()
    (item,) = await listed(api)
    broken.mend()
    first = await act(api, item["id"], "replay", key="again")
    await bridge.settled()
    assert await act(api, item["id"], "replay", key="again") == first
    refused = await api.post(f"/v1/parked/{item['id']}/replay", json={})
    assert (refused.status_code, refused.json()["detail"]) == (409, "it is not parked but done")
    assert len(await bridge.rows("SELECT 1 FROM parking_act")) == 1
    assert len(await bridge.rows("SELECT 1 FROM message WHERE author = 'customer'")) == 1


async def test_a_malformed_body_is_read_again_by_a_better_adapter(
    bridge: Bridge, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes the event that it always was, in its conversation's lane, under the vendor's key."""
    adapter: Any = bridge.house.adapters["shop"]
    sound = adapter.receive

    def strict(webhook: Any, payload: Any) -> Any:
        if payload["type"] == "message_posted":
            return sound(webhook, {"unknown": "format"})
        return sound(webhook, payload)

    monkeypatch.setattr(adapter, "receive", strict)
    said = bridge.helpdesk.customer_says("cus_1", "hello")
    await bridge.helpdesk.drain()
    (item,) = await listed(api)
    assert item["reason"] == "malformed"
    would = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]["would"]
    assert would.startswith("stay malformed")
    still = await api.post(f"/v1/parked/{item['id']}/replay", json={})
    assert (still.status_code, "still can't be read" in still.text) == (409, True)
    monkeypatch.setattr(adapter, "receive", sound)
    effects = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]["effects"]
    assert "message_stored" in [effect["what"] for effect in effects]
    await act(api, item["id"], "replay")
    await bridge.settled()
    assert len(await bridge.rows("SELECT 1 FROM message")) == 1
    (refused,) = await bridge.rows("SELECT state, origin FROM inbox WHERE lane = 'shop/malformed'")
    (reread,) = await bridge.rows("SELECT state, lane FROM inbox WHERE origin = 'replay'")
    assert tuple(refused) == ("done", "live")
    assert (reread.state, reread.lane) == ("done", f"shop/{said.conversation_id}")
    assert await listed(api) == []


async def test_a_dropped_command_is_told_on_the_timeline(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Who, when and why are kept; nothing is sent, and it can't be dropped twice."""
    said = await park_reply(bridge)
    (item,) = await listed(api)
    for bad in ({}, {"why": ""}, {"why": "   "}):
        assert (await api.post(f"/v1/parked/{item['id']}/drop", json=bad)).status_code == 400
    done = await act(api, item["id"], "drop", why="told on the phone")
    assert done["parked"]["state"] == "dropped"
    entries = (await api.get(f"/v1/conversations/{item['conversation_ref']}/timeline")).json()["entries"]
    (command,) = [
        e["command"] for e in entries if e["type"] == "command" and e["command"]["state"] == "dropped"
    ]
    assert command["reason"] == "dropped by tests: told on the phone"
    full = (await api.get(f"/v1/parked/{item['id']}")).json()
    (kept,) = full["history"]
    assert (kept["act"], kept["by"], kept["why"]) == ("dropped", "tests", "told on the phone")
    assert kept["failed_as"] == "rejected"
    assert "422" in kept["failed_detail"]
    assert (await api.post(f"/v1/parked/{item['id']}/drop", json={"why": "again"})).status_code == 409
    assert bridge.replies(said.conversation_id) == []


async def test_poison_is_named_and_left_out_of_bulk_unless_forced(
    bridge: Bridge, api: httpx.AsyncClient, broken: BrokenAdapter
) -> None:
    """What came back parked from three replays is not replayed with the others a fourth time."""
    bridge.helpdesk.customer_says("cus_1", "hello")
    await bridge.settled()
    (item,) = await listed(api)
    for _ in range(POISON_AFTER):
        await act(api, item["id"], "replay")
        await bridge.settled()
    (item,) = await listed(api)
    assert (item["replays"], item["poison"]) == (POISON_AFTER, True)
    full = (await api.get(f"/v1/parked/{item['id']}")).json()
    assert [act["failed_as"] for act in full["history"]] == ["unreadable"] * POISON_AFTER
    bulk = (await api.post("/v1/parked/replay", json={"reason": "unreadable"})).json()
    assert bulk["replayed"] == []
    assert "poison" in bulk["left_out"][0]["why"]
    broken.mend()
    bulk = (await api.post("/v1/parked/replay", json={"reason": "unreadable", "force": True})).json()
    assert bulk["replayed"] == [item["id"]]
    await bridge.settled()
    assert await listed(api) == []


async def test_bulk_replays_what_fits_in_batches_and_no_faster_than_asked(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Commands of a batch become due one after the other, so that the vendor isn't flooded."""
    for number in range(4):
        await park_reply(bridge, f"cus_{number}")
    items = await listed(api)
    asked = {"reason": "rejected", "limit": 3, "per_second": 20}
    preview = (await api.post("/v1/parked/replay", params={"dry_run": True}, json=asked)).json()
    assert preview["replayed"] == [item["id"] for item in items[:3]]
    assert await listed(api) == items
    first = (await api.post("/v1/parked/replay", json=asked)).json()
    due = await bridge.rows(
        "SELECT ready_at FROM command WHERE kind = 'reply' ORDER BY done_at NULLS LAST, ref"
    )
    assert first["replayed"] == preview["replayed"]
    second = (await api.post("/v1/parked/replay", json=asked | {"cursor": first["next"]})).json()
    assert (second["replayed"], second["next"]) == ([items[3]["id"]], None)
    await bridge.settled()
    assert [len(bridge.replies(row.id)) for row in await bridge.rows("SELECT id FROM conversation")] == [
        1
    ] * 4
    moments = sorted(row.ready_at for row in due)
    assert (moments[-1] - moments[-3]).total_seconds() == pytest.approx(0.1, abs=0.001)


async def test_what_is_parked_is_counted_by_reason_with_its_age(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """For alerts; a reason without any is 0."""
    await park_reply(bridge)
    text = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_parked{reason="rejected"} 1.0' in text
    assert 'deskbridge_parked{reason="malformed"} 0.0' in text
    age = float(text.split('deskbridge_parked_oldest_seconds{reason="rejected"} ')[1].split("\n")[0])
    assert 0 < age < 60
    (item,) = await listed(api)
    await act(api, item["id"], "drop", why="not needed")
    text = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_parked{reason="rejected"} 0.0' in text
    assert 'deskbridge_parked_oldest_seconds{reason="rejected"} 0.0' in text


@pytest.mark.parametrize(
    "item", ["event-0", "event-999999", "command-1", "hand_off-1", "event-1x", "event-" + "9" * 30]
)
async def test_an_id_that_names_nothing_is_not_found(api: httpx.AsyncClient, item: str) -> None:
    """And says how ids look, or that there is none."""
    for answer in (
        await api.get(f"/v1/parked/{item}"),
        await api.post(f"/v1/parked/{item}/replay", json={}),
        await api.post(f"/v1/parked/{item}/drop", json={"why": "gone"}),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_made_up_cursor_or_filter_is_refused(api: httpx.AsyncClient) -> None:
    """400, as everywhere."""
    for query in (
        {"cursor": "x"},
        {"cursor": "WzFd"},
        {"reason": "tired"},
        {"kind": "hand_off"},
        {"older_than": -1},
    ):
        assert (await api.get("/v1/parked", params=query)).status_code == 400, query
    assert (await api.post("/v1/parked/replay", json={"as": "backfill"})).status_code == 400
    assert (await api.post("/v1/parked/replay", json={"cursor": "x"})).status_code == 400


async def test_what_the_database_refuses_is_parked_without_quoting_the_customer(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """A character that no text column takes holds up nobody; no error tells what was said."""
    said = bridge.helpdesk.customer_says("cus_1", "my secret wish\x00 is a refund")
    other = bridge.helpdesk.customer_says("cus_2", "How long does delivery take?")
    for conversation in (other.conversation_id, said.conversation_id):
        await eventually(partial(bridge.replies, conversation), what="an answer")
        bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    (item,) = await listed(api)
    assert item["reason"] == "database_error"
    assert "secret wish" not in item["detail"]
    rehearsal = (await act(api, item["id"], "replay", dry_run=True))["rehearsal"]
    assert rehearsal["would"].startswith("be parked again: the database refuses it")
    assert "secret wish" not in rehearsal["would"]
