"""What agents send from the built-in desk, over HTTP: it arrives byte by byte, once, and is not kept."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.desk import act, hand_over
from support.file_server import PNG

from adapters.model import MessagePosted
from config.clock import utc_now
from gateway.jobs import forget_files
from gateway.lanes import LaneWorker
from sync.store import outbox

LIMIT = 200_000


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Files come from loopback, where the helpdesk is in a test."""
    return {"attachments": {"allow_hosts": ["127.0.0.1"], "max_bytes": LIMIT, "most": 2}}


async def lay_down(
    api: httpx.AsyncClient, hand_off: Any, content: bytes = PNG, **about: Any
) -> httpx.Response:
    """Lay a file down for a reply."""
    kind, name, key = about.get("kind", "image/png"), about.get("name", "label.png"), about.get("key")
    headers = {"Content-Type": kind} | ({"Idempotency-Key": key} if key else {})
    return await api.post(
        f"/v1/desk/hand-offs/{hand_off.ref}/files", params={"name": name}, content=content, headers=headers
    )


async def claimed(bridge: Bridge, api: httpx.AsyncClient, **about: Any) -> Any:
    """A hand-off that Mei has."""
    hand_off = await hand_over(bridge, **about)
    assert (await act(api, hand_off.ref, "claim")).status_code == 200
    return hand_off


def arrived(bridge: Bridge) -> list[tuple[str, str, bytes]]:
    """The files of the last message at the helpdesk."""
    files = bridge.helpdesk.messages[-1].files
    return [(each.name, *bridge.helpdesk.state.files[each.id]) for each in files]


