"""A customer in Chatwoot, handed to 七鱼, whose robot fails three times: a person there takes over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from support.bridge import eventually, free_port, serving
from support.chatwoot import ChatwootBridge
from support.fake_chatwoot import Thread
from support.policies import written
from vendors.door import Door
from vendors.qiyu import KEY, SECRET, FakeQiyu

POLICY = """
policy: parcels
rules:
  - name: asked-for-a-person
    when: turn.asked_for_person
    then:
      - hand_off: {to: qiyu, queue: after-sales, say: handoff.sorry}
  - name: three-failed-ai-turns
    when: ai.failed_turns >= 3
    then:
      - hand_off: {to: qiyu, queue: after-sales, priority: high, say: handoff.sorry}
  - name: parcels-are-for-qiyu
    when: lease.holder == "ai" && message.text.contains("包裹")
    then:
      - hand_off: {to: qiyu, queue: parcels}
messages:
  handoff.sorry: {zh: 抱歉，正在为您转接人工客服。, en: Sorry. A colleague is taking over.}
"""
QUESTIONS = ("我的包裹到哪里了？", "我问的是包裹到哪里了", "答非所问", "没有用")
"""The parcel; the parcel once more; two complaints. All but the first say that the last answer was no use."""
ROBOT = "您可以在“我的订单”里查看。"


@pytest.fixture
def qiyu_port() -> int:
    """Where Qiyu listens."""
    return free_port()


@pytest.fixture
def overrides(qiyu_port: int, tmp_path: Path) -> dict[str, Any]:
    """Qiyu as the desk, its robot in front; its people of group 77 are the queue of after-sales."""
    at = {"base_url": f"http://127.0.0.1:{qiyu_port}", "app_key": KEY, "app_secret": SECRET}
    desk = {"adapter": "qiyu", "role": "desk", "queues": {"after-sales": "77"}}
    return {
        "policies": written(tmp_path, POLICY),
        "connections": {"qiyu": desk | {"settings": at | {"robot_first": True}}},
        "attachments": {"allow_hosts": ["127.0.0.1"]},
    }


@pytest.fixture
async def qiyu(chatwoot_bridge: ChatwootBridge, qiyu_port: int) -> AsyncIterator[FakeQiyu]:
    """The desk, which tells the bridge."""
    vendor = FakeQiyu(hook=f"{chatwoot_bridge.url}/hooks/qiyu")
    vendor.robot = lambda _: ROBOT
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(Door(vendor), qiyu_port))
        yield vendor
        await vendor.drain()
    assert {(status, body) for _, status, body in vendor.answers} <= {(200, b"")}


async def settled(bridge: ChatwootBridge, qiyu: FakeQiyu) -> None:
    """Wait until nothing is under way on either side."""
    for _ in range(2):
        await bridge.settled(30)
        await qiyu.drain()
    await bridge.settled(30)


async def ask(bridge: ChatwootBridge, qiyu: FakeQiyu, questions: Sequence[str]) -> Thread:
    """The customer asks one after the other, each once the one before is answered."""
    thread: Thread | None = None
    for question in questions:
        thread = bridge.helpdesk.customer_says(question, thread)
        await settled(bridge, qiyu)
    assert thread is not None
    return thread


async def turns_of(bridge: ChatwootBridge, thread: Thread) -> list[Any]:
    """The turns of the customer's conversation."""
    return await bridge.rows(
        "SELECT t.* FROM turn t JOIN conversation v ON v.ref = t.conversation_ref"
        " WHERE v.connection = 'shop' AND v.id = :id ORDER BY t.number",
        id=str(thread.number),
    )


def texts(bridge: ChatwootBridge, thread: Thread) -> list[str]:
    """What the customer was told."""
    return [message["content"] for message in bridge.said(thread)]


