"""What Zendesk messaging tells of what was said: by whom, where, in which form."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET
from sunshine_told import CONVERSATION, USER, posted, read, sample, spoken_by
from vendors.sunshine_app import settings

from adapters import registry
from adapters.contract import Adapter
from adapters.model import (
    Author,
    Channel,
    ConversationChanged,
    Identity,
    IdentityKind,
    Person,
)


@pytest.fixture
def adapter() -> Adapter:
    """The adapter; nothing here asks the vendor."""
    return registry.build("sunshine", settings())


def test_what_a_customer_says(adapter: Adapter) -> None:
    """With whom they are, by every address, and through which channel."""
    change = posted(adapter, sample("conversation_message"))
    assert change.message.author is Author.CUSTOMER
    assert change.message.text == "我的包裹卡在海關，怎麼辦？"
    assert change.message.sent_at == change.occurred_at == datetime(2026, 11, 14, 11, 58, 20, 417000, UTC)
    thread = change.conversation
    assert (thread.id, thread.customer_id, thread.channel) == (CONVERSATION, USER, Channel.DIRECT_MESSAGE)
    assert thread.attributes == {"order_number": "CS-10482"}
    assert change.customer is not None
    assert (change.customer.name, change.customer.language) == ("雅婷 陳", "zh-TW")
    assert change.customer.attributes == {"member_level": "gold", "orders": 3}
    assert set(change.customer.identities) == {
        Identity(IdentityKind.VENDOR, USER),
        Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True),
        Identity(IdentityKind.EMAIL, "chen.yating@example.com", verified=True),
        Identity(IdentityKind.PHONE, "+886900123456", verified=True),
    }


def test_what_is_only_stated_is_not_verified(adapter: Adapter) -> None:
    """A visitor who isn't signed in may call themselves anything."""
    body = sample("conversation_message")
    writer = body["events"][0]["payload"]["message"]["author"]
    writer["user"] |= {"authenticated": False}
    body["events"][0]["payload"]["message"]["source"] = {"type": "web"}
    customer = posted(adapter, body).customer
    assert customer is not None
    assert {each.kind for each in customer.identities} == {
        IdentityKind.VENDOR,
        IdentityKind.EXTERNAL,
        IdentityKind.EMAIL,
    }
    assert not any(each.verified for each in customer.identities)


def test_a_user_cut_short_is_known_by_id(adapter: Adapter) -> None:
    """Without includeFullUser; a name of the widget's making is none."""
    body = sample("conversation_message")
    body["events"][0]["payload"]["message"]["author"] = {
        "type": "user",
        "userId": USER,
        "displayName": "Web User 68a1f0c2b3d4e5f6071828aa",
    }
    body["events"][0]["payload"]["message"]["source"] = {"type": "web"}
    customer = posted(adapter, body).customer
    assert customer is not None
    assert (customer.id, customer.name, customer.attributes) == (USER, UNSET, UNSET)
    assert customer.identities == (Identity(IdentityKind.VENDOR, USER),)


@pytest.mark.parametrize(
    ("author", "source", "expected"),
    [
        ({"type": "business", "subtypes": ["agent"]}, "api:conversations", Author.AGENT),
        ({"type": "business", "subtypes": ["bot"]}, "zd:agentWorkspace", Author.AI),
        ({"type": "business", "subtypes": ["AI"]}, None, Author.AI),
        ({"type": "business", "subtypes": ["activity"]}, "zd:agentWorkspace", Author.SYSTEM),
        ({"type": "business"}, "zd:agentWorkspace", Author.AGENT),
        ({"type": "business"}, "zd:answerBot", Author.AI),
        ({"type": "business"}, "ultimate", Author.AI),
        ({"type": "business"}, "zd:surveys", Author.SYSTEM),
        ({"type": "business"}, "slackconnect", Author.AGENT),
        ({"type": "business", "subtypes": ["never heard of"]}, "never heard of", Author.AGENT),
        ({"type": "business", "subtypes": None}, None, Author.AGENT),
        ({"type": "never heard of"}, "web", Author.UNKNOWN),
        ({}, None, Author.UNKNOWN),
    ],
)
def test_who_speaks(adapter: Adapter, author: dict[str, Any], source: str | None, expected: Author) -> None:
    """Bots are told from people; who speaks for the business and says nothing of itself is a person."""
    assert posted(adapter, spoken_by(author, source)).message.author is expected


def test_what_the_system_says_of_itself_is_nobodys_word(adapter: Adapter) -> None:
    """A closed ticket leaves a message in the conversation."""
    closed = {"activity": {"type": "ticket:closed"}}
    said = posted(adapter, spoken_by({"type": "business"}, "zd:agentWorkspace", **closed)).message
    assert said.author is Author.SYSTEM


