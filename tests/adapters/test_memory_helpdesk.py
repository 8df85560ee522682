"""The reference helpdesk and its adapter, over real HTTP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from msgspec import UNSET
from serving import Listener

from adapters.errors import Fatal, Outdated, Rejected, Retryable, Unsupported
from adapters.model import (
    Assign,
    Author,
    Change,
    ChangeTags,
    Channel,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    Person,
    PullKind,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.server import MemoryHelpdesk
from adapters.webhook import Webhook


def changes_in(memory: Memory, heard: list[Webhook]) -> list[Change]:
    """What the adapter makes of the webhooks."""
    now = datetime.now(UTC)
    deliveries = [each for webhook in heard for each in memory.verify(webhook, now=now).deliveries]
    return [change for delivery in deliveries for change in memory.parse(delivery.body)]


def texts(changes: list[Change]) -> list[str]:
    """The texts of the messages among the changes."""
    return [change.message.text for change in changes if isinstance(change, MessagePosted)]


def reply(conversation_id: str, text: str = "您好！", key: str = "cmd-1") -> Reply:
    """A reply of the AI."""
    return Reply(key=key, conversation_id=conversation_id, text=text, author=Author.AI)


async def test_credentials_are_checked(memory: Memory) -> None:
    """`check` says whose the token is, and a wrong one is fatal."""
    assert await memory.check() == "Deskbridge bot"
    memory.http.headers["Authorization"] = "Bearer wrong-token"
    with pytest.raises(Fatal) as caught:
        await memory.check()
    assert "wrong-token" not in caught.value.detail


async def test_a_customers_words_arrive_as_changes(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """A new customer's first message tells of customer, conversation and message, in that order."""
    helpdesk.customer_says(
        "li", "我的包裹📦到哪了？", channel="live", name="李雷", email="li@example.com", language="zh"
    )
    await helpdesk.drain()
    changes = changes_in(memory, listener.heard)
    assert [type(change) for change in changes] == [CustomerChanged, ConversationChanged, MessagePosted]
    posted = changes[2]
    assert isinstance(posted, MessagePosted)
    assert posted.message.text == "我的包裹📦到哪了？"
    assert posted.message.author is Author.CUSTOMER
    assert posted.conversation.channel is Channel.LIVE
    assert posted.conversation.status is Status.PENDING
    assert posted.customer is not None
    assert Identity(IdentityKind.EMAIL, "li@example.com") in posted.customer.identities
    assert posted.message.raw["text"] == posted.message.text