async def test_qiyus_robot_fails_three_turns_and_a_person_there_takes_over(
    chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
) -> None:
    """Its words reach the customer, its turns are judged as ours; a person there answers, and closes."""
    bridge = chatwoot_bridge
    thread = await ask(bridge, qiyu, QUESTIONS[:3])
    assert texts(bridge, thread) == [ROBOT] * 3
    assert (await bridge.lease(thread))[0] == "other_bot"
    (visitor,) = qiyu.visitors.values()
    assert [text for _, text in visitor.said] == list(QUESTIONS[:3])
    assert (visitor.robot, visitor.staff) == (True, None)

    bridge.helpdesk.customer_says(QUESTIONS[3], thread)
    await settled(bridge, qiyu)
    judged = [
        (turn.answer["by"], turn.answer["text"], turn.verdict)
        for turn in (await turns_of(bridge, thread))[:3]
    ]
    assert judged == [("other_bot", ROBOT, "unresolved")] * 3
    _, decision = await bridge.rows("SELECT rule, inputs, event_ref FROM decision ORDER BY ref")
    assert (decision.rule, decision.inputs) == ("three-failed-ai-turns", {"ai.failed_turns": 3})
    assert decision.event_ref is not None
    assert texts(bridge, thread)[3:] == ["抱歉，正在为您转接人工客服。"], "the robot is not asked any more"
    assert visitor.staff is qiyu.people[1], "of the group that the queue is"
    assert [text for _, text in visitor.said] == list(QUESTIONS), "the person reads the last words"
    assert "三" in str(visitor.profile) or "three-failed-ai-turns" in str(visitor.profile)
    assert await bridge.causes(thread) == [
        "first_seen",
        "rule:parcels-are-for-qiyu",
        "desk_bot",
        "rule:three-failed-ai-turns",
        "desk:qiyu",
    ]

    qiyu.agent_says(visitor.uid, "您好，我来查一下。")
    await settled(bridge, qiyu)
    assert "您好，我来查一下。" in texts(bridge, thread)[-1]
    bridge.helpdesk.customer_says("谢谢", thread)
    await settled(bridge, qiyu)
    assert visitor.said[-1] == ("TEXT", "谢谢")
    assert len(await turns_of(bridge, thread)) == 4, "with people it is nobody's turn"

    qiyu.end(visitor.uid, 0)
    await settled(bridge, qiyu)
    assert thread.status == "resolved"
    assert len(texts(bridge, thread)) == 5, "nothing was said twice"
    statuses = await bridge.rows("SELECT connection, status FROM conversation ORDER BY connection")
    assert [(row.connection, row.status) for row in statuses] == [("qiyu", "resolved"), ("shop", "resolved")]
    hand_offs = await bridge.rows("SELECT state, rule, ticket, follows, ref FROM hand_off ORDER BY ref")
    assert [(row.state, row.rule, row.ticket) for row in hand_offs] == [
        ("passed_on", "parcels-are-for-qiyu", visitor.uid),
        ("resolved", "three-failed-ai-turns", visitor.uid),
    ]
    assert hand_offs[1].follows == hand_offs[0].ref
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []
    assert await bridge.rows("SELECT 1 FROM command WHERE state NOT IN ('done', 'superseded')") == []


async def test_whoever_queues_there_waits_and_is_taken(
    chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
) -> None:
    """Everybody is busy: the place in the queue is on record; the person who comes speaks to the customer."""
    bridge = chatwoot_bridge
    for person in qiyu.people:
        person.room = 0
    thread = await ask(bridge, qiyu, (QUESTIONS[0], "转人工"))
    (visitor,) = qiyu.visitors.values()
    assert visitor.waits
    waiting = await bridge.offered()
    assert (waiting.rule, waiting.position, waiting.ticket) == ("asked-for-a-person", 1, visitor.uid)
    assert (await bridge.lease(thread))[0] == "nobody"

    qiyu.start(visitor.uid, qiyu.people[1])
    qiyu.agent_says(visitor.uid, "久等了。")
    await settled(bridge, qiyu)
    assert "久等了。" in texts(bridge, thread)[-1]
    assert (await bridge.lease(thread))[0] == "desk_agent"


async def test_where_nobody_is_there_our_own_desk_has_it(
    chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
) -> None:
    """The robot there is neither asked nor heard any more: it doesn't fight for the customer."""
    bridge = chatwoot_bridge
    for person in qiyu.people:
        person.online = False
    thread = await ask(bridge, qiyu, (QUESTIONS[0], "转人工"))
    (visitor,) = qiyu.visitors.values()
    waiting = await bridge.offered()
    assert (waiting.to, waiting.cause) == ("desk", "nobody_there")
    before = texts(bridge, thread)
    bridge.helpdesk.customer_says("有人吗？", thread)
    qiyu.robot_says(visitor.uid, "我还在。")
    await settled(bridge, qiyu)
    assert texts(bridge, thread) == before
    assert ("TEXT", "有人吗？") not in visitor.said
    assert (await bridge.lease(thread))[0] == "nobody"


async def test_the_robot_keeps_the_customer_when_it_is_silent_for_long(
    chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
) -> None:
    """A silence between answers doesn't give our AI what was handed away; nor is it an offer that waits."""
    bridge = chatwoot_bridge
    thread = await ask(bridge, qiyu, QUESTIONS[:1])
    async with bridge.house.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE conversation SET lease_since = now() - interval '1 hour'")

    async def looked() -> bool:
        rows = await bridge.rows("SELECT clock_timestamp() AS at")
        seen.append(rows[0].at)
        return (seen[-1] - seen[0]).total_seconds() > 2.5

    seen: list[Any] = []
    await eventually(looked, what="the clock has looked at it")
    assert (await bridge.lease(thread))[0] == "other_bot"
    gauge = (await bridge.http.get("/metrics")).text
    assert "deskbridge_oldest_offer_seconds 0.0" in gauge


