"""What customers sent, opened at the built-in desk, over HTTP: fetched while one waits, never held."""

import tracemalloc
from typing import Any

import httpx
import pytest
from support.bridge import Bridge
from support.desk import NewKey, hand_over
from support.file_server import PNG, FileServer

from adapters.vendors.memory.records import File
from gateway.access import Scope

LIMIT = 200_000


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Files come from loopback, where the helpdesk is in a test; by its number, not by its name."""
    return {"attachments": {"allow_hosts": ["127.0.0.1"], "max_bytes": LIMIT, "time_limit": 2}}


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
