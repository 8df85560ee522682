"""Vendors' own ways of taking over, asked for by our rules: a switchboard, and 七鱼 as the desk."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.bridge import QUICK, Bridge, free_port, helpdesk_for, housed, memory_at
from support.policies import packaged
from support.sunshine import SunshineBridge
from vendors.door import Door
from vendors.qiyu import KEY, FakeQiyu
from vendors.qiyu import SECRET as QIYU_SECRET
from vendors.sunshine_app import OURS, WORKSPACE

from config.settings import Settings

UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, Any]:
    """Hand-offs go to the people of the helpdesk."""
    return {"policies": packaged(tmp_path, "saas")}


async def test_three_failed_turns_pass_control_and_the_release_brings_it_back(
    sunshine_bridge: SunshineBridge,
) -> None:
    """By Zendesk messaging's switchboard, every request judged; then the AI answers again."""
    bridge, thread = sunshine_bridge, None
    for question in UNKNOWN:
        thread = bridge.helpdesk.customer_says(question, thread)
        await bridge.settled()
    assert thread is not None
    assert thread.active is WORKSPACE
    assert (await bridge.lease(thread))[0] == "saas_agent"
    bridge.helpdesk.gives(thread, "passControl", OURS)
    await bridge.settled()
    assert (await bridge.lease(thread))[0] == "ai"
    bridge.helpdesk.customer_says("How long does delivery take?", thread)
    await bridge.settled()
    rows = await bridge.rows("SELECT author, text FROM message ORDER BY sent_at, ref")
    assert rows[-1].author == "ai"
    assert "Hangzhou" in rows[-1].text
    parked = await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'")
    assert parked == []


@pytest.fixture
async def with_qiyu(knowledge_url: str, tmp_path: Path) -> AsyncIterator[tuple[Bridge, FakeQiyu]]:
    """A shop's helpdesk, and a 七鱼 whose people take over."""
    shop_port, desk_port, url = free_port(), free_port(), f"http://127.0.0.1:{free_port()}"
    shop, desk = helpdesk_for(url, "shop"), FakeQiyu(hook=f"{url}/hooks/qiyu")
    at_desk = {"base_url": f"http://127.0.0.1:{desk_port}", "app_key": KEY, "app_secret": QIYU_SECRET}
    connections = {
        "shop": memory_at(shop_port),
        "qiyu": {"adapter": "qiyu", "role": "desk", "settings": at_desk},
    }
    settings = Settings(
        database_url=knowledge_url,
        data_dir=tmp_path,
        public_url=url,
        policies=packaged(tmp_path, "qiyu"),
        connections=connections,
        **QUICK,
    )
    async with housed(settings, (shop, shop_port), (Door(desk), desk_port)) as parts:
        yield Bridge(helpdesk=shop, helpdesk_url=f"http://127.0.0.1:{shop_port}", **parts), desk


async def test_three_failed_turns_bring_a_person_of_qiyu(with_qiyu: tuple[Bridge, FakeQiyu]) -> None:
    """Staff are asked for in the visitor's name; words go both ways; their end resolves it."""
    bridge, qiyu = with_qiyu
    for question in UNKNOWN:
        said = bridge.helpdesk.customer_says("cus_1", question, name="Ann", email="ann@example.com")
        await bridge.settled()
    (visitor,) = qiyu.visitors.values()
    assert visitor.staff is not None
    assert "three-failed-ai-turns" in visitor.profile["deskbridge_summary"]["value"]
    bridge.helpdesk.customer_says("cus_1", "Hello?")
    await bridge.settled()
    assert visitor.said[-1] == ("TEXT", "Hello?")
    qiyu.agent_says(visitor.uid, "您好，我来帮您查")
    await qiyu.drain()
    await bridge.settled()
    last = bridge.replies(said.conversation_id)[-1]
    assert (last.author, last.text, last.agent.name) == ("agent", "您好，我来帮您查", "林微")
    qiyu.end(visitor.uid, 0)
    await qiyu.drain()
    await bridge.settled()
    assert bridge.helpdesk.state.conversation(said.conversation_id).status == "resolved"
    assert [m.text for m in bridge.replies(said.conversation_id)].count("您好，我来帮您查") == 1


async def test_where_nobody_is_at_qiyu_our_own_desk_has_it(with_qiyu: tuple[Bridge, FakeQiyu]) -> None:
    """The customer isn't left with a message box."""
    bridge, qiyu = with_qiyu
    for person in qiyu.people:
        person.online = False
    qiyu.box = False
    bridge.helpdesk.customer_says("cus_1", "I want a person", name="Ann")
    await bridge.settled()
    rows = await bridge.rows('SELECT state, "to", cause FROM hand_off ORDER BY ref')
    assert [tuple(row) for row in rows] == [
        ("expired", "qiyu", "rule"),
        ("offered", "desk", "nobody_there"),
    ]
