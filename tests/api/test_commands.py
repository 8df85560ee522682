"""The commands `deskbridge keys` and `deskbridge desk`, as they are typed."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from support.bridge import Bridge
from support.desk import hand_over
from support.file_server import PNG


async def _type(bridge: Bridge, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "from gateway.cli import main; main()", *words],
        env=os.environ
        | {
            "DESKBRIDGE_DATABASE_URL": str(bridge.settings.database_url),
            "DESKBRIDGE_PUBLIC_URL": bridge.url,
            "DESKBRIDGE_URL": bridge.url,
            "COLUMNS": "200",
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_key_is_created_listed_and_revoked(bridge: Bridge) -> None:
    """It is shown once, works at once, and ends at once."""
    made = await _type(bridge, "keys", "create", "reports", "--scope", "read")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert re.fullmatch(r"dbk_[\w-]{43}", token)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await bridge.http.get("/v1/conversations", headers=headers)).status_code == 200
    listed = await _type(bridge, "keys", "list")
    assert "reports" in listed.stdout
    assert token not in listed.stdout
    assert (await _type(bridge, "keys", "revoke", "reports")).returncode == 0
    assert (await bridge.http.get("/v1/conversations", headers=headers)).status_code == 401
    again = await _type(bridge, "keys", "revoke", "reports")
    assert again.returncode == 2
    assert "no valid key" in again.stderr


async def test_a_ticket_is_a_link_that_logs_in(bridge: Bridge) -> None:
    """As the agent it names."""
    await _type(bridge, "keys", "create", "team", "--scope", "read", "--scope", "desk")
    made = await _type(bridge, "keys", "ticket", "team", "--agent", "mei", "--name", "Mei Lin")
    link = urlsplit(made.stdout.strip())
    assert link.path == "/console/login"
    ticket = parse_qs(link.query)["ticket"][0]
    async with httpx.AsyncClient(base_url=bridge.url, trust_env=False) as browser:
        assert (await browser.post("/console/login", data={"ticket": ticket})).status_code == 303
        assert "Mei Lin" in (await browser.get("/console/desk")).text


async def test_the_desk_works_from_the_command_line(bridge: Bridge) -> None:
    """List, show, claim, reply and resolve; what is refused is told in a line."""
    hand_off = await hand_over(bridge)
    key = (await _type(bridge, "keys", "create", "desk", "--scope", "desk")).stdout.strip()
    mei = {"DESKBRIDGE_API_KEY": key, "DESKBRIDGE_AGENT": "mei", "DESKBRIDGE_AGENT_NAME": "Mei Lin"}
    ref = str(hand_off.ref)
    assert ref in (await _type(bridge, "desk", "list", **mei)).stdout
    assert "I want a person" in (await _type(bridge, "desk", "show", ref, **mei)).stdout
    refused = await _type(bridge, "desk", "reply", ref, "hello", **mei)
    assert (refused.returncode, "claim it first (409)" in refused.stderr) == (1, True)
    for words in (("claim", ref), ("reply", ref, "Mei here."), ("resolve", ref)):
        done = await _type(bridge, "desk", *words, **mei)
        assert done.returncode == 0, done.stderr
    await bridge.settled()
    said = [m for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"]
    assert [(m.text, m.agent.name) for m in said] == [("Mei here.", "Mei Lin")]
    assert "nobody waits" in (await _type(bridge, "desk", "list", **mei)).stdout


class TestFiles:
    """Files from the command line."""

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        """They come from loopback, where the helpdesk is in a test."""
        return {"attachments": {"allow_hosts": ["127.0.0.1"]}}

    async def test_files_are_told_saved_and_sent(self, bridge: Bridge, tmp_path: Path) -> None:
        """A customer's is saved once, nothing is overwritten; the agent's arrives; a program is refused."""
        hand_off = await hand_over(bridge)
        photo = bridge.helpdesk.state.lay_down("photo.png", "image/png", PNG, base_url=bridge.helpdesk_url)
        bridge.helpdesk.customer_says("cus_1", "Look", files=(photo,))
        await bridge.settled()
        key = (await _type(bridge, "keys", "create", "desk", "--scope", "desk")).stdout.strip()
        mei = {"DESKBRIDGE_API_KEY": key, "DESKBRIDGE_AGENT": "mei", "DESKBRIDGE_AGENT_NAME": "Mei Lin"}
        ref, to = str(hand_off.ref), tmp_path / "saved.png"
        shown = (await _type(bridge, "desk", "show", ref, **mei)).stdout
        told = re.search(r"file: photo\.png \(image/png, 48 bytes\) · save (\d+) (\d+)", shown)
        assert told, shown
        for code in (0, 1):
            saved = await _type(bridge, "desk", "save", *told.groups(), "--to", str(to), **mei)
            assert saved.returncode == code, saved.stderr
        assert to.read_bytes() == PNG
        assert not (tmp_path / "saved.png.part").exists()
        paper, program = tmp_path / "paper.pdf", tmp_path / "a.exe"
        paper.write_bytes(b"%PDF-1.7 x")
        program.write_bytes(b"MZ\x90")
        await _type(bridge, "desk", "claim", ref, **mei)
        refused = await _type(bridge, "desk", "reply", ref, "Run this", "--file", str(program), **mei)
        assert (refused.returncode, "(415)" in refused.stderr) == (1, True)
        done = await _type(
            bridge, "desk", "reply", ref, "Here", "--file", str(paper), "--file", str(to), **mei
        )
        assert done.returncode == 0, done.stderr
        await bridge.settled()
        (said,) = [m for m in bridge.replies(hand_off.conversation_id) if m.author == "agent"]
        state = bridge.helpdesk.state
        assert [(f.name, state.files[f.id][1]) for f in said.files] == [
            ("paper.pdf", b"%PDF-1.7 x"),
            ("saved.png", PNG),
        ]
