"""The console in a real browser: log in, read a timeline, take over, answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.bridge import Bridge, eventually
from support.desk import NewKey, hand_over
from support.file_server import PNG

from gateway.access import Scope

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Files come from loopback, where the helpdesk is in a test."""
    return {"attachments": {"allow_hosts": ["127.0.0.1"]}}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Any]:
    """A fresh browser; what its console complains of fails the test."""
    api = pytest.importorskip("playwright.async_api")
    complaints: list[str] = []
    async with api.async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS, headless=True, locale="en-GB"
        )
        opened = context.pages[0]
        opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        await context.close()
    assert complaints == []


async def _log_in(page: Any, bridge: Bridge, new_key: NewKey) -> None:
    await page.goto(f"{bridge.url}/console")
    await page.get_by_label("API key").fill(await new_key(Scope.READ, Scope.DESK))
    await page.get_by_label("Your name").fill("Mei Lin")
    await page.get_by_role("button", name="Log in").click()
    await (
        page.get_by_role("heading", name="Conversations").or_(page.get_by_text("Turns by verdict")).wait_for()
    )


async def test_an_agent_takes_over_and_the_customer_reads_the_reply(
    page: Any, bridge: Bridge, new_key: NewKey
) -> None:
    """Log in, open the timeline, claim at the desk, reply: the helpdesk shows it under the agent's name."""
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", name="Ann")
    await bridge.settled()
    hand_off = await hand_over(bridge)
    await _log_in(page, bridge, new_key)
    await page.get_by_role("link", name="Ann").click()
    await page.get_by_text("Rests on:").click()
    await page.locator("blockquote").first.wait_for(state="visible")
    await page.get_by_role("link", name="Open at the desk").click()
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_text("It is yours.").wait_for()
    await page.get_by_label("Reply").fill("Hello Ann, this is Mei.")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("Sent.").wait_for()
    said = await eventually(
        lambda: [m for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"],
        what="the agent's reply at the helpdesk",
    )
    assert [(m.text, m.agent.name) for m in said] == [("Hello Ann, this is Mei.", "Mei Lin")]
    await page.locator(".talk").get_by_text("Hello Ann, this is Mei.").wait_for()


async def test_an_open_page_follows_what_happens(page: Any, bridge: Bridge, new_key: NewKey) -> None:
    """A timeline that is open shows new messages by itself."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", name="Ann")
    await bridge.settled()
    await _log_in(page, bridge, new_key)
    await page.get_by_role("link", name="Ann").click()
    await page.get_by_text("Turn 1").wait_for()
    bridge.helpdesk.agent_says(said.conversation_id, "I am here now.")
    await page.get_by_text("I am here now.").wait_for(timeout=15_000)
    await page.get_by_text("an agent wrote at the helpdesk").wait_for()


async def test_a_click_from_another_site_arrives_logged_in(
    page: Any, bridge: Bridge, new_key: NewKey
) -> None:
    """As from a note in the helpdesk: the strict cookie is there at the second look."""
    await _log_in(page, bridge, new_key)
    elsewhere = bridge.url.replace("127.0.0.1", "localhost")
    await page.goto(f"{elsewhere}/console/login")
    await page.evaluate(f"location.href = '{bridge.url}/console/desk'")
    await page.get_by_text("Nobody is waiting for a person.").wait_for()
    assert page.url == f"{bridge.url}/console/desk"


async def content(download: Any) -> bytes:
    """What the browser has saved."""
    path = Path(await download.path())
    return await asyncio.to_thread(path.read_bytes)


async def test_an_agent_saves_a_customers_photo_and_sends_a_file(
    page: Any, bridge: Bridge, new_key: NewKey, tmp_path: Path
) -> None:
    """The photo is saved under a harmless name, byte by byte; the file arrives and is shown as theirs."""
    hand_off = await hand_over(bridge)
    photo = bridge.helpdesk.state.lay_down(
        "..\\photo\u202egnp.exe", "image/png", PNG, base_url=bridge.helpdesk_url
    )
    bridge.helpdesk.customer_says("cus_1", "It came broken", files=(photo,))
    await bridge.settled()
    await _log_in(page, bridge, new_key)
    await page.goto(f"{bridge.url}/console/desk/{hand_off.ref}")
    await page.get_by_role("button", name="Claim").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="photognp.exe").click()
    saved = await download.value
    assert saved.suggested_filename == "photognp.exe.png"
    assert await content(saved) == PNG
    label = tmp_path / "Rücksendung.pdf"
    label.write_bytes(b"%PDF-1.7 label")
    await page.get_by_label("Reply").fill("Please use this label.")
    await page.get_by_label("Attach files").set_input_files(label)
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.get_by_text("Sent.").wait_for()
    await bridge.settled()
    said = bridge.replies(hand_off.conversation_id)[-1]
    (file,) = said.files
    assert (said.text, said.agent.name, file.name) == ("Please use this label.", "Mei Lin", "Rücksendung.pdf")
    assert bridge.helpdesk.state.files[file.id] == ("application/pdf", b"%PDF-1.7 label")
    for shown in (page.locator(".talk"), page.locator("#story")):
        async with page.expect_download() as download:
            await shown.get_by_role("link", name="Rücksendung.pdf").click(timeout=15_000)
        assert await content(await download.value) == b"%PDF-1.7 label"
        await page.goto(f"{bridge.url}/console/conversations/{hand_off.conversation_ref}")
