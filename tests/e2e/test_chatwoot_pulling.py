"""Chatwoot's history, what its webhooks lost, contacts made one: over HTTP, through a bridge, judged."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.bridge import eventually
from support.chatwoot import ChatwootBridge, Setup
from support.fake_chatwoot import INCOMING, Thread
from support.pulling import puller

from adapters.model import Author, FindOpened, Identity, IdentityKind, OpenConversation, Reply
from adapters.vendors.chatwoot.adapter import Chatwoot
from config.clock import utc_now

QUESTION = "How long does delivery take?"
SILENT = pytest.mark.parametrize("chatwoot_setup", [Setup(hooks=())], ids=["no webhooks"])


@pytest.fixture
def bridge(chatwoot_bridge: ChatwootBridge) -> ChatwootBridge:
    """The bridge of these tests, with a Chatwoot account as the helpdesk."""
    return chatwoot_bridge


def grow(bridge: ChatwootBridge, conversations: int, *, age: timedelta = timedelta(days=9)) -> None:
    """Talks of all kinds, a minute apart: answered by agents, resolved, labelled, one of them very long."""
    chatwoot = bridge.helpdesk
    began = (utc_now() - age).timestamp()
    chatwoot.thread.updated_at = chatwoot.thread.last_activity_at = began
    chatwoot.contact["last_activity_at"] = int(began)
    for number in range(conversations):
        chatwoot.clock = lambda at=began + 60 * number: at  # type: ignore[misc]
        thread = chatwoot.customer_says(QUESTION)
        if number % 3 == 0:
            chatwoot.agent_says(thread, "Three days.")
        if number % 4 == 0:
            chatwoot.set_status(thread, "resolved")
        if number == 5:
            for line in range(230):
                chatwoot.customer_says(f"line {line}", thread)
            thread.labels = ["vip", "delivery"]
    chatwoot.clock = lambda: utc_now().timestamp()


async def stored(bridge: ChatwootBridge) -> dict[str, Any]:
    """What we hold of each conversation."""
    rows = await bridge.rows("""
        SELECT v.id, v.status, v.tags, c.name,
            (SELECT jsonb_agg(m.id::int ORDER BY m.id::int) FROM message m WHERE m.conversation_ref = v.ref)
            AS said
        FROM conversation v LEFT JOIN customer c ON c.ref = v.customer_ref""")
    return {row.id: (row.status, row.tags, row.name, row.said) for row in rows}


def held(bridge: ChatwootBridge) -> dict[str, Any]:
    """What Chatwoot holds of each."""
    return {
        str(each.number): (
            each.status,
            each.labels,
            each.contact["name"],
            [message["id"] for message in each.messages] or None,
        )
        for each in bridge.helpdesk.threads.values()
    }


@SILENT
async def test_the_whole_history_comes_in_and_causes_nothing(bridge: ChatwootBridge) -> None:
    """Sixty conversations on three pages, one of 231 messages: all stored, nothing said, nobody asked."""
    grow(bridge, 60)
    run = await puller(bridge).backfill()
    assert run.state == "done"
    assert await stored(bridge) == held(bridge)
    for table in ("turn", "command", "decision"):
        assert await bridge.rows(f"SELECT 1 FROM {table}") == []
    people = await bridge.rows("SELECT count(DISTINCT value) AS n FROM identity WHERE kind = 'vendor'")
    assert people[0].n == len(bridge.helpdesk.people)
    assert {what.partition(" ")[0] for _, what in bridge.helpdesk.log} == {"GET"}


@SILENT
async def test_what_moves_to_the_front_meanwhile_is_not_missed(bridge: ChatwootBridge) -> None:
    """Activity pushes the rest of a list back while it is walked; the next poll brings what went ahead."""
    grow(bridge, 60)
    chatwoot = bridge.helpdesk
    oldest = chatwoot.threads[min(chatwoot.threads) + 1]
    answer, asked = chatwoot.door.vendor.handle_async_request, 0

    class Busy(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal asked
            if request.url.path.endswith("/conversations"):
                asked += 1
                if asked == 2:
                    chatwoot.customer_says("Still there?", oldest)
            return await answer(request)

    chatwoot.door.vendor = Busy()
    await puller(bridge).backfill()
    await puller(bridge).poll()
    await bridge.settled()
    mirrored = await stored(bridge)
    for number, (_, _, name, said) in held(bridge).items():
        assert mirrored[number][2] == name
        assert set(mirrored[number][3] or ()) >= set(said or ()), number


@SILENT
async def test_a_question_whose_webhook_was_lost_is_answered_once(bridge: ChatwootBridge) -> None:
    """The poll finds it; the next one finds our answer, too, and knows it."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await puller(bridge).poll()
    await eventually(lambda: bridge.said(thread), what="an answer")
    await bridge.settled()
    for _ in range(2):
        await puller(bridge).poll()
        await bridge.settled()
    (answer,) = bridge.said(thread)
    assert "Source:" in answer["content"]
    rows = await bridge.rows("SELECT author, command_ref FROM message ORDER BY sent_at, ref")
    assert [(row.author, row.command_ref is None) for row in rows] == [("customer", True), ("ai", False)]
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1


