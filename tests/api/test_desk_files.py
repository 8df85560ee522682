"""Files at the built-in desk, over HTTP: what customers sent is opened, what agents send arrives."""

import asyncio
import tracemalloc
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.bridge import Bridge, eventually
from support.desk import NewKey, act, hand_over
from support.file_server import PNG, FileServer

from adapters.model import MessagePosted
from adapters.vendors.memory.records import File
from config.clock import utc_now
from gateway.access import Scope
from gateway.jobs import forget_files
from gateway.lanes import LaneWorker
from sync.store import outbox

LIMIT = 200_000


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Files come from loopback, where the helpdesk is in a test; by its number, not by its name."""
    limits = {"allow_hosts": ["127.0.0.1"], "max_bytes": LIMIT, "time_limit": 2, "most": 2}
    return {"attachments": limits}


async def sent(bridge: Bridge, server: FileServer, *, path: str = "/photo", **about: Any) -> Any:
    """A customer sends a file that lies there; the path under which the desk has it."""
    told = {"name": "photo.png", "content_type": "image/png", "size": len(PNG)} | about
    file = File(id="file_9", **{"url": f"{server.url}{path}"} | told)
    bridge.helpdesk.customer_says("cus_1", "It came broken", files=(file,))
    await bridge.settled()
    (row,) = await bridge.rows("SELECT max(ref) AS ref FROM message WHERE attachments <> '[]'")
    return f"/v1/messages/{row.ref}/attachments/1"


async def test_a_file_is_opened_though_its_address_has_expired(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """The message is asked for again, once; the second time, too, for what we hold stays as it was told."""
    base = bridge.settings.connections["shop"].settings["base_url"]
    photo = bridge.helpdesk.state.lay_down("photo.png", "image/png", PNG, base_url=base)
    bridge.helpdesk.customer_says("cus_1", "It came broken", files=(photo,))
    await bridge.settled()
    (row,) = await bridge.rows("SELECT ref FROM message WHERE attachments <> '[]'")
    path = f"/v1/messages/{row.ref}/attachments/1"
    for times in range(3):
        got = await api.get(path)
        assert (got.status_code, got.content) == (200, PNG)
        asked = [each for each in bridge.helpdesk.requests if "/messages/msg_" in each.path]
        assert len(asked) == times
        bridge.helpdesk.expire_files()
    bridge.helpdesk.misbehave("error", path="/messages/msg_", status=503)
    assert (await api.get(path)).status_code == 504
    bridge.helpdesk.delete_conversation(photo_of(bridge))
    assert (await api.get(path)).status_code == 502


def photo_of(bridge: Bridge) -> str:
    """The conversation of the message that has a file."""
    (message,) = (each for each in bridge.helpdesk.messages if each.files)
    return str(message.conversation_id)


async def test_a_customers_file_is_told_and_opened(
    bridge: Bridge, api: httpx.AsyncClient, file_server: FileServer
) -> None:
    """By name, type and size; the browser is told to save it, and never where the vendor has it."""
    hand_off = await hand_over(bridge)
    path = await sent(bridge, file_server, name="../фото 1\u202e.png")
    said = (await api.get(f"/v1/desk/hand-offs/{hand_off.ref}/messages")).json()["messages"][-1]
    file = {
        "number": 1,
        "name": "фото 1.png",
        "content_type": "image/png",
        "size": len(PNG),
        "openable": True,
    }
    assert said["attachments"] == [file]
    timeline = await api.get(f"/v1/conversations/{hand_off.conversation_ref}/timeline")
    assert file_server.url not in timeline.text
    got = await api.get(path)
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == (
        "attachment; filename=\"____ 1.png\"; filename*=UTF-8''%D1%84%D0%BE%D1%82%D0%BE%201.png"
    )
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["content-length"] == str(len(PNG))
    assert file_server.url not in str(got.headers)
    assert [each.get("authorization") for each in file_server.asked] == [None]


async def test_the_helpdesks_own_files_are_asked_for_with_its_credentials(
    bridge: Bridge, api: httpx.AsyncClient, file_server: FileServer
) -> None:
    """Which no reader sees."""
    await hand_over(bridge)
    own = bridge.helpdesk.state.lay_down(
        "a.pdf", "application/pdf", b"%PDF-1.7 x", base_url=bridge.helpdesk_url
    )
    path = await sent(bridge, file_server, url=own.url, name=own.name, content_type=own.content_type)
    got = await api.get(path)
    assert (got.status_code, got.content) == (200, b"%PDF-1.7 x")


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ({"status": 404}, 410, "answered 404"),
        ({"status": 410}, 410, "answered 410"),
        ({"status": 403}, 502, "answered 403"),
        ({"status": 500}, 504, "answered 500"),
        ({"length": LIMIT + 1}, 413, "larger than"),
        ({"length": LIMIT + 1, "tells_length": True}, 413, "larger than"),
        ({"body": b"<html><script>alert(1)</script>"}, 415, "not of a kind"),
        ({"body": b"\xef\xbb\xbf<html><script>", "kind": "text/plain"}, 415, "not of a kind"),
        ({"body": b"MZ\x90\0", "piece": 1}, 415, "not of a kind"),
        ({"kind": "text/html", "body": b"hello"}, 415, "not of a kind"),
        ({"body": b""}, 502, "empty"),
        ({"pause": 3.0}, 504, "just now"),
    ],
)  # fmt: skip
async def test_what_can_not_be_had_is_told_as_a_problem(
    bridge: Bridge,
    api: httpx.AsyncClient,
    file_server: FileServer,
    *,
    fault: dict[str, Any],
    status: int,
    detail: str,
) -> None:
    """Gone, refused, too large, of a wrong kind though it claims a right one, too slow."""
    await hand_over(bridge)
    path = await sent(bridge, file_server)
    for name, value in fault.items():
        setattr(file_server, name, value)
    got = await api.get(path)
    assert got.headers["content-type"] == "application/problem+json"
    assert (got.status_code, detail in got.json()["detail"]) == (status, True), got.text
    assert file_server.url not in got.text


@pytest.mark.parametrize("way", ["address", "redirect", "scheme"])
async def test_our_own_network_is_not_asked(
    bridge: Bridge, api: httpx.AsyncClient, file_server: FileServer, way: str
) -> None:
    """Neither by an address in a message nor by a redirect; the metadata of a cloud, a file of ours."""
    await hand_over(bridge)
    inner = file_server.url.replace("127.0.0.1", "localhost") + "/secret"
    file_server.location = inner
    url = {"address": inner, "redirect": f"{file_server.url}/elsewhere", "scheme": "file:///etc/passwd"}[way]
    got = await api.get(await sent(bridge, file_server, url=url))
    assert got.status_code == 502, got.text
    assert len(file_server.asked) == (way == "redirect")
    assert "localhost" not in got.text


@pytest.mark.parametrize(
    ("name", "kind", "body", "saved"),
    [
        ("a.exe", "application/pdf", b"%PDF-1.7", "a.exe.pdf"),
        ("..\\x", "image/png", PNG, "x.png"),
        ("invoice\u202egnp.exe", "image/png", PNG, "invoicegnp.exe.png"),
        ("run.bat", "text/plain", b"del *.*", "run.bat.txt"),
        ("con.txt", "text/plain", b"hello", "_con.txt"),
        ('a"; filename=b.exe', "image/png", PNG, "a_; filename=b.exe.png"),
    ],
)
async def test_a_name_tells_no_lies(
    bridge: Bridge,
    api: httpx.AsyncClient,
    file_server: FileServer,
    *,
    name: str,
    kind: str,
    body: bytes,
    saved: str,
) -> None:
    """It ends as what it is, so that nothing is carried out that claims to be a picture."""
    await hand_over(bridge)
    path = await sent(bridge, file_server, name=name, content_type=kind)
    file_server.body, file_server.kind = body, kind
    got = await api.get(path)
    assert got.status_code == 200, got.text
    assert f'attachment; filename="{saved}"; ' in got.headers["content-disposition"]


async def test_files_have_the_scopes_of_their_conversation(
    bridge: Bridge, file_server: FileServer, new_key: NewKey
) -> None:
    """Reading opens all; the desk's scope alone what was handed to people; nobody else anything."""
    path = await sent(bridge, file_server)

    async def tried(*scopes: Scope) -> int:
        headers = {"Authorization": f"Bearer {await new_key(*scopes)}"}
        return (await bridge.http.get(path, headers=headers)).status_code

    assert (await bridge.http.get(path)).status_code == 401
    assert await tried(Scope.OPERATE) == 403
    assert await tried(Scope.DESK) == 404
    assert await tried(Scope.READ) == 200
    await hand_over(bridge)
    assert await tried(Scope.DESK) == 200
    for other in ("/v1/messages/99/attachments/1", path.replace("/attachments/1", "/attachments/2")):
        headers = {"Authorization": f"Bearer {await new_key(Scope.READ)}"}
        assert (await bridge.http.get(other, headers=headers)).status_code == 404


