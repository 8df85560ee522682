"""The whole way with a system that only a file describes, configured and served as an operator would."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

import httpx
import pytest
import yaml
from support.bridge import Bridge, free_port, serving
from support.inhouse import SECRET, TOKEN, InhouseChat

import adapters.vendors
from config.settings import load_settings
from gateway.app import create_app

DESCRIPTION = Path(adapters.vendors.__file__).with_name("inhouse") / "inhouse.yaml"
QUESTION = "How long does delivery take?"


@dataclass
class InhouseBridge(Bridge):
    """A running bridge with an in-house chat on its other side."""

    helpdesk: InhouseChat  # type: ignore[assignment]

    def said(self, number: str) -> list[tuple[str, str]]:
        """Who said what to the customer."""
        told = self.helpdesk.messages[number]
        return [(each["from"], each["text"]) for each in told if not each["private"]]


@pytest.fixture
async def inhouse(knowledge_url: str, tmp_path: Path) -> AsyncIterator[InhouseBridge]:
    """Configuration and description lie side by side in a folder, and name each other."""
    port, chat_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    copy(DESCRIPTION, tmp_path / "chat.yaml")
    settings = {"base_url": f"http://127.0.0.1:{chat_port}", "token": TOKEN, "webhook_secret": SECRET}
    connection = {"adapter": "http", "settings": {"description": "chat.yaml", **settings}}
    config = {
        "database_url": knowledge_url,
        "data_dir": str(tmp_path),
        "public_url": url,
        "connections": {"chat": connection},
        "turns": {"quiet": 0.05},
        "delivery": {"first_retry": 0.05},
    }
    path = tmp_path / "deskbridge.yaml"
    path.write_text(yaml.safe_dump(config))
    loaded = load_settings(path)
    app, chat = create_app(loaded), InhouseChat(f"{url}/hooks/chat")
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(chat, chat_port))
        await stack.enter_async_context(serving(app, port))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        yield InhouseBridge(
            helpdesk=chat, helpdesk_url=address, url=url, settings=loaded, http=http, house=app.state.house
        )


async def test_a_described_system_is_answered_handed_over_and_left_alone(inhouse: InhouseBridge) -> None:
    """A webhook in, an answer out, its echo in vain; an agent speaks, and the AI is silent from then on."""
    chat = inhouse.helpdesk
    number = chat.customer_says("c-1", QUESTION)
    await inhouse.settled()
    (_, (author, answer)) = inhouse.said(number)
    assert author == "bot"
    assert "Source:" in answer
    assert len(chat.messages[number]) == 2
    assert set(chat.statuses) <= {200, 202}

    chat.agent_says(number, "您好，我来帮您看看。")
    await inhouse.settled()
    chat.customer_says("c-1", QUESTION)
    await inhouse.settled()
    assert [who for who, _ in inhouse.said(number)] == ["customer", "bot", "agent", "customer"]
    (row,) = await inhouse.rows("SELECT lease_holder FROM conversation")
    assert row.lease_holder == "saas_agent"
    assert await inhouse.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []
    assert chat.refused == []


async def test_a_described_system_gets_a_hand_off(inhouse: InhouseBridge) -> None:
    """Asked for a person: noted, tagged and opened there, as far as the description says how."""
    chat = inhouse.helpdesk
    number = chat.customer_says("c-2", "I want to talk to a person")
    await inhouse.settled()
    assert chat.conversations[number]["status"] == "open"
    assert any(each["private"] for each in chat.messages[number])
    assert chat.refused == []


async def test_a_described_system_is_checked_and_its_history_imported(inhouse: InhouseBridge) -> None:
    """`deskbridge adapters check` and `backfill` know no difference."""
    chat = inhouse.helpdesk
    chat.hook = "http://127.0.0.1:9/"  # nothing is told meanwhile
    for customer in ("c-1", "c-2", "c-3"):
        number = chat.customer_says(customer, QUESTION)
        chat.agent_says(number, "Two days.")
    config = str(inhouse.settings.config)
    for command, expected in (
        (("adapters", "check", "chat", "--config", config), "the shop's chat"),
        (("backfill", "chat", "--config", config), ""),
    ):
        done = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("deskbridge"),
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await done.communicate()
        assert done.returncode == 0, told.decode()
        assert expected in told.decode()
    await inhouse.settled()
    stored = await inhouse.rows("SELECT author, text FROM message ORDER BY ref")
    assert sorted(row.author for row in stored) == ["agent"] * 3 + ["customer"] * 3
    assert len(chat.messages["t-c-1"]) == 2


async def test_viewers_of_one_broadcast_are_answered_as_a_group(inhouse: InhouseBridge) -> None:
    """The description says where the stream stands: one answer there is for all who ask the same."""
    chat = inhouse.helpdesk
    viewers = [
        chat.customer_says(f"c-{n}", QUESTION, channel="live", stream=f"show-{n % 2}") for n in range(20)
    ]
    await inhouse.settled(within=30)
    said = [author for viewer in viewers for author, _ in inhouse.said(viewer)]
    assert said.count("bot") == 2
