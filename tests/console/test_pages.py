"""The console over HTTP: who gets in, what pages say, and that forms can't be forged."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.bridge import Bridge
from support.desk import NewKey, Visit, act, hand_over

from adapters.model import Person
from config.clock import utc_now
from gateway import access, store
from gateway.access import Scope

QUESTION = "How long does delivery take?"


def _hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, name
    return found[1]


def _pages_of(hand_off: Any) -> tuple[str, ...]:
    return (
        "/console",
        f"/console/desk/{hand_off.ref}",
        f"/console/conversations/{hand_off.conversation_ref}",
    )


async def _ticket(bridge: Bridge, new_key: NewKey) -> str:
    await new_key(Scope.READ, Scope.DESK)
    async with bridge.house.engine.begin() as connection:
        (key,) = await store.list_keys(connection)
        return await access.create_ticket(
            connection, key_ref=key.ref, agent=Person(id="mei", name="Mei Lin"), clock=utc_now
        )


@pytest.mark.parametrize("path", ["/console", "/console/desk", "/console/conversations/1"])
async def test_whoever_is_not_logged_in_is_sent_to_the_door(bridge: Bridge, path: str) -> None:
    """And comes back to where they wanted to go."""
    answer = await bridge.http.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/login?next={path}"


async def test_a_wrong_key_does_not_log_in(bridge: Bridge) -> None:
    """It says so and sets no cookie."""
    answer = await bridge.http.post("/console/login", data={"key": "dbk_wrong"})
    assert answer.status_code == 401
    assert "unknown or revoked" in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(
    bridge: Bridge, new_key: NewKey
) -> None:
    """HttpOnly, SameSite=Strict, and nothing in it but chance."""
    token = await new_key(Scope.READ)
    answer = await bridge.http.post("/console/login", data={"key": token})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert token not in cookie


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/console",
        "//evil.example/console",
        "/\\evil.example",
        "/consoleevil",
        "javascript:alert(1)",
        "/console\\..\\x",
    ],
)
async def test_logging_in_leads_nowhere_else(bridge: Bridge, new_key: NewKey, target: str) -> None:
    """A crafted link can't use the login to send people away."""
    answer = await bridge.http.post("/console/login", data={"key": await new_key(Scope.READ), "next": target})
    assert answer.headers["location"] == "/console"


async def test_a_ticket_logs_in_once(bridge: Bridge, new_key: NewKey) -> None:
    """Looking at the link does not use it up; using it does."""
    ticket = await _ticket(bridge, new_key)
    page = await bridge.http.get("/console/login", params={"ticket": ticket})
    assert _hidden(page.text, "ticket") == ticket
    assert (await bridge.http.post("/console/login", data={"ticket": ticket})).status_code == 303
    assert "Mei Lin" in (await bridge.http.get("/console/desk")).text
    bridge.http.cookies.clear()
    again = await bridge.http.post("/console/login", data={"ticket": ticket})
    assert again.status_code == 401


async def test_an_old_ticket_does_not_log_in(bridge: Bridge, new_key: NewKey) -> None:
    """Ten minutes are all it has."""
    ticket = await _ticket(bridge, new_key)
    await _execute(bridge, "UPDATE console_ticket SET expires_at = now()")
    answer = await bridge.http.post("/console/login", data={"ticket": ticket})
    assert answer.status_code == 401


async def _execute(bridge: Bridge, statement: str) -> None:
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text(statement))


async def test_logging_out_and_revoking_end_a_session(bridge: Bridge, visit: Visit) -> None:
    """Also for whoever kept the cookie."""
    client = await visit()
    kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    page = await client.get("/console")
    await client.post("/console/logout", data={"csrf": _hidden(page.text, "csrf")})
    assert (await bridge.http.get("/console", headers=kept)).status_code == 303
    other = await visit()
    await _execute(bridge, "UPDATE api_key SET revoked_at = now()")
    assert (await other.get("/console")).status_code == 303


async def test_pages_carry_the_security_headers(visit: Visit) -> None:
    """No script but our own files, no frames, nothing kept by caches."""
    client = await visit()
    for path in ("/console", "/console/login", "/console/desk", "/console/nothing/here"):
        headers = (await client.get(path)).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


async def test_pages_hold_no_inline_script_or_style(bridge: Bridge, visit: Visit) -> None:
    """The policy would switch them off."""
    hand_off = await hand_over(bridge)
    client = await visit()
    for path in (
        "/console",
        f"/console/desk/{hand_off.ref}",
        f"/console/conversations/{hand_off.conversation_ref}",
    ):
        html = (await client.get(path)).text
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)", html
        )


@pytest.mark.parametrize("path", ["/console/conversations/77", "/console/conversations/abc", "/console/x/y"])
async def test_a_mistyped_address_is_a_friendly_404(visit: Visit, path: str) -> None:
    """With a way back."""
    answer = await (await visit()).get(path)
    assert answer.status_code == 404
    assert "mistyped" in answer.text
    assert 'href="/console"' in answer.text


