"""Who speaks in Chatwoot's webhooks, and where: our own words come back as ours, and nobody forges them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from chatwoot_reading import connect, encoded, load, only, posted
from msgspec import UNSET, UnsetType

from adapters.model import Author, Channel, ConversationChanged, MessageFailed, MessagePosted
from adapters.vendors.chatwoot import mapping


def _changed(**fields: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**load("message_created"), "message_type": "outgoing", **fields}


@pytest.mark.parametrize(
    ("payload", "author"),
    [
        (_changed(message_type="incoming"), Author.CUSTOMER),
        (_changed(message_type=0), Author.CUSTOMER),
        (_changed(message_type=1, sender={"id": 6, "name": "L", "type": "user"}), Author.AGENT),
        (_changed(sender={"id": 2, "name": "Bot", "type": "agent_bot"}), Author.AI),
        (_changed(sender={"id": 2, "name": "Captain", "type": "captain_assistant"}), Author.AI),
        (_changed(sender=None, sender_type="AgentBot"), Author.AI),
        (_changed(sender=None, sender_type="User"), Author.AGENT),
        (_changed(sender=None), Author.AGENT),
        (_changed(sender=None, content_attributes={"automation_rule_id": 3}), Author.SYSTEM),
        (_changed(sender=None, additional_attributes={"campaign_id": 3}), Author.SYSTEM),
        (_changed(message_type="activity", sender=None), Author.SYSTEM),
        (_changed(message_type=3), Author.SYSTEM),
        (_changed(message_type="template"), Author.SYSTEM),
        (_changed(message_type="whisper"), Author.UNKNOWN),
        (_changed(sender={"id": 1, "type": "robot_dog"}), Author.UNKNOWN),
    ],
)
def test_who_speaks(payload: Callable[[], dict[str, Any]], author: Author) -> None:
    """Strings and numbers, senders with and without a type, bots, rules, campaigns, the unheard-of."""
    assert posted(payload()).message.author is author


def test_our_own_words_come_back_with_our_key() -> None:
    """The mark survives; it says who spoke, even when the user's token carried the AI's words."""
    own = _changed(
        sender={"id": 6, "name": "Deskbridge", "type": "user"},
        content_attributes=mapping.mark("cmd-1", Author.AI),
    )
    message = posted(own()).message
    assert (message.token, message.author) == ("cmd-1", Author.AI)


def test_a_customer_cannot_forge_our_mark() -> None:
    """On an incoming message the mark means nothing."""
    forged = {**load("message_created"), "content_attributes": mapping.mark("cmd-1", Author.AGENT)}
    message = posted(forged).message
    assert (message.token, message.author) == (None, Author.CUSTOMER)


def test_the_customers_words_that_we_relayed_come_back_with_our_key() -> None:
    """An incoming message bears only the mark of one that we wrote in the customer's name."""
    relayed = {
        **load("message_created"),
        "content_attributes": mapping.mark("cmd-1", Author.CUSTOMER),
    }
    message = posted(relayed).message
    assert (message.token, message.author) == ("cmd-1", Author.CUSTOMER)
    turned = {**relayed, "message_type": "outgoing", "sender": {"id": 6, "type": "user"}}
    assert posted(turned).message.token is None


def test_a_message_that_the_channel_did_not_take() -> None:
    """Accepted from us, failed later: the message's copy says so, and why."""
    message, failed = connect().parse(encoded(load("message_failed")))
    assert isinstance(message, MessagePosted)
    assert isinstance(failed, MessageFailed)
    assert (failed.conversation_id, failed.message_id) == ("2207", "90318")
    assert failed.token == message.message.token == "0d5e1c52b7a94b0c9a7c0e7f4a1b2c3e"
    assert failed.reason == "131047: Re-engagement message"
    assert failed.occurred_at == datetime(2026, 11, 14, 2, 23, 5, 900000, tzinfo=UTC)


def test_a_private_note_is_private() -> None:
    """Notes come back as messages."""
    assert posted(_changed(private=True, sender={"id": 6, "type": "user"})()).message.private


@pytest.mark.parametrize(
    ("channel", "attributes", "expected"),
    [
        ("Channel::Email", {}, Channel.EMAIL),
        ("Channel::Whatsapp", {}, Channel.DIRECT_MESSAGE),
        ("Channel::Tiktok", {}, Channel.DIRECT_MESSAGE),
        ("Channel::Voice", {}, Channel.PHONE),
        ("Channel::Api", {}, Channel.LIVE),
        ("Channel::Api", {"channel": "product_page"}, Channel.PRODUCT_PAGE),
        ("Channel::Api", {"channel": "nonsense"}, Channel.LIVE),
        ("Channel::Telepathy", {}, Channel.UNKNOWN),
    ],
)
def test_channels(channel: str, attributes: dict[str, str], expected: Channel) -> None:
    """API inboxes say for themselves what they are, or the settings do."""
    payload = load("conversation_created")
    payload |= {"channel": channel, "additional_attributes": attributes}
    change = only(connect(api_channel="live").parse(encoded(payload)))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.channel is expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [({"stream": "room-7"}, "room-7"), ({"stream": 7}, "7"), ({"stream": None}, ""), ({}, ""), (None, UNSET)],
)
def test_the_broadcast_that_a_conversation_is_part_of(
    attributes: dict[str, Any] | None, expected: str | UnsetType
) -> None:
    """An API inbox says so in the additional attributes; where there are none, nothing is said."""
    payload = load("conversation_created") | {"additional_attributes": attributes}
    change = only(connect(api_channel="live").parse(encoded(payload)))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.stream == expected