async def test_an_agent_sends_files_with_a_reply(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """They arrive byte by byte under harmless names, stand on the timeline as ours, and aren't kept."""
    hand_off = await claimed(bridge, api)
    label = (await lay_down(api, hand_off, name="..\\label")).json()
    assert (label["name"], label["content_type"], label["size"]) == ("label.png", "image/png", len(PNG))
    paper = (await lay_down(api, hand_off, b"%PDF-1.7 x", kind="application/pdf", name="p.pdf")).json()
    files = [paper["ref"], label["ref"]]
    answer = await act(api, hand_off.ref, "reply", text="Here they are.", files=files)
    assert answer.status_code == 200, answer.text
    await bridge.settled()
    said = bridge.replies(hand_off.conversation_id)[-1]
    assert (said.text, said.author, said.agent.name) == ("Here they are.", "agent", "Mei Lin")
    assert arrived(bridge) == [
        ("p.pdf", "application/pdf", b"%PDF-1.7 x"),
        ("label.png", "image/png", PNG),
    ]
    story = (await api.get(f"/v1/conversations/{hand_off.conversation_ref}/timeline")).json()["entries"]
    ours = next(e["message"] for e in story if e["type"] == "message" and e["message"]["text"] == said.text)
    assert (ours["author"], ours["person"]["name"]) == ("agent", "Mei Lin")
    assert [(f["name"], f["size"], f["openable"]) for f in ours["attachments"]] == [
        ("p.pdf", 10, True),
        ("label.png", len(PNG), True),
    ]
    got = await api.get(f"/v1/messages/{ours['ref']}/attachments/1")
    assert got.content == b"%PDF-1.7 x"
    (sent,) = [e["command"] for e in story if e["type"] == "command" and e["command"]["kind"] == "reply"][-1:]
    assert [f["name"] for f in sent["body"]["attachments"]] == ["p.pdf", "label.png"]


@pytest.mark.parametrize(
    ("content", "about", "status"),
    [
        (b"MZ\x90\0", {"name": "a.exe", "kind": "application/octet-stream"}, 415),
        (b"MZ\x90\0", {"name": "cute.png"}, 415),
        (b"<svg onload=alert(1)>", {"name": "a.svg", "kind": "image/svg+xml"}, 415),
        (b"x" * (LIMIT + 1), {"kind": "text/plain"}, 413),
        (b"", {}, 400),
        (PNG, {"name": ""}, 400),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    bridge: Bridge, api: httpx.AsyncClient, content: bytes, about: dict[str, str], status: int
) -> None:
    """A program, a page, too much, nothing."""
    hand_off = await claimed(bridge, api)
    answer = await lay_down(api, hand_off, content, **about)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert await bridge.rows("SELECT 1 FROM desk_file UNION ALL SELECT 1 FROM desk_file_part") == []


async def test_where_the_channel_takes_no_files_nothing_is_sent(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Under a post, where everybody can read along."""
    hand_off = await claimed(bridge, api, channel="comment")
    answer = await lay_down(api, hand_off)
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "no files are sent on this channel (comment)",
    )


async def test_a_file_goes_with_one_reply_of_its_hand_off(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Not twice, not elsewhere, not too many, and not when it was forgotten."""
    hand_off, other = await claimed(bridge, api), await claimed(bridge, api, customer="cus_2", name="Bo")
    ref = (await lay_down(api, hand_off)).json()["ref"]
    assert (await act(api, other.ref, "reply", text="Yours?", files=[ref])).status_code == 409
    assert (await act(api, hand_off.ref, "reply", text="Twice", files=[ref, ref])).status_code == 409
    assert (await act(api, hand_off.ref, "reply", text="Mine", files=[ref])).status_code == 200
    again = await act(api, hand_off.ref, "reply", text="Again", files=[ref])
    assert (again.status_code, "no such file" in again.json()["detail"]) == (409, True)
    for _ in range(4):
        assert (await lay_down(api, other)).status_code == 200
    assert (await lay_down(api, other)).status_code == 409
    many = await act(api, other.ref, "reply", text="Many", files=[1, 2, 3])
    assert (many.status_code, many.json()["detail"]) == (409, "at most 2 files go with one reply")
    assert (await api.post("/v1/desk/hand-offs/99/files?name=a.png", content=PNG)).status_code == 404


async def test_repeated_requests_do_nothing_twice(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Neither the file nor the reply that takes it."""
    hand_off = await claimed(bridge, api)
    first, second = [await lay_down(api, hand_off, key="f-1") for _ in range(2)]
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert (await lay_down(api, hand_off, PNG + b"x", key="f-1")).status_code == 422
    said = {"text": "Once", "files": [first.json()["ref"]], "key": "r-1"}
    for _ in range(2):
        assert (await act(api, hand_off.ref, "reply", **said)).status_code == 200
    await bridge.settled()
    assert [m.text for m in bridge.replies(hand_off.conversation_id)].count("Once") == 1


async def test_after_an_unknown_outcome_it_is_looked_for_and_there_once(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The helpdesk took it and the answer was lost; and one that failed is sent again, file and all."""
    hand_off = await claimed(bridge, api)
    for number, fault in enumerate(("reset_after", "error")):
        ref = (await lay_down(api, hand_off, PNG + bytes([number]))).json()["ref"]
        bridge.helpdesk.misbehave(fault, times=1, method="POST", path="/messages")
        await act(api, hand_off.ref, "reply", text=f"Try {number}", files=[ref])
        await bridge.settled()
        said = [m for m in bridge.replies(hand_off.conversation_id) if m.text == f"Try {number}"]
        assert len(said) == 1
        assert arrived(bridge) == [("label.png", "image/png", PNG + bytes([number]))]
    tries = await bridge.rows(
        "SELECT outcome FROM attempt a JOIN command c ON c.ref = a.command_ref"
        " WHERE c.body ->> 'text' LIKE 'Try%' ORDER BY a.ref"
    )
    assert [row.outcome for row in tries] == ["unknown", "found", "unknown", "delivered"]


async def forget(bridge: Bridge, later: str) -> int:
    """Let time pass, run the job, count what is left."""
    hours, minutes = map(int, later.split(":"))
    await forget_files(bridge.house.engine, lambda: utc_now() + timedelta(hours=hours, minutes=minutes))
    (row,) = await bridge.rows("SELECT count(DISTINCT file_ref) AS n FROM desk_file_part")
    (kept,) = await bridge.rows("SELECT count(*) AS n FROM desk_file")
    assert row.n == kept.n
    return int(kept.n)


async def test_nothing_is_kept_longer_than_needed(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Sent, dropped, never taken, or waiting for too long: it goes."""
    hand_off = await claimed(bridge, api)
    refs = [(await lay_down(api, hand_off)).json()["ref"] for _ in range(3)]
    await act(api, hand_off.ref, "reply", text="Sent", files=refs[:1])
    await bridge.settled()
    bridge.helpdesk.misbehave("error", status=422, times=1, method="POST", path="/messages")
    await act(api, hand_off.ref, "reply", text="Parked", files=refs[1:2])
    await eventually(lambda: bridge.rows("SELECT 1 FROM command WHERE state = 'parked'"), what="parked")
    assert await forget(bridge, "0:01") == 3
    assert await forget(bridge, "0:11") == 2
    assert await forget(bridge, "1:01") == 1
    (parked,) = await bridge.rows("SELECT ref FROM command WHERE state = 'parked'")
    done = await api.post(f"/v1/parked/command-{parked.ref}/drop", json={"why": "not needed"})
    assert done.status_code == 200, done.text
    assert await forget(bridge, "1:01") == 0


async def test_what_waited_too_long_is_parked_and_told(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Nothing that an agent sent is left out silently."""
    hand_off = await claimed(bridge, api)
    ref = (await lay_down(api, hand_off)).json()["ref"]
    bridge.helpdesk.misbehave("error", status=422, times=1, method="POST", path="/messages")
    await act(api, hand_off.ref, "reply", text="Parked", files=[ref])
    await eventually(lambda: bridge.rows("SELECT 1 FROM command WHERE state = 'parked'"), what="parked")
    assert await forget(bridge, f"{7 * 24 + 1}:00") == 0
    (parked,) = await bridge.rows("SELECT ref FROM command WHERE state = 'parked'")
    await api.post(f"/v1/parked/command-{parked.ref}/replay", json={"why": "again"})
    row = await eventually(
        lambda: bridge.rows(
            "SELECT reason FROM command WHERE state = 'parked' AND reason LIKE '%label.png%'"
        ),
        what="parked again",
    )
    assert "kept no longer" in row[0].reason
    assert all(m.text != "Parked" for m in bridge.replies(hand_off.conversation_id))


async def test_an_echo_beside_the_outcome_tells_where_the_file_is(
    bridge: Bridge, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane looked before our message was stored, and stores after it: what the vendor told is kept."""
    hand_off = await claimed(bridge, api)
    stored, looked = asyncio.Event(), asyncio.Event()
    load, settle = LaneWorker.load, outbox.settle

    async def slow_load(self: Any, connection: Any, changes: Any) -> Any:
        stage = await load(self, connection, changes)
        if any(isinstance(change, MessagePosted) and change.message.attachments for _, change in changes):
            looked.set()
            await asyncio.wait_for(stored.wait(), 5)
        return stage

    async def late_settle(connection: Any, finished: Any) -> None:
        await asyncio.wait_for(looked.wait(), 5)
        await settle(connection, finished)
        asyncio.get_running_loop().call_later(0.5, stored.set)

    ref = (await lay_down(api, hand_off)).json()["ref"]
    monkeypatch.setattr(LaneWorker, "load", slow_load)
    monkeypatch.setattr(outbox, "settle", late_settle)
    await act(api, hand_off.ref, "reply", text="Your label", files=[ref])
    await bridge.settled()
    assert stored.is_set()
    said = (await api.get(f"/v1/desk/hand-offs/{hand_off.ref}/messages")).json()["messages"][-1]
    assert (said["text"], said["attachments"][0]["openable"]) == ("Your label", True)
