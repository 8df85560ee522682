"""Files go along: from the customer to the desk, and back; what can't, is named."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from support.bridge import eventually
from support.handed_over import HandedOver, handing_over

from adapters.manifest import Capability
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.records import File
from adapters.vendors.memory.server import MemoryHelpdesk

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 4000


@pytest.fixture
async def carrying(knowledge_url: str, tmp_path: Path) -> AsyncIterator[HandedOver]:
    """A bridge that fetches from loopback, where its helpdesks are in a test."""
    limits = {"allow_hosts": ["127.0.0.1"], "max_bytes": 5000}
    async with handing_over(knowledge_url, tmp_path, attachments=limits) as bridge:
        bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
        await bridge.settled()
        yield bridge


def lay_down(helpdesk: MemoryHelpdesk, bridge: HandedOver, content: bytes, name: str, kind: str) -> File:
    """A file at one side."""
    name_of = "shop" if helpdesk is bridge.helpdesk else "agents"
    base = bridge.settings.connections[name_of].settings["base_url"]
    return helpdesk.state.lay_down(name, kind, content, base_url=base)


def files(helpdesk: MemoryHelpdesk) -> list[tuple[str, str, bytes]]:
    """The files of the last message at one side: name, type, content."""
    last = helpdesk.messages[-1]
    return [(each.name, *helpdesk.state.files[each.id]) for each in last.files]


async def test_files_go_both_ways_byte_by_byte(carrying: HandedOver) -> None:
    """With the credentials of the side that holds them, and none of the other's."""
    photo = lay_down(carrying.helpdesk, carrying, PNG, "../photo.png", "image/png")
    carrying.helpdesk.customer_says("cus_1", "This is broken", files=(photo,))
    await carrying.settled()
    assert carrying.agents.messages[-1].text == "This is broken"
    assert files(carrying.agents) == [("photo.png", "image/png", PNG)]
    paper = lay_down(carrying.agents, carrying, b"%PDF-1.7 guarantee", "guarantee.pdf", "application/pdf")
    carrying.agents.agent_says(carrying.ticket().id, "Your guarantee", files=(paper,))
    await carrying.settled()
    assert files(carrying.helpdesk) == [("guarantee.pdf", "application/pdf", b"%PDF-1.7 guarantee")]


async def test_what_may_not_go_along_is_named_and_the_words_go(carrying: HandedOver) -> None:
    """Too large, a program in disguise, an address of our own: the message says what is missing, and why."""
    large = lay_down(carrying.helpdesk, carrying, PNG * 2, "large.png", "image/png")
    program = lay_down(carrying.helpdesk, carrying, b"MZ\x90\0", "cute.png", "image/png")
    inner = File(
        id="x", name="inner.png", content_type="image/png", size=1, url="http://localhost:1/inner.png"
    )
    carrying.helpdesk.customer_says("cus_1", "Look", files=(large, program, inner))
    await carrying.settled()
    said = carrying.agents.messages[-1]
    assert said.files == ()
    first, *missing = said.text.splitlines()
    assert first == "Look"
    assert ["large.png: it is larger" in missing[0], "cute.png" in missing[1], "inner.png" in missing[2]] == [
        True
    ] * 3
    assert "localhost" not in said.text


async def test_what_did_not_go_along_is_not_shown_as_sent(carrying: HandedOver) -> None:
    """The timeline has those files of a reply that the customer got, and no others."""
    good = lay_down(carrying.agents, carrying, PNG, "good.png", "image/png")
    program = lay_down(carrying.agents, carrying, b"MZ\x90\0", "tool.png", "image/png")
    for files in ((good, program), (program,)):
        carrying.agents.agent_says(carrying.ticket().id, f"{len(files)} of them", files=files)
        await carrying.settled()
    rows = await carrying.rows(
        "SELECT m.attachments FROM message m JOIN conversation v ON v.ref = m.conversation_ref"
        " WHERE v.connection = 'shop' AND m.text LIKE '%of them%' ORDER BY m.ref"
    )
    assert [[(f["name"], f["size"]) for f in row.attachments] for row in rows] == [
        [("good.png", len(PNG))],
        [],
    ]