async def test_what_customers_write_is_text(bridge: Bridge, visit: Visit) -> None:
    """Never markup, on any page."""
    said = "<script>alert('x')</script> I want a person"
    hand_off = await hand_over(bridge, text=said, name="<b>Ann</b>")
    client = await visit()
    for path in (
        "/console",
        f"/console/desk/{hand_off.ref}",
        f"/console/conversations/{hand_off.conversation_ref}",
    ):
        html = (await client.get(path)).text
        assert path == "/console" or "&lt;script&gt;alert" in html
        assert "<script>alert" not in html
        assert "<b>Ann</b>" not in html


async def test_the_timeline_page_shows_answers_with_sources_decisions_and_leases(
    bridge: Bridge, visit: Visit
) -> None:
    """Whoever reads it knows why the bridge did what it did."""
    bridge.helpdesk.misbehave("error", times=1, path="/api/conversations/")
    bridge.helpdesk.customer_says("cus_1", QUESTION)
    await bridge.settled()
    hand_off = await hand_over(bridge)
    html = (await (await visit()).get(f"/console/conversations/{hand_off.conversation_ref}")).text
    for part in (
        QUESTION,
        "Rests on: ",
        "Turn 1",
        "asked for a person",
        "Rule asked-for-a-person acted",
        "turn.asked_for_person",
        "epoch 1",
        "epoch 2",
        "2 attempts",
        "Offered to people: queue general",
    ):
        assert part in html, part


async def test_the_console_speaks_chinese(bridge: Bridge, visit: Visit) -> None:
    """By the browser's wish, or by choice, which is remembered."""
    hand_off = await hand_over(bridge, text="转人工客服", name="小安")
    client = await visit()
    assert "会话" in (await client.get("/console", headers={"Accept-Language": "zh-CN"})).text
    page = await client.get(f"/console/desk/{hand_off.ref}?lang=zh")
    assert '<html lang="zh">' in page.text
    assert "领取" in page.text
    assert '<html lang="zh">' in (await client.get("/console")).text


async def test_a_form_from_elsewhere_is_refused(bridge: Bridge, visit: Visit) -> None:
    """Without our token, or from another site's page, nothing happens."""
    hand_off = await hand_over(bridge)
    client = await visit()
    path = f"/console/desk/{hand_off.ref}/claim"
    csrf = _hidden((await client.get("/console/desk")).text, "csrf")
    assert (await client.post(path, data={})).status_code == 403
    assert (await client.post(path, data={"csrf": "0" * 64})).status_code == 403
    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert (await client.post(path, data={"csrf": csrf}, headers=header)).status_code == 403
    (row,) = await bridge.rows("SELECT state FROM hand_off")
    assert row.state == "offered"
    own = {"Origin": bridge.url, "Sec-Fetch-Site": "same-origin"}
    assert (await client.post(path, data={"csrf": csrf}, headers=own)).status_code == 303


async def test_a_click_in_the_helpdesks_note_finds_the_session(bridge: Bridge) -> None:
    """A strict cookie stays at home on clicks from other sites: the page loads itself again."""
    answer = await bridge.http.get("/console", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text


async def test_a_double_click_replies_once(bridge: Bridge, visit: Visit) -> None:
    """The same form sent twice is one message."""
    hand_off = await hand_over(bridge)
    client = await visit()
    path = f"/console/desk/{hand_off.ref}"
    csrf = _hidden((await client.get(path)).text, "csrf")
    await client.post(f"{path}/claim", data={"csrf": csrf})
    form = {"csrf": csrf, "once": "abc-reply", "text": "Hello,\r\nMei here."}
    for _ in range(2):
        assert (await client.post(f"{path}/reply", data=form)).status_code == 303
    await bridge.settled()
    said = [m for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"]
    assert [(m.text, m.agent.name) for m in said] == [("Hello,\nMei here.", "Mei Lin")]


async def test_a_refused_action_says_why_and_keeps_what_was_written(
    bridge: Bridge, visit: Visit, api: httpx.AsyncClient
) -> None:
    """In the reader's language."""
    hand_off = await hand_over(bridge)
    client = await visit(name="Otto")
    path = f"/console/desk/{hand_off.ref}"
    csrf = _hidden((await client.get(path)).text, "csrf")
    unclaimed = await client.post(f"{path}/reply", data={"csrf": csrf, "text": "hi"})
    assert unclaimed.status_code == 409
    assert "Claim it first" in unclaimed.text
    await act(api, hand_off.ref, "claim")
    taken = await client.post(f"{path}/claim?lang=zh", data={"csrf": csrf})
    assert taken.status_code == 409
    assert "Mei Lin 已领取" in taken.text


async def test_a_key_for_the_desk_alone_opens_the_desk_alone(bridge: Bridge, visit: Visit) -> None:
    """And one for reading does not act."""
    helper, reader = await visit(Scope.DESK), await visit(Scope.READ)
    assert (await helper.get("/console")).headers["location"] == "/console/desk"
    assert (await helper.get("/console/conversations/1")).status_code == 403
    assert (await reader.get("/console")).status_code == 200
    assert (await reader.get("/console/desk")).status_code == 403
    assert (await bridge.http.get("/console/static/console.css")).status_code == 200
