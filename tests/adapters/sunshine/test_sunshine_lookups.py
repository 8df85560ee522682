"""What is found at Zendesk messaging, read, and written by what was read; every request is judged."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sunshine_said import SINCE, reply
from vendors.sunshine import FakeSunshine

from adapters.contract import Adapter
from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Author,
    ConversationRecord,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    PullKind,
    UpdateConversation,
    UpdateCustomer,
)


async def test_our_message_is_found_by_its_mark(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Also behind pages of later ones, though no further back than asked; the same words are not enough."""
    thread = sunshine.customer_says("hi")
    pushed = await adapter.push(reply(thread.id))
    for number in range(9):
        sunshine.agent_says(thread, f"later {number}")
    sunshine.agent_says(thread, "您好！")
    asked = FindMessage(conversation_id=thread.id, token="cmd-1", text="您好！", private=False, since=SINCE)
    found = await adapter.find(asked)
    assert isinstance(found, MessageRecord)
    assert (found.id, found.token, found.author) == (pushed.id, "cmd-1", Author.AI)
    lost = FindMessage(conversation_id=thread.id, token="cmd-2", text="您好！", private=False, since=SINCE)
    assert await adapter.find(lost) is None
    sunshine.log.clear()
    recent = datetime(2026, 11, 14, 11, 59, tzinfo=UTC)
    late = FindMessage(conversation_id=thread.id, token="cmd-2", text="x", private=False, since=recent)
    assert await adapter.find(late) is None
    assert len(sunshine.log) == 1