async def test_where_everybody_reads_along_files_stay_behind(knowledge_url: str, tmp_path: Path) -> None:
    """The words go; people at the helpdesk and at the desk are told what didn't."""
    async with handing_over(knowledge_url, tmp_path, attachments={"allow_hosts": ["127.0.0.1"]}) as bridge:
        bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann", channel="comment")
        await bridge.settled()
        paper = lay_down(bridge.agents, bridge, b"%PDF-1.7 x", "invoice.pdf", "application/pdf")
        bridge.agents.agent_says(bridge.ticket().id, "Your invoice", files=(paper,))
        await bridge.settled()
        (said,) = [m for m in bridge.helpdesk.messages if m.text.endswith("Your invoice") and not m.private]
        assert said.files == ()
        for side in (bridge.helpdesk, bridge.agents):
            assert any("invoice.pdf" in m.text for m in side.messages if m.private)


async def test_a_helpdesk_that_takes_no_files_gets_their_names(
    knowledge_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of people elsewhere go; what cannot go along is named behind them."""
    less = Memory.manifest.capabilities - {Capability.SEND_ATTACHMENTS}
    monkeypatch.setattr(Memory, "manifest", msgspec.structs.replace(Memory.manifest, capabilities=less))
    async with handing_over(knowledge_url, tmp_path, attachments={"allow_hosts": ["127.0.0.1"]}) as bridge:
        bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
        await bridge.settled()
        paper = lay_down(bridge.agents, bridge, b"%PDF-1.7 x", "guarantee.pdf", "application/pdf")
        bridge.agents.agent_says(bridge.ticket().id, "Your guarantee", files=(paper,))
        bridge.agents.agent_says(bridge.ticket().id, "", files=(paper,))
        await bridge.settled()
        named = "[guarantee.pdf: no files can be sent there]"
        said = bridge.helpdesk.messages[-2:]
        assert [(m.text, m.files) for m in said] == [(f"Your guarantee\n{named}", ()), (named, ())]
        assert await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'") == []


def looked_up(helpdesk: MemoryHelpdesk) -> int:
    """How often a message was asked for by its id."""
    return sum(each.method == "GET" and "/messages/msg_" in each.path for each in helpdesk.requests)


async def test_an_address_that_expired_while_the_desk_was_down_is_asked_for_again(
    carrying: HandedOver,
) -> None:
    """Once: the message is looked up where the file came from, and the file goes along all the same."""
    carrying.agents.misbehave("error", method="POST", path="/messages", times=None, status=503)
    photo = lay_down(carrying.helpdesk, carrying, PNG, "photo.png", "image/png")
    carrying.helpdesk.customer_says("cus_1", "This is broken", files=(photo,))

    async def tried() -> bool:
        return bool(await carrying.rows("SELECT 1 FROM attempt WHERE status = 503"))

    await eventually(tried, what="the desk was down")
    carrying.helpdesk.expire_files()
    carrying.agents.behave()
    await carrying.settled()
    assert carrying.agents.messages[-1].text == "This is broken"
    assert files(carrying.agents) == [("photo.png", "image/png", PNG)]
    assert looked_up(carrying.helpdesk) == 1


async def test_an_expired_address_of_a_message_that_is_gone_is_named_as_ever(carrying: HandedOver) -> None:
    """Nobody can say where the file is: the words go, and say what is missing."""
    carrying.agents.misbehave("error", method="POST", path="/messages", times=None, status=503)
    photo = lay_down(carrying.helpdesk, carrying, PNG, "photo.png", "image/png")
    said = carrying.helpdesk.customer_says("cus_1", "This is broken", files=(photo,))

    async def tried() -> bool:
        return bool(await carrying.rows("SELECT 1 FROM attempt WHERE status = 503"))

    await eventually(tried, what="the desk was down")
    carrying.helpdesk.expire_files()
    carrying.helpdesk.delete_conversation(said.conversation_id)
    carrying.agents.behave()
    await carrying.settled()
    assert carrying.agents.messages[-1].text == "This is broken\n[photo.png: its server answered 403]"
