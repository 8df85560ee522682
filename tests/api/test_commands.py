"""The commands `deskbridge keys` and `deskbridge desk`, as they are typed."""

import asyncio
import os
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
from support.bridge import Bridge
from support.desk import hand_over


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