async def test_a_mark_from_a_customers_device_proves_nothing(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """Widgets can put metadata into what customers send."""
    thread = sunshine.customer_says("hi")
    thread.messages[-1]["metadata"] = {"deskbridge_key": "cmd-1", "deskbridge_author": "ai"}
    asked = FindMessage(conversation_id=thread.id, token="cmd-1", text="hi", private=False, since=SINCE)
    assert await adapter.find(asked) is None


async def test_users_are_found_by_id_external_id_and_email(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """One path takes both ids: what was found by the other one is not what was asked for."""
    email = [{"type": "email", "value": "chen@example.com", "verification": "embed"}]
    user = sunshine.welcome(externalId="shop/88213", identities=email, authenticated=True)
    for kind, value in (
        (IdentityKind.VENDOR, user["id"]),
        (IdentityKind.EXTERNAL, "shop/88213"),
        (IdentityKind.EMAIL, "chen@example.com"),
    ):
        found = await adapter.find(FindCustomer(identity=Identity(kind, value)))
        assert isinstance(found, CustomerRecord)
        assert (found.id, found.name, found.language) == (user["id"], "雅婷 陳", "zh-TW")
        assert Identity(kind, value, verified=kind is not IdentityKind.VENDOR) in found.identities
    for kind, value in (
        (IdentityKind.VENDOR, "shop/88213"),
        (IdentityKind.EXTERNAL, user["id"]),
        (IdentityKind.EMAIL, "nobody@example.com"),
    ):
        assert await adapter.find(FindCustomer(identity=Identity(kind, value))) is None
    with pytest.raises(Unsupported):
        await adapter.find(FindCustomer(identity=Identity(IdentityKind.PHONE, "+886900123456")))


async def test_a_conversation_is_read_as_it_is_now(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """With its metadata, and the switchboard in its raw; `None` of one that isn't there."""
    thread = sunshine.customer_says("hi")
    thread.metadata = {"order": "CS-1"}
    found = await adapter.find(FindConversation(conversation_id=thread.id))
    assert isinstance(found, ConversationRecord)
    assert found.attributes == {"order": "CS-1"}
    assert found.raw["activeSwitchboardIntegration"]["name"] == "deskbridge"
    assert await adapter.find(FindConversation(conversation_id="68a2ffffffffffffffffffff")) is None


async def test_a_customers_fields_are_written_without_losing_any(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """All that is to stay is sent; what is so already costs no write."""
    user = sunshine.welcome("Ann Lee", metadata={"level": "gold", "old": 1})
    change = UpdateCustomer(
        key="k", customer_id=user["id"], name="Ann van Dijk", attributes={"orders": 3, "old": None}
    )
    pushed = await adapter.push(change)
    assert user["profile"] == {"givenName": "Ann", "surname": "van Dijk", "locale": "zh-TW"}
    assert user["metadata"] == {"level": "gold", "orders": 3}
    assert pushed.customer is not None
    assert (pushed.customer.name, pushed.customer.attributes) == (
        "Ann van Dijk",
        {"level": "gold", "orders": 3},
    )
    await adapter.push(change)
    assert [each.partition(" ")[0] for each in sunshine.log] == ["GET", "PATCH", "GET"]
    await adapter.push(UpdateCustomer(key="k", customer_id=user["id"], name="王芳"))
    assert (user["profile"]["givenName"], user["profile"]["surname"]) == ("王芳", None)


async def test_a_conversations_attributes_are_its_metadata(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """Written whole; its name, which customers see, is never ours to set."""
    thread = sunshine.customer_says("hi")
    thread.metadata = {"order": "12", "plan": "pro"}
    changed = UpdateConversation(
        key="k", conversation_id=thread.id, attributes={"order": None, "seats": 3, "paid": True}
    )
    pushed = await adapter.push(changed)
    assert thread.metadata == {"plan": "pro", "seats": 3, "paid": True}
    assert pushed.conversation is not None
    assert pushed.conversation.attributes == thread.metadata
    with pytest.raises(Unsupported, match="shows a conversation's name to the customer"):
        await adapter.push(UpdateConversation(key="k", conversation_id=thread.id, subject="Parcel"))


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [({"address": {"city": "Taipei"}}, "flat: address"), ({"long": "長" * 1400}, "larger than 4096 bytes")],
)
async def test_metadata_must_be_flat_and_small(
    adapter: Adapter, sunshine: FakeSunshine, attributes: dict[str, Any], fault: str
) -> None:
    """What the vendor would refuse is rejected with the reason, and not sent."""
    thread = sunshine.customer_says("hi")
    for command in (
        UpdateConversation(key="k", conversation_id=thread.id, attributes=attributes),
        UpdateCustomer(key="k", customer_id=thread.user["id"], attributes=attributes),
    ):
        with pytest.raises(Rejected, match=fault):
            await adapter.push(command)
    assert not [each for each in sunshine.log if each.startswith("PATCH")]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
async def test_messages_are_walked_oldest_first(adapter: Adapter, sunshine: FakeSunshine, count: int) -> None:
    """Though the vendor begins with the latest; then only what is new, one request a page."""
    thread = sunshine.open_thread()
    for number in range(count):
        sunshine.customer_says(f"m{number}", thread)
    texts: list[str] = []
    cursor, last, pages = None, False, 0
    while not last:
        page = await adapter.pull(PullKind.MESSAGES, cursor, scope=thread.id)
        texts += [change.message.text for change in page.changes if isinstance(change, MessagePosted)]
        cursor, last, pages = page.cursor, page.last, pages + 1
        assert len(sunshine.log) == pages
    assert texts == [f"m{number}" for number in range(count)]
    sunshine.customer_says("and one more", thread)
    page = await adapter.pull(PullKind.MESSAGES, cursor, scope=thread.id)
    (change,) = page.changes
    assert isinstance(change, MessagePosted)
    assert (change.message.text, page.last) == ("and one more", True)
    assert change.conversation.customer_id == thread.user["id"]


async def test_users_and_conversations_cannot_be_listed(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """The API lists one user's conversations only: that is said, and nothing is asked."""
    for kind in (PullKind.CUSTOMERS, PullKind.CONVERSATIONS):
        with pytest.raises(Unsupported):
            await adapter.pull(kind, None)
    assert sunshine.log == []