def test_an_agent_is_named(adapter: Adapter) -> None:
    """And what they say tells nothing of the customer's channel."""
    change = posted(adapter, sample("message_by_agent"))
    assert (change.message.author, change.message.person) == (Author.AGENT, Person("Lin Wei", "Lin Wei"))
    assert (change.conversation.channel, change.conversation.customer_id, change.customer) == (
        UNSET,
        UNSET,
        None,
    )


def test_our_own_message_comes_back_with_its_mark(adapter: Adapter) -> None:
    """As the AI's or the person's, whatever the vendor makes of it."""
    said = posted(adapter, sample("echo")).message
    assert (said.token, said.author) == ("0d5e1c52b7a94b0c9a7c0e7f4a1b2c3d", Author.AI)
    person = spoken_by(
        {"type": "business", "displayName": "王芳"},
        "api:conversations",
        metadata={"deskbridge_key": "k", "deskbridge_author": "agent"},
    )
    said = posted(adapter, person).message
    assert (said.token, said.author) == ("k", Author.AGENT)


def test_a_customer_cannot_pass_for_us(adapter: Adapter) -> None:
    """Their device may send metadata along; only what came by the API bears a mark of ours."""
    body = sample("conversation_message")
    message = body["events"][0]["payload"]["message"]
    message["metadata"] = {"deskbridge_key": "k", "deskbridge_author": "ai"}
    said = posted(adapter, body).message
    assert (said.token, said.author) == (None, Author.CUSTOMER)
    message["source"] = {"type": "api:conversations"}
    said = posted(adapter, body).message
    assert (said.token, said.author) == ("k", Author.CUSTOMER)


def test_files_come_with_their_message(adapter: Adapter) -> None:
    """By address, name, type and size."""
    (file,) = posted(adapter, sample("conversation_message_image")).message.attachments
    assert file.url.startswith("https://media.example.com/apps/")
    assert (file.name, file.content_type, file.size) == ("receipt 1.png", "image/png", 48213)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"type": "formResponse", "textFallback": "Name: Mei"}, "Name: Mei"),
        (
            {
                "type": "formResponse",
                "fields": [
                    {"label": "Name", "text": "Mei"},
                    {"label": "Size", "select": [{"label": "M"}, {"label": "L"}]},
                ],
            },
            "Name: Mei\nSize: M, L",
        ),
        ({"type": "location", "coordinates": {"lat": 25.03, "long": 121.5}}, "25.03, 121.5"),
        ({"type": "carousel", "items": [{"title": "Boat"}, {"title": "Oar"}, {}]}, "Boat\nOar"),
        ({"type": "text", "htmlText": "<b>hi</b>"}, "<b>hi</b>"),
        ({"type": "never heard of", "text": "still here"}, "still here"),
        ({"type": "template", "template": {}}, ""),
        (None, ""),
    ],
)
def test_whatever_is_sent_has_words(adapter: Adapter, content: Any, text: str) -> None:
    """Forms, places and lists read as text."""
    body = sample("conversation_message")
    body["events"][0]["payload"]["message"]["content"] = content
    assert posted(adapter, body).message.text == text


def test_a_pressed_button_is_the_customers_word(adapter: Adapter) -> None:
    """It says what the button stands for, once however often it is told."""
    body = sample("conversation_postback")
    change = posted(adapter, body)
    assert (change.message.author, change.message.text) == (Author.CUSTOMER, "track_order")
    assert change.message.id == f"postback:{body['events'][0]['id']}"
    assert change.customer is not None
    assert change.conversation.customer_id == change.customer.id == USER


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("web", Channel.CHAT),
        ("ios", Channel.CHAT),
        ("mailgun", Channel.EMAIL),
        ("instagram", Channel.DIRECT_MESSAGE),
        ("wechat", Channel.DIRECT_MESSAGE),
        ("carrier_pigeon", Channel.UNKNOWN),
        ("api:conversations", UNSET),
        (None, UNSET),
    ],
)
def test_channels(adapter: Adapter, source: str | None, expected: Any) -> None:
    """What nobody has heard of is unknown, never an error."""
    body = sample("conversation_create")
    body["events"][0]["payload"]["source"] = {"type": source}
    (change,) = read(adapter, body)
    assert isinstance(change, ConversationChanged)
    assert change.conversation.channel is expected


def test_a_widget_may_stand_on_a_product_page() -> None:
    """A setting says what conversations of widget and apps are."""
    adapter = registry.build("sunshine", settings() | {"sdk_channel": "product_page"})
    (change,) = read(adapter, sample("conversation_create"))
    assert isinstance(change, ConversationChanged)
    assert change.conversation.channel is Channel.PRODUCT_PAGE