async def test_the_same_words_again_are_said_again(chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu) -> None:
    """What was carried to the desk doesn't come back at the helpdesk: who repeats it there means it."""
    thread = await ask(chatwoot_bridge, qiyu, (QUESTIONS[0], QUESTIONS[0]))
    (visitor,) = qiyu.visitors.values()
    assert [text for _, text in visitor.said] == [QUESTIONS[0]] * 2
    assert texts(chatwoot_bridge, thread) == [ROBOT] * 2


async def test_when_the_person_leaves_the_robots_turns_are_judged_again(
    chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
) -> None:
    """The robot has the customer back: its failures count anew and bring a person, in the same ticket."""
    bridge = chatwoot_bridge
    thread = await ask(bridge, qiyu, (QUESTIONS[0], "转人工"))
    (visitor,) = qiyu.visitors.values()
    qiyu.agent_says(visitor.uid, "您好，我来查一下。")
    await settled(bridge, qiyu)
    assert (await bridge.lease(thread))[0] == "desk_agent"
    qiyu.end(visitor.uid, 4)
    await settled(bridge, qiyu)
    assert (await bridge.lease(thread))[0] == "other_bot"
    assert thread.status == "open", "nothing is resolved by it"
    before = len(await turns_of(bridge, thread))

    for question in QUESTIONS[:3]:
        bridge.helpdesk.customer_says(question, thread)
        await settled(bridge, qiyu)
    assert texts(bridge, thread)[-3:] == [ROBOT] * 3
    assert visitor.staff is None
    bridge.helpdesk.customer_says(QUESTIONS[3], thread)
    await settled(bridge, qiyu)
    judged = [(turn.answer["by"], turn.verdict) for turn in (await turns_of(bridge, thread))[before:][:3]]
    assert judged == [("other_bot", "unresolved")] * 3
    assert visitor.staff is qiyu.people[1], "a person of the group that the queue is"
    hand_offs = await bridge.rows("SELECT state, rule, ticket FROM hand_off ORDER BY ref")
    assert [(row.state, row.rule) for row in hand_offs] == [
        ("passed_on", "parcels-are-for-qiyu"),
        ("passed_on", "asked-for-a-person"),
        ("claimed", "three-failed-ai-turns"),
    ]
    assert {row.ticket for row in hand_offs} == {visitor.uid}
    assert (await bridge.causes(thread))[-5:] == [
        "desk:qiyu",
        "desk_left",
        "desk_bot",
        "rule:three-failed-ai-turns",
        "desk:qiyu",
    ]
    qiyu.agent_says(visitor.uid, "久等了。")
    await settled(bridge, qiyu)
    assert "久等了。" in texts(bridge, thread)[-1]
    assert await bridge.rows("SELECT 1 FROM command WHERE state NOT IN ('done', 'superseded')") == []


class TestWithoutARobot:
    """An account in which nobody but people answers."""

    @pytest.fixture
    def overrides(self, qiyu_port: int, tmp_path: Path) -> dict[str, Any]:
        """Qiyu as the desk."""
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "p.yaml").write_text(POLICY, encoding="utf-8")
        at = {"base_url": f"http://127.0.0.1:{qiyu_port}", "app_key": KEY, "app_secret": SECRET}
        return {
            "policies": tmp_path / "policies",
            "connections": {"qiyu": {"adapter": "qiyu", "role": "desk", "settings": at}},
            "attachments": {"allow_hosts": ["127.0.0.1"]},
        }

    async def test_who_is_left_waits_for_another(
        self, chatwoot_bridge: ChatwootBridge, qiyu: FakeQiyu
    ) -> None:
        """Nobody has the word until one comes; what is said meanwhile is there to read."""
        bridge = chatwoot_bridge
        thread = await ask(bridge, qiyu, ("转人工",))
        (visitor,) = qiyu.visitors.values()
        qiyu.robot = None
        qiyu.agent_says(visitor.uid, "您好。")
        await settled(bridge, qiyu)
        qiyu.end(visitor.uid, 4)
        await settled(bridge, qiyu)
        bridge.helpdesk.customer_says("还在吗？", thread)
        await settled(bridge, qiyu)
        assert (await bridge.lease(thread))[0] == "nobody"
        assert (await bridge.offered()).to == "qiyu"
        assert visitor.said[-1] == ("TEXT", "还在吗？")
        qiyu.start(visitor.uid, qiyu.people[1])
        qiyu.agent_says(visitor.uid, "在的。")
        await settled(bridge, qiyu)
        assert (await bridge.lease(thread))[0] == "desk_agent"