async def parties(bridge: ChatwootBridge) -> set[frozenset[str]]:
    """Who is one person, by the numbers of their contacts; but for the one who was there before."""
    rows = await bridge.rows(
        "SELECT array_agg(i.value) AS ids FROM identity i JOIN customer c ON c.ref = i.customer_ref"
        " WHERE i.kind = 'vendor' GROUP BY c.main_ref"
    )
    return {frozenset(row.ids) for row in rows} - {frozenset({str(bridge.helpdesk.contact["id"])})}


def by_webhook(_: ChatwootBridge) -> None:
    """Chatwoot tells of the messages, whose sender is another now."""


def by_poll(bridge: ChatwootBridge) -> None:
    """The webhooks are lost."""
    bridge.helpdesk.courier.hooks = ()


@pytest.mark.parametrize("loses", [by_webhook, by_poll], ids=["by webhook", "by poll"])
async def test_contacts_made_one_at_chatwoot_are_one_person(
    bridge: ChatwootBridge, loses: Callable[[ChatwootBridge], None]
) -> None:
    """Nothing says so but a conversation that has passed to another contact."""
    chatwoot = bridge.helpdesk
    first, second, third = (chatwoot.customer_says(QUESTION) for _ in range(3))
    await bridge.settled()
    kept, gone, other = (str(each.contact["id"]) for each in (first, second, third))
    assert await parties(bridge) == {frozenset({each}) for each in (kept, gone, other)}
    loses(bridge)
    chatwoot.merge(int(kept), int(gone))
    chatwoot.customer_says("Thank you!", second)
    await puller(bridge).poll()
    await bridge.settled()
    assert await parties(bridge) == {frozenset({kept, gone}), frozenset({other})}
    (row,) = await bridge.rows(
        "SELECT i.value FROM conversation v JOIN identity i ON i.customer_ref = v.customer_ref"
        " WHERE v.id = :id AND i.kind = 'vendor'",
        id=str(second.number),
    )
    assert row.value == kept


async def test_where_a_vendor_moves_conversations_for_other_reasons_nobody_is_made_one(
    bridge: ChatwootBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the adapter that says what a move means."""
    monkeypatch.setattr(Chatwoot, "merges_by_moving", False)
    chatwoot = bridge.helpdesk
    first, second = (chatwoot.customer_says(QUESTION) for _ in range(2))
    await bridge.settled()
    kept, gone = first.contact["id"], second.contact["id"]
    chatwoot.merge(kept, gone)
    await bridge.settled()
    assert await parties(bridge) == {frozenset({str(kept)}), frozenset({str(gone)})}


@pytest.mark.parametrize(
    "chatwoot_setup", [Setup(hooks=("account", "bot", "inbox"))], ids=["account, bot and API inbox"]
)
async def test_an_api_inbox_brings_the_customer_from_elsewhere(bridge: ChatwootBridge) -> None:
    """Opened and spoken through it, heard by three hooks with a secret each; the words come in once."""
    desk = bridge.house.adapters["shop"]
    identity = Identity(IdentityKind.EXTERNAL, "tmall-77", verified=True)
    command = OpenConversation(
        key="cmd-open", subject="", text="转人工", customer_name="王芳", identities=(identity,)
    )
    pushed = await desk.push(command)
    words = Reply(key="cmd-more", conversation_id=pushed.id or "", text="在吗？", author=Author.CUSTOMER)
    await desk.push(words)
    thread = opened(bridge)
    bridge.helpdesk.agent_says(thread, "您好，我来帮您。")
    await bridge.settled()
    found = await desk.find(FindOpened(token="cmd-open", since=utc_now() - timedelta(minutes=1)))
    assert found is not None
    assert str(getattr(found, "id", "")) == pushed.id == str(thread.number)
    rows = await bridge.rows("SELECT author, text FROM message ORDER BY sent_at, ref")
    said = [(row.author, row.text) for row in rows if row.author in {"agent", "customer"}]
    assert sorted(said) == [("agent", "您好，我来帮您。"), ("customer", "在吗？"), ("customer", "转人工")]
    assert set(bridge.helpdesk.courier.statuses) <= {200, 202}
    (row,) = await bridge.rows("SELECT channel, lease_holder FROM conversation")
    assert (row.channel, row.lease_holder) == ("other", "saas_agent")


def opened(bridge: ChatwootBridge) -> Thread:
    """The conversation in the API inbox."""
    (thread,) = (each for each in bridge.helpdesk.threads.values() if each.additional_attributes)
    # What we said of the hand-off may stand between them: it goes as soon as the first is heard.
    heard = [message["content"] for message in thread.messages if message["message_type"] == INCOMING]
    assert heard == ["转人工", "在吗？"]
    return thread
