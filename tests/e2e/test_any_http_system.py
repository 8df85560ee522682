"""The whole way with a system that only a file describes, configured and served as an operator would."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.bridge import QUICK, Bridge, free_port, housed
from support.desk import act, open_api
from support.inhouse import SECRET, TOKEN, InhouseChat
from support.policies import written

import adapters.vendors
from config.settings import load_settings
from gateway.access import Scope

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
def description() -> dict[str, Any]:
    """What the file says of the system."""
    told: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return told


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture
async def inhouse(
    knowledge_url: str, tmp_path: Path, description: dict[str, Any], overrides: dict[str, Any]
) -> AsyncIterator[InhouseBridge]:
    """Configuration and description lie side by side in a folder, and name each other."""
    port, chat_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "chat.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    settings = {"base_url": f"http://127.0.0.1:{chat_port}", "token": TOKEN, "webhook_secret": SECRET}
    connection = {"adapter": "http", "settings": {"description": "chat.yaml", **settings}}
    config = {
        "database_url": knowledge_url,
        "data_dir": str(tmp_path),
        "public_url": url,
        "connections": {"chat": connection},
    }
    path = tmp_path / "deskbridge.yaml"
    path.write_text(yaml.safe_dump(config | QUICK | overrides))
    loaded = load_settings(path)
    chat = InhouseChat(f"{url}/hooks/chat")
    async with housed(loaded, (chat, chat_port)) as parts:
        yield InhouseBridge(helpdesk=chat, helpdesk_url=settings["base_url"], **parts)


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


ASSIGNING = """
policy: assigning
rules:
  - name: asked
    when: turn.asked_for_person
    then:
      - assign: {agent: p-lin}
      - hand_off: {to: desk, queue: after-sales, say: handoff.asked}
      - tag: {add: [needs-person]}
messages:
  handoff.asked: {zh: 好的, en: A colleague will be with you.}
"""


class TestOneThatCanDoLess:
    """Nobody can be told there who has a conversation, and it takes no files."""

    @pytest.fixture
    def description(self, description: dict[str, Any]) -> dict[str, Any]:
        """A shorter file."""
        del description["commands"]["assign"]
        for said in ("reply", "note"):
            for request in description["commands"][said]["requests"]:
                del request["files"]
        return description

    @pytest.fixture
    def overrides(self, tmp_path: Path) -> dict[str, Any]:
        """A rule that assigns, hands over and tags."""
        return {"policies": str(written(tmp_path, ASSIGNING))}

    async def test_a_hand_off_is_noted_tagged_and_opened_all_the_same(self, inhouse: InhouseBridge) -> None:
        """What can't be done there is parked and says so; everything else is done."""
        chat = inhouse.helpdesk
        number = chat.customer_says("c-1", "I want to talk to a person")
        await inhouse.settled()
        there = chat.conversations[number]
        assert (there["status"], there["tags"]) == ("open", ["needs-person"])
        (note,) = [each for each in chat.messages[number] if each["private"]]
        assert "I want to talk to a person" in note["text"]
        assert inhouse.said(number)[1:] == [("bot", "A colleague will be with you.")]
        (hand_off,) = await inhouse.rows("SELECT state, queue FROM hand_off")
        assert (hand_off.state, hand_off.queue) == ("offered", "after-sales")
        left = await inhouse.rows("SELECT kind, state, parked_as FROM command WHERE state <> 'done'")
        assert [tuple(row) for row in left] == [("assign", "parked", "unsupported")]
        assert chat.refused == []

    async def test_our_desk_is_told_before_it_sends_that_no_files_can_be_sent(
        self, inhouse: InhouseBridge
    ) -> None:
        """Nothing that people sent is left out silently: it is refused, and nothing is kept."""
        chat = inhouse.helpdesk
        number = chat.customer_says("c-1", "I want to talk to a person")
        await inhouse.settled()
        api = await open_api(inhouse, Scope.DESK)
        (hand_off,) = await inhouse.rows("SELECT ref FROM hand_off")
        assert (await act(api, hand_off.ref, "claim")).status_code == 200
        files = f"/v1/desk/hand-offs/{hand_off.ref}/files"
        answer = await api.post(f"{files}?name=a.txt", content=b"Your label")
        assert (answer.status_code, answer.json()["detail"]) == (409, "chat can't be sent files")
        assert await inhouse.rows("SELECT 1 FROM desk_file") == []
        assert (await act(api, hand_off.ref, "reply", text="By mail, then.")).status_code == 200
        await inhouse.settled()
        assert inhouse.said(number)[-1] == ("agent", "Mei Lin: By mail, then.")