class TestLarge:
    """A film goes through us, and is never held."""

    SIZE = 48 * 1024 * 1024

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        """Room for it."""
        return {"attachments": {"allow_hosts": ["127.0.0.1"], "max_bytes": self.SIZE}}

    async def test_memory_stays_as_it_is(
        self, bridge: Bridge, api: httpx.AsyncClient, file_server: FileServer
    ) -> None:
        """Down and up."""
        hand_off = await hand_over(bridge)
        path = await sent(bridge, file_server, content_type="video/mp4", name="film.mp4")
        file_server.body, file_server.kind = b"\0\0\0\x18ftypmp42", "video/mp4"
        file_server.length = self.SIZE
        tracemalloc.start()
        try:
            async with api.stream("GET", path) as answer:
                assert answer.status_code == 200
                got = 0
                async for part in answer.aiter_raw():
                    got += len(part)
            down = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            kept = await api.post(
                f"/v1/desk/hand-offs/{hand_off.ref}/files?name=film.mp4", content=self._film(), timeout=60
            )
            up = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert got == self.SIZE
        assert (kept.status_code, kept.json()["size"]) == (200, self.SIZE)
        assert max(down, up) < 12 * 1024 * 1024, (down, up)

    async def _film(self) -> Any:
        yield b"\0\0\0\x18ftypmp42"
        left = self.SIZE - 12
        while left:
            part = b"\0" * min(left, 64 * 1024)
            left -= len(part)
            yield part


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