async def test_every_command_has_its_effect_and_is_heard_back(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Reply, note, assignment, status, tags and attributes reach the helpdesk; our token comes back."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    await memory.push(reply(conversation))
    person = Person("desk_7", "王芳")
    await memory.push(
        Reply(key="cmd-2", conversation_id=conversation, text="我来", author=Author.AGENT, person=person)
    )
    await memory.push(Note(key="cmd-3", conversation_id=conversation, text="context"))
    await memory.push(Assign(key="cmd-4", conversation_id=conversation, assignee_id="agent_2"))
    await memory.push(SetStatus(key="cmd-5", conversation_id=conversation, status=Status.OPEN))
    await memory.push(ChangeTags(key="cmd-6", conversation_id=conversation, add=("vip", "returns")))
    await memory.push(ChangeTags(key="cmd-7", conversation_id=conversation, remove=("returns",)))
    await memory.push(UpdateCustomer(key="cmd-8", customer_id="li", attributes={"tier": "gold"}))
    await helpdesk.drain()

    state = helpdesk.state.conversation(conversation)
    assert (state.status, state.tags, state.assignee and state.assignee.name) == ("open", ["vip"], "Mei")
    assert helpdesk.state.customer("li").attributes == {"tier": "gold"}
    posted = [each for each in changes_in(memory, listener.heard) if isinstance(each, MessagePosted)][1:]
    assert [(each.message.author, each.message.token, each.message.private) for each in posted] == [
        (Author.AI, "cmd-1", False),
        (Author.AGENT, "cmd-2", False),
        (Author.AI, "cmd-3", True),
    ]
    assert posted[1].message.person == person
    assert all(request.status == 200 for request in helpdesk.requests)


async def test_a_conversation_is_changed_in_one_go_unless_somebody_was_faster(
    helpdesk: MemoryHelpdesk, memory: Memory
) -> None:
    """The write that names the time it was read at is refused whole when that has passed."""
    opened = helpdesk.state.open(helpdesk.state.welcome("li"), channel="email", subject="Parcel")
    read = await memory.find(FindConversation(conversation_id=opened.id))
    assert isinstance(read, ConversationRecord)
    assert read.updated_at is not UNSET
    change = UpdateConversation(
        key="a",
        conversation_id=opened.id,
        subject="Lost parcel",
        attributes={"order": "12", "plan": None},
        status=Status.OPEN,
        tags=("vip",),
        updated_at=read.updated_at,
    )
    helpdesk.state.change(opened, by="agent", attributes={"plan": "pro", "seats": 3})
    with pytest.raises(Outdated):
        await memory.push(change)
    assert (opened.subject, opened.status, opened.attributes) == (
        "Parcel",
        "pending",
        {"plan": "pro", "seats": 3},
    )
    pushed = await memory.push(msgspec.structs.replace(change, updated_at=opened.updated_at))
    assert (opened.subject, opened.status, opened.tags) == ("Lost parcel", "open", ["vip"])
    assert opened.attributes == {"order": "12", "seats": 3}
    assert pushed.conversation is not None
    assert pushed.conversation == await memory.find(FindConversation(conversation_id=opened.id))


async def test_setting_what_is_set_tells_nobody(helpdesk: MemoryHelpdesk, memory: Memory) -> None:
    """A no-op makes no event."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    await helpdesk.drain()
    before = len(helpdesk.deliveries)
    await memory.push(SetStatus(key="k", conversation_id=conversation, status=Status.PENDING))
    await helpdesk.drain()
    assert len(helpdesk.deliveries) == before


async def test_what_cannot_be_done_is_rejected(helpdesk: MemoryHelpdesk, memory: Memory) -> None:
    """An unknown conversation, agent or status parks the command."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    with pytest.raises(Rejected):
        await memory.push(reply("con_0"))
    with pytest.raises(Rejected, match="no agent"):
        await memory.push(Assign(key="k", conversation_id=conversation, assignee_id="nobody"))
    with pytest.raises(Unsupported):
        await memory.push(SetStatus(key="k", conversation_id=conversation, status=Status.UNKNOWN))


async def test_messages_and_customers_are_found(
    helpdesk: MemoryHelpdesk, memory: Memory, now: datetime
) -> None:
    """By our token and by any of a customer's addresses; what isn't there is `None`."""
    helpdesk.customer_says("li", "hello", email="li@example.com", phone="+8613800000000")
    conversation = helpdesk.messages[0].conversation_id
    await memory.push(reply(conversation, key="cmd-9"))
    query = FindMessage(conversation_id=conversation, token="cmd-9", text="您好！", private=False, since=now)
    found = await memory.find(query)
    assert isinstance(found, MessageRecord)
    assert found.token == "cmd-9"
    missing = FindMessage(conversation_id=conversation, token="no", text="", private=False, since=now)
    assert await memory.find(missing) is None
    for kind, value in (
        (IdentityKind.VENDOR, "li"),
        (IdentityKind.EMAIL, "li@example.com"),
        (IdentityKind.PHONE, "+8613800000000"),
    ):
        customer = await memory.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(customer, CustomerRecord)
        assert customer.id == "li"
        assert await memory.find(FindCustomer(identity=Identity(kind, "other"))) is None


async def test_pulls_walk_pages_oldest_first(helpdesk: MemoryHelpdesk, memory: Memory) -> None:
    """Every conversation once, in the order of their last change; nothing follows the last page."""
    for number in range(250):
        helpdesk.customer_says(f"c{number}", "hi")
    seen: list[str] = []
    cursor, last = None, False
    while not last:
        page = await memory.pull(PullKind.CONVERSATIONS, cursor)
        seen += [each.conversation.id for each in page.changes if isinstance(each, ConversationChanged)]
        cursor, last = page.cursor, page.last
    assert seen == list(helpdesk.state.conversations)
    messages = await memory.pull(PullKind.MESSAGES, None, scope=seen[0])
    assert [each.message.text for each in messages.changes if isinstance(each, MessagePosted)] == ["hi"]
    customers = await memory.pull(PullKind.CUSTOMERS, None)
    assert len(customers.changes) == 100
    helpdesk.agent_says(seen[0], "hello")
    again = await memory.pull(PullKind.CONVERSATIONS, cursor)
    assert [each.conversation.id for each in again.changes if isinstance(each, ConversationChanged)] == [
        seen[0]
    ]


@pytest.mark.parametrize(
    ("fault", "options", "outcome_unknown", "applied"),
    [
        ("error", {}, True, False),
        ("error_after", {"status": 503}, True, True),
        ("rate_limit", {"retry_after": 3}, False, False),
        ("time_out_before", {"seconds": 5}, True, False),
        ("time_out_after", {"seconds": 5}, True, True),
        ("reset_before", {}, True, False),
        ("reset_after", {}, True, True),
    ],
)
async def test_misbehaviour_of_the_api_is_sorted(  # noqa: PLR0917 - fixtures and a table
    helpdesk: MemoryHelpdesk,
    memory: Memory,
    fault: str,
    options: dict[str, float],
    outcome_unknown: bool,  # noqa: FBT001 - a parameter of the table
    applied: bool,  # noqa: FBT001 - likewise
) -> None:
    """Every fault is retryable; whether to look first depends on whether it may have been applied."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    memory.http.timeout = httpx.Timeout(0.3)
    helpdesk.misbehave(fault, method="POST", path="/messages", **options)
    with pytest.raises(Retryable) as caught:
        await memory.push(reply(conversation))
    assert caught.value.outcome_unknown is outcome_unknown
    assert (len(helpdesk.messages) == 2) is applied
    assert helpdesk.requests[0].fault == fault
    if fault == "rate_limit":
        assert caught.value.retry_after == timedelta(seconds=3)
    await memory.push(reply(conversation))
    assert len(helpdesk.messages) == (3 if applied else 2), "the helpdesk itself never de-duplicates"


async def test_webhooks_come_twice_late_or_never_when_told_to(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Duplicates keep their key; a reordered one comes after its followers; a dropped one never."""
    conversation = helpdesk.customer_says("li", "first").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    helpdesk.misbehave("duplicate", event="message_posted")
    helpdesk.customer_says("li", "second")
    await helpdesk.drain()
    keys = [memory.verify(each, now=datetime.now(UTC)).deliveries[0].key for each in listener.heard]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    listener.heard.clear()
    helpdesk.misbehave("reorder", seconds=0.1)
    helpdesk.customer_says("li", "third", conversation_id=conversation)
    helpdesk.customer_says("li", "fourth", conversation_id=conversation)
    helpdesk.misbehave("drop")
    helpdesk.customer_says("li", "fifth", conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["fourth", "third"]


async def test_a_stale_webhook_tells_of_what_was(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """It comes in its order, and once more after later events."""
    conversation = helpdesk.customer_says("li", "first").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    helpdesk.misbehave("stale", seconds=0.1)
    helpdesk.customer_says("li", "second", conversation_id=conversation)
    helpdesk.customer_says("li", "third", conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["second", "third", "second"]


async def test_a_late_deed_is_done_though_nobody_waits_for_it(
    helpdesk: MemoryHelpdesk, memory: Memory
) -> None:
    """A vendor that is slow to act acts even where the caller has hung up."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    helpdesk.misbehave("late", seconds=1.5)
    memory.http.timeout = httpx.Timeout(0.5)
    with pytest.raises(Retryable) as caught:
        await memory.push(reply(conversation))
    assert caught.value.outcome_unknown
    assert len(helpdesk.messages) == 1
    async with asyncio.timeout(10):
        while len(helpdesk.messages) < 2:  # noqa: ASYNC110 - it does it by itself, some time
            await asyncio.sleep(0.05)


async def test_a_clock_that_is_wrong_shows_in_every_record(helpdesk: MemoryHelpdesk) -> None:
    """What happened is listed in order and at real times, whatever the helpdesk's own clock says."""
    helpdesk.set_clock(-60)
    before = datetime.now(UTC)
    said = helpdesk.customer_says("li", "hello")
    assert before - said.created_at > timedelta(seconds=59)
    assert [each.type for each in helpdesk.happened] == [
        "customer_changed",
        "conversation_changed",
        "message_posted",
    ]
    assert all(each.at >= before for each in helpdesk.happened)


async def test_a_refused_webhook_is_sent_again_in_order(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Non-2xx answers are retried, and later events of the conversation wait."""
    conversation = helpdesk.customer_says("li", "zero").conversation_id
    await helpdesk.drain()
    listener.heard.clear()
    listener.answers += [503, 500]
    for text in ("one", "two", "three"):
        helpdesk.customer_says("li", text, conversation_id=conversation)
    await helpdesk.drain()
    assert texts(changes_in(memory, listener.heard)) == ["one", "one", "one", "two", "three"]


async def test_hundreds_of_webhooks_a_second_keep_their_order(
    helpdesk: MemoryHelpdesk, memory: Memory, listener: Listener
) -> None:
    """Forty conversations side by side, each in its own order."""
    started = time.perf_counter()
    for number in range(10):
        for customer in range(40):
            helpdesk.customer_says(f"c{customer}", str(number))
    await helpdesk.drain()
    seconds = time.perf_counter() - started
    per_lane: dict[str, list[str]] = {}
    for change in changes_in(memory, listener.heard):
        if isinstance(change, MessagePosted):
            per_lane.setdefault(change.conversation.id, []).append(change.message.text)
    assert len(per_lane) == 40
    assert all(lane == [str(number) for number in range(10)] for lane in per_lane.values())
    assert len(listener.heard) / seconds > 100


async def test_a_checker_in_another_process_can_direct_and_read(
    address: str, helpdesk: MemoryHelpdesk, listener: Listener
) -> None:
    """Everything the methods do, `/control` does over HTTP."""
    async with httpx.AsyncClient(base_url=f"{address}/control") as control:
        webhook = {"url": listener.url, "secret": "other", "attempts": 1}
        assert (await control.put("/webhook", json=webhook)).status_code == 200
        said = await control.post("/customers/li/say", json={"text": "你好", "channel": "comment"})
        conversation = said.json()["conversation_id"]
        await control.post(f"/conversations/{conversation}/agent_say", json={"text": "hi"})
        await control.post(f"/conversations/{conversation}/status", json={"status": "resolved"})
        await control.post(f"/conversations/{conversation}/assignee", json={"agent_id": "agent_3"})
        await control.post(f"/conversations/{conversation}/tags", json={"add": ["vip"]})
        await control.post("/customers/li/attributes", json={"attributes": {"tier": "gold"}})
        await control.post("/misbehave", json={"fault": "error", "times": None})
        await control.delete("/misbehave")
        await control.post("/drain")
        log = (await control.get("/log")).json()
        assert (await control.put("/clock", json={"ahead": 5})).status_code == 200
        happened = (await control.get("/happened?after=1")).json()["items"]
        seen = (await control.get(f"/conversations/{conversation}")).json()
        assert (await control.post("/misbehave", json={"fault": "sing"})).status_code == 422
        assert (await control.post("/customers/li/say", json={"txt": "x"})).status_code == 422
        assert (await control.get("/nothing")).status_code == 404
    assert [message["text"] for message in log["messages"]] == ["你好", "hi"]
    assert all(delivery["status"] == 202 for delivery in log["deliveries"])
    assert [each["type"] for each in happened[:2]] == ["conversation_changed", "message_posted"]
    assert happened[1]["message"]["text"] == "你好"
    assert helpdesk.clock_ahead == timedelta(seconds=5)
    assert seen["conversation"]["status"] == "resolved"
    assert seen["conversation"]["assignee"]["name"] == "Alex"
    assert helpdesk.state.customer("li").attributes == {"tier": "gold"}


async def test_a_misspelt_key_is_refused(address: str, helpdesk: MemoryHelpdesk) -> None:
    """The API overlooks nothing, so that an adapter's slip is seen."""
    conversation = helpdesk.customer_says("li", "hello").conversation_id
    headers = {"Authorization": "Bearer memory-token"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        path = f"/api/conversations/{conversation}"
        assert (await client.post(f"{path}/messages", json={"text": "x", "tokn": "k"})).status_code == 422
        assert (await client.patch(path, json={"status": "closed"})).status_code == 422


async def test_a_slow_answer_is_an_answer(helpdesk: MemoryHelpdesk, memory: Memory) -> None:
    """Slowness alone changes nothing."""
    helpdesk.misbehave("slow", seconds=0.1)
    started = asyncio.get_running_loop().time()
    assert await memory.check() == "Deskbridge bot"
    assert asyncio.get_running_loop().time() - started >= 0.1
