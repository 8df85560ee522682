"""Zendesk messaging as another helpdesk's desk: conversations opened for its agents, every request judged."""

from typing import Any

import pytest
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import OURS, STARTED, WORKSPACE

from adapters.contract import Adapter
from adapters.errors import Retryable
from adapters.model import (
    Author,
    ConversationRecord,
    FindOpened,
    Identity,
    IdentityKind,
    OpenConversation,
    Reply,
    TakeControl,
)
from adapters.vendors.sunshine.switchboard import METADATA_LIMIT, fits

ADDRESSES = (
    Identity(IdentityKind.EMAIL, "ann@example.com", verified=True),
    Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True),
)


def opening(**more: Any) -> OpenConversation:
    """The command."""
    given = {
        "subject": "Parcel lost",
        "text": "Three failed turns. https://bridge.example/c/1",
        "private": True,
    }
    named = {"customer_name": "Ann Lee", "identities": ADDRESSES}
    return OpenConversation(key="open-1", **given | named | more)


async def test_a_conversation_is_opened_for_the_agents_alone(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """In the name of a user of its own; the context goes with the control, and nothing is said."""
    customer = sunshine.welcome("Ann Lee", externalId="shop-88213", authenticated=True)
    pushed = await adapter.push(opening())
    thread = sunshine.threads[pushed.id or ""]
    assert thread.active is WORKSPACE
    assert thread.messages == []
    assert thread.user is not customer, "the customer's own devices would show what agents write"
    assert thread.user["profile"] == {"givenName": "Ann", "surname": "Lee", "email": "ann@example.com"}
    assert thread.user["metadata"] == {"deskbridge_customer": "shop-88213"}
    ((verb, metadata),) = sunshine.moves
    assert verb == "passControl"
    assert "https://bridge.example/c/1" in metadata["deskbridge_summary"]


async def test_what_is_not_private_is_the_customers_first_message(
    adapter: Adapter, sunshine: FakeSunshine
) -> None:
    """And what they say further is theirs, too."""
    pushed = await adapter.push(opening(text="My parcel is lost.", private=False))
    thread = sunshine.threads[pushed.id or ""]
    more = Reply(key="r-1", conversation_id=thread.id, text="Order 4711.", author=Author.CUSTOMER)
    await adapter.push(more)
    assert [each["content"]["text"] for each in thread.messages] == ["My parcel is lost.", "Order 4711."]
    assert {each["author"]["type"] for each in thread.messages} == {"user"}


async def test_a_context_of_any_length_fits(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """What is over the limit is cut, and says so."""
    await adapter.push(opening(text="包裹🙂" * 4000))
    ((_, metadata),) = sunshine.moves
    assert fits(metadata, room=METADATA_LIMIT)
    assert metadata["deskbridge_complete"] is False


@pytest.mark.parametrize("broken_at", range(4))
async def test_an_opening_that_broke_anywhere_is_finished_not_repeated(
    adapter: Adapter, sunshine: FakeSunshine, broken_at: int
) -> None:
    """User, conversation and control: each once, however often it is tried; found only when all is done."""
    sunshine.breaks_at = broken_at
    with pytest.raises(Retryable):
        await adapter.push(opening(text="Lost.", private=False))
    asked = FindOpened(token="open-1", since=STARTED)
    found = await adapter.find(asked)
    assert (found is not None) is (broken_at == 3), "the last step had worked, and was not answered"
    pushed = await adapter.push(opening(text="Lost.", private=False))
    assert len(sunshine.threads) == len(sunshine.users) == 1
    assert len(sunshine.threads[pushed.id or ""].messages) == 1
    assert [verb for verb, _ in sunshine.moves] == ["passControl"]
    found = await adapter.find(asked)
    assert isinstance(found, ConversationRecord)
    assert found.id == pushed.id


async def test_what_nobody_opened_is_not_found(adapter: Adapter) -> None:
    """A key that was never used."""
    assert await adapter.find(FindOpened(token="open-9", since=STARTED)) is None


async def test_control_of_what_we_opened_is_taken_back(adapter: Adapter, sunshine: FakeSunshine) -> None:
    """The customer needs nobody any more: what isn't ours to end otherwise is ours here, and once."""
    pushed = await adapter.push(opening())
    thread = sunshine.threads[pushed.id or ""]
    for _ in range(2):
        await adapter.push(TakeControl(key="t-1", conversation_id=thread.id))
    assert thread.active is OURS
    assert [verb for verb, _ in sunshine.moves] == ["passControl", "passControl"]
