"""The reference helpdesk and its adapter, over real HTTP."""

from datetime import datetime

import msgspec
import pytest
from msgspec import UNSET
from serving import Listener, changes_in, reply

from adapters.errors import Fatal, Outdated, Rejected, Unsupported
from adapters.model import (
    Assign,
    Author,
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
