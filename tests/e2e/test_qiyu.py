"""The whole path with a 七鱼 on the other side, over real HTTP, its checksums checked on both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bridge import Bridge, free_port, housed
from vendors.door import Door
from vendors.qiyu import KEY, SECRET, FakeQiyu

from adapters.model import Author, HandOver, Reception, Reply
from config.settings import Settings

UID = "shop-88213"


@dataclass
class QiyuBridge(Bridge):
    """A running bridge with a 七鱼 on its other side."""

    helpdesk: FakeQiyu  # type: ignore[assignment]

    async def state(self) -> tuple[str, str, Any]:
        """Of the visitor's conversation: its status, who may speak, and the person's name."""
        (row,) = await self.rows("SELECT status, lease_holder, lease_person FROM conversation")
        return row.status, row.lease_holder, (row.lease_person or {}).get("name")

    async def said(self) -> list[tuple[str, str]]:
        """What we hold of the conversation."""
        rows = await self.rows("SELECT author, text FROM message ORDER BY sent_at, ref")
        return [(row.author, row.text) for row in rows]


@pytest.fixture
async def qiyu_bridge(knowledge_url: str, tmp_path: Path) -> AsyncIterator[QiyuBridge]:
    """A bridge between a 七鱼 and the house."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    vendor = FakeQiyu(hook=f"{url}/hooks/qiyu")
    there = {"base_url": f"http://127.0.0.1:{vendor_port}", "app_key": KEY, "app_secret": SECRET}
    settings = Settings(
        database_url=knowledge_url,
        data_dir=tmp_path,
        public_url=url,
        connections={"qiyu": {"adapter": "qiyu", "settings": there}},
    )
    async with housed(settings, (Door(vendor), vendor_port)) as parts:
        yield QiyuBridge(helpdesk=vendor, helpdesk_url=there["base_url"], **parts)


async def test_from_the_robot_to_a_person_and_to_its_end(qiyu_bridge: QiyuBridge) -> None:
    """What the customer says goes there; the robot answers, a person takes over, and closes."""
    bridge, vendor = qiyu_bridge, qiyu_bridge.helpdesk
    desk = bridge.house.adapters["qiyu"]
    words = Reply(key="c1", conversation_id=UID, text="我的包裹呢？", author=Author.CUSTOMER)
    await desk.push(words)
    await bridge.settled()
    assert await bridge.state() == ("pending", "other_bot", None)
    assert await bridge.said() == [("ai", "您是问“我的包裹呢？”吗？")]

    pushed = await desk.push(HandOver(key="c2", conversation_id=UID, summary="三次未能解决"))
    assert pushed.reception is Reception.ACCEPTED
    await bridge.settled()
    vendor.agent_says(UID, "您好，我来帮您查")
    await bridge.settled()
    assert await bridge.state() == ("open", "saas_agent", "林微")

    vendor.invite(UID)
    vendor.end(UID, 0)
    await bridge.settled()
    assert (await bridge.state())[0] == "resolved"
    assert await bridge.said() == [("ai", "您是问“我的包裹呢？”吗？"), ("agent", "您好，我来帮您查")]
    assert {(status, body) for _, status, body in vendor.answers} == {(200, b"")}
    assert [kind for kind, _, _ in vendor.answers] == [
        "MSG",
        "SESSION_END",
        "MSG",
        "EVA_INVITATION",
        "SESSION_END",
    ]


async def test_a_transfer_changes_the_person_and_what_comes_twice_counts_once(
    qiyu_bridge: QiyuBridge,
) -> None:
    """A session begun by a person, passed on to another; an event that is sent again does nothing."""
    bridge, vendor = qiyu_bridge, qiyu_bridge.helpdesk
    vendor.start(UID, vendor.people[0])
    said = vendor.agent_says(UID, "我请同事来看")
    vendor.transfer(UID, vendor.people[1])
    await bridge.settled()
    assert await bridge.state() == ("open", "saas_agent", "周敏")

    vendor.tell("MSG", said)
    vendor.tell("QUEUE_TIMEOUT", {"uid": UID})
    await bridge.settled()
    assert await bridge.said() == [("agent", "我请同事来看")]
    assert await bridge.state() == ("open", "saas_agent", "周敏")
    assert {(status, body) for _, status, body in vendor.answers} == {(200, b"")}


async def test_a_forged_event_is_refused(qiyu_bridge: QiyuBridge) -> None:
    """Whoever doesn't have the secret says nothing, and is heard saying it as often as they like."""
    bridge, vendor = qiyu_bridge, qiyu_bridge.helpdesk
    vendor.secret = "guessed"
    vendor.start(UID, vendor.people[0])
    await vendor.drain()
    assert [status for _, status, _ in vendor.answers] == [401] * vendor.times
    assert await bridge.rows("SELECT 1 FROM inbox") == []
