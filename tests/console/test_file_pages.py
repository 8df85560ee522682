"""Files at the console's pages: listed, saved, sent; and what can't be is told in words."""

import re
from typing import Any

import httpx
import pytest
from support.bridge import Bridge
from support.desk import Visit, hand_over
from support.file_server import PNG, FileServer

from adapters.vendors.memory.records import File
from gateway.access import Scope


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Files come from loopback, where the helpdesk is in a test."""
    limits = {"allow_hosts": ["127.0.0.1"], "max_bytes": 100_000, "time_limit": 2, "most": 2}
    return {"attachments": limits}


async def photo(bridge: Bridge, server: FileServer, name: str = "<b>photo</b>.png") -> Any:
    """A conversation that waits for a person, with a customer's photo in it."""
    hand_off = await hand_over(bridge)
    file = File(id="f", name=name, content_type="image/png", size=len(PNG), url=f"{server.url}/photo")
    bridge.helpdesk.customer_says("cus_1", "Look", files=(file,))
    await bridge.settled()
    return hand_off


def link_in(html: str) -> str:
    """Where the page has its one file."""
    (found,) = re.findall(r'href="(/console/messages/\d+/attachments/1)"', html)
    return str(found)


async def test_both_pages_list_files_and_hand_them_out(
    bridge: Bridge, visit: Visit, file_server: FileServer
) -> None:
    """As text, with type and size; to be saved, never to be shown; and nobody learns where they lie."""
    hand_off = await photo(bridge, file_server)
    client = await visit()
    for page in (f"desk/{hand_off.ref}", f"conversations/{hand_off.conversation_ref}"):
        html = (await client.get(f"/console/{page}")).text
        assert "_b_photo" not in html.replace("_b_photo__b_.png", "")
        assert ("image/png" in html, "48 Bytes" in html, file_server.url in html) == (True, True, False)
        got = await client.get(link_in(html))
        assert (got.status_code, got.content) == (200, PNG)
        assert got.headers["content-disposition"].startswith("attachment; ")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"].endswith("sandbox")
    assert (await bridge.http.get(link_in(html))).status_code == 303


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        ({"status": 404}, 410, "We keep no copy"),
        ({"length": 100_001}, 413, "too large"),
        ({"body": b"MZ\x90"}, 415, "claims to be"),
        ({"status": 503}, 504, "try again"),
    ],
)
async def test_what_can_not_be_had_is_told_in_words(
    bridge: Bridge, visit: Visit, file_server: FileServer, *, fault: dict[str, Any], status: int, told: str
) -> None:
    """On a page."""
    hand_off = await photo(bridge, file_server)
    client = await visit()
    link = link_in((await client.get(f"/console/desk/{hand_off.ref}")).text)
    for name, value in fault.items():
        setattr(file_server, name, value)
    got = await client.get(link)
    assert (got.status_code, told in got.text) == (status, True), got.text


async def test_a_key_for_the_desk_alone_opens_what_was_handed_over(
    bridge: Bridge, visit: Visit, file_server: FileServer
) -> None:
    """A key for something else opens no file."""
    hand_off = await photo(bridge, file_server)
    helper, operator = await visit(Scope.DESK), await visit(Scope.OPERATE)
    link = link_in((await helper.get(f"/console/desk/{hand_off.ref}")).text)
    assert (await helper.get(link)).status_code == 200
    assert (await operator.get(link)).status_code == 404


async def claimed(bridge: Bridge, client: httpx.AsyncClient, **about: Any) -> Any:
    """A hand-off that is the visitor's, the path of its page, and what its form holds."""
    hand_off = await hand_over(bridge, **about)
    path = f"/console/desk/{hand_off.ref}"
    csrf = re.search(r'name="csrf" value="([^"]*)"', (await client.get(path)).text)
    assert csrf
    assert (await client.post(f"{path}/claim", data={"csrf": csrf[1]})).status_code == 303
    return hand_off, path, {"csrf": csrf[1], "once": "abc-reply", "text": "Here you are"}


def chosen(*files: tuple[str, bytes, str]) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Files as a form holds them."""
    return [("files", each) for each in files]


async def test_a_double_click_sends_files_once(bridge: Bridge, visit: Visit) -> None:
    """The same form sent twice is one message with its files; nothing stays behind."""
    client = await visit()
    hand_off, path, form = await claimed(bridge, client)
    files = chosen(("..\\a.png", PNG, "image/png"), ("n.txt", "你好".encode(), "text/plain"))
    for _ in range(2):
        answer = await client.post(f"{path}/reply", data=form, files=files)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?done=reply")
    await bridge.settled()
    (said,) = [m for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"]
    state = bridge.helpdesk.state
    assert [(f.name, state.files[f.id][1]) for f in said.files] == [
        ("a.png", PNG),
        ("n.txt", "你好".encode()),
    ]
    assert len(await bridge.rows("SELECT 1 FROM desk_file")) == 2
    page = (await client.get(path)).text
    assert len(re.findall(r'href="/console/messages/\d+/attachments/\d"', page)) == 2


@pytest.mark.parametrize(
    ("files", "status", "told"),
    [
        (chosen(("a.exe", b"MZ\x90\0", "application/octet-stream")), 415, "not passed on"),
        (chosen(("a.png", PNG + b"\0" * 100_000, "image/png")), 413, "too large"),
        (chosen(("a.png", b"", "image/png")), 400, "empty"),
        (chosen(*[("a.png", PNG, "image/png")] * 3), 413, "too many"),
    ],
)
async def test_a_file_that_does_not_fit_keeps_what_was_written(
    bridge: Bridge, visit: Visit, *, files: Any, status: int, told: str
) -> None:
    """And sends nothing."""
    client = await visit()
    hand_off, path, form = await claimed(bridge, client)
    answer = await client.post(f"{path}/reply", data=form, files=files)
    assert (answer.status_code, told in answer.text) == (status, True)
    assert "Here you are</textarea>" in answer.text
    assert await bridge.rows("SELECT 1 FROM desk_file") == []
    assert all(m.author != "agent" for m in bridge.replies(hand_off.conversation_id))


async def test_forged_and_endless_forms_are_refused(bridge: Bridge, visit: Visit) -> None:
    """Before anything large is read."""
    client = await visit()
    _, path, form = await claimed(bridge, client)
    files = chosen(("a.png", PNG, "image/png"))
    forged = await client.post(f"{path}/reply", data=form | {"csrf": "x"}, files=files)
    assert forged.status_code == 403
    huge = chosen(("a.png", PNG + b"\0" * 2_000_000, "image/png"))
    assert (await client.post(f"{path}/reply", data=form, files=huge)).status_code == 413


async def test_where_no_files_can_be_sent_the_page_says_so(bridge: Bridge, visit: Visit) -> None:
    """Under a post; who sends one anyway is refused."""
    client = await visit()
    _, path, form = await claimed(bridge, client, channel="comment")
    html = (await client.get(path)).text
    assert ('type="file"' in html, "No files can be sent here." in html) == (False, True)
    answer = await client.post(f"{path}/reply", data=form, files=chosen(("a.png", PNG, "image/png")))
    assert (answer.status_code, "No files can be sent here." in answer.text) == (409, True)
