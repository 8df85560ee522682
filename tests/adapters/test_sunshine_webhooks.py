"""What Zendesk messaging's webhooks mean: signed by a shared secret, several events in each."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from vendors.sunshine import WEBHOOK_SECRET, settings

from adapters import registry
from adapters.contract import Adapter, Receipt
from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Author,
    Change,
    Channel,
    Control,
    ControlChanged,
    ConversationChanged,
    CustomerChanged,
    CustomersMerged,
    Identity,
    IdentityKind,
    MessageFailed,
    MessagePosted,
    Person,
)
from adapters.vendors.sunshine import adapter as module
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
CONVERSATION, USER = "68a1f0c2b3d4e5f607182930", "68a1f0c2b3d4e5f6071828aa"


@pytest.fixture
def adapter() -> Adapter:
    """The adapter; nothing here asks the vendor."""
    return registry.build("sunshine", settings())


def sample(name: str) -> dict[str, Any]:
    """A fixture."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def deliver(adapter: Adapter, body: Any, secret: str | None = WEBHOOK_SECRET) -> Receipt:
    """Hand a webhook in."""
    headers = {} if secret is None else {"x-api-key": secret}
    content = json.dumps(body).encode()
    webhook = Webhook(method="POST", url="https://d.example/hooks/m", query={}, headers=headers, body=content)
    return adapter.verify(webhook, now=NOW)


def read(adapter: Adapter, body: Any) -> list[Change]:
    """All that a webhook means."""
    receipt = deliver(adapter, body)
    return [change for delivery in receipt.deliveries for change in adapter.parse(delivery.body)]


def posted(adapter: Adapter, body: Any) -> MessagePosted:
    """The message that a webhook tells of."""
    *_, change = read(adapter, body)
    assert isinstance(change, MessagePosted)
    return change


def spoken_by(author: dict[str, Any], source: str | None = None, **message: Any) -> dict[str, Any]:
    """A webhook with a message by this author from this source."""
    body = sample("message_by_agent")
    told = body["events"][0]["payload"]["message"]
    del told["metadata"]
    told |= {"author": author, "source": {"type": source} if source else {}} | message
    return body


@pytest.mark.parametrize("secret", [None, "", "wrong", WEBHOOK_SECRET + "x", WEBHOOK_SECRET.upper()])
def test_only_who_knows_the_secret_is_heard(adapter: Adapter, secret: str | None) -> None:
    """It stands in X-API-Key, and nothing else opens."""
    with pytest.raises(BadSignature):
        deliver(adapter, sample("conversation_message"), secret)
    assert deliver(adapter, sample("conversation_message")).deliveries


def test_while_the_secret_is_changed_both_hold() -> None:
    """A new webhook brings a new secret before the old one is gone."""
    adapter = registry.build("sunshine", settings() | {"webhook_secret": ["new", "old"]})
    for secret in ("new", "old"):
        assert deliver(adapter, sample("conversation_message"), secret).deliveries
    with pytest.raises(BadSignature):
        deliver(adapter, sample("conversation_message"), "older")


def test_each_event_is_a_delivery_of_its_own(adapter: Adapter) -> None:
    """Known by the event's id, so that none is taken twice, in the lane of its conversation."""
    body = sample("several_events")
    ids = [each["id"] for each in body["events"]]
    receipt = deliver(adapter, body)
    assert [each.key for each in receipt.deliveries] == [ids[0], ids[2]]  # who reads means nothing to us
    assert {each.lane for each in receipt.deliveries} == {CONVERSATION}
    assert [type(change) for change in read(adapter, body)] == [ConversationChanged, MessagePosted]
    assert 200 <= receipt.reply.status < 300


def test_users_have_lanes_of_their_own(adapter: Adapter) -> None:
    """They may have several conversations."""
    for name in ("user_update", "user_merge"):
        (delivery,) = deliver(adapter, sample(name)).deliveries
        assert delivery.lane == f"user:{USER}"


def test_an_odd_event_does_not_take_its_neighbours_along(adapter: Adapter) -> None:
    """To answer 400 would lose them all for ever: it is accepted, and parks by itself."""
    body = sample("several_events")
    body["events"].insert(0, {"id": "odd", "type": "conversation:message", "payload": None})
    body["events"].insert(0, {"type": "conversation:message", "payload": {"conversation": {"id": "c"}}})
    body["events"] += ["no event", None, {"type": 7}]
    nameless, odd, *good = deliver(adapter, body).deliveries
    assert (odd.key, odd.lane) == ("odd", "unplaced")
    assert nameless.key.startswith("conversation:message:")
    for each in (odd, nameless):
        with pytest.raises(Malformed):
            adapter.parse(each.body)
    assert [len(adapter.parse(each.body)) for each in good] == [1, 1]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"app": {"id": "another"}, "events": []}, "belong to app another"),
        ({"trigger": "message:appUser", "version": "v1.1", "messages": []}, "version 1"),
        ({"hello": 1}, "holds no events"),
        ([], "holds no events"),
    ],
)
def test_what_can_never_be_right_is_refused(adapter: Adapter, body: Any, fault: str) -> None:
    """Another app's events, a webhook of the old version, something else altogether."""
    with pytest.raises(Malformed, match=fault):
        deliver(adapter, body)


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


def test_two_users_become_one(adapter: Adapter) -> None:
    """The one that is gone is named."""
    (change,) = read(adapter, sample("user_merge"))
    assert isinstance(change, CustomersMerged)
    assert (change.customer.id, change.gone_id) == (USER, "68a1f0c2b3d4e5f6071828bb")


def test_a_user_who_signs_in(adapter: Adapter) -> None:
    """Is a customer who changed."""
    (change,) = read(adapter, sample("user_update"))
    assert isinstance(change, CustomerChanged)
    assert Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True) in change.customer.identities


def test_what_is_not_delivered_after_all(adapter: Adapter) -> None:
    """Is told with the reason, once no channel is left to try."""
    body = sample("conversation_message_delivery_failure")
    (change,) = read(adapter, body)
    assert isinstance(change, MessageFailed)
    assert change.conversation_id == CONVERSATION
    assert change.message_id == body["events"][0]["payload"]["message"]["id"]
    assert change.reason == "The 24 hour window has passed."
    body["events"][0]["payload"]["isFinalEvent"] = False
    assert read(adapter, body) == []


OURS, WORKSPACE, BOT = "deskbridge", "zd-agentWorkspace", "zd-answerBot"


def switched(verb: str, active: str | None, pending: str | None = None, **payload: Any) -> dict[str, Any]:
    """A webhook of the switchboard."""
    body = copy.deepcopy(sample("switchboard_release_control"))
    event = body["events"][0]
    event["type"] = f"switchboard:{verb}"
    event["payload"] = {"conversation": {"id": CONVERSATION, "type": "personal"}, **payload}
    for field, name in (("activeSwitchboardIntegration", active), ("pendingSwitchboardIntegration", pending)):
        if name:
            event["payload"]["conversation"][field] = {"id": f"id-of-{name}", "name": name}
    return body


@pytest.mark.parametrize(
    ("moved", "control", "holder"),
    [
        (("passControl", OURS, None), Control.OURS, OURS),
        (("passControl", WORKSPACE, None), Control.THEIRS, WORKSPACE),
        (("passControl", None, None), Control.UNKNOWN, None),
        (("passControl:failure", OURS, None), Control.REFUSED, OURS),
        (("offerControl", BOT, OURS), Control.OFFERED_TO_US, OURS),
        (("offerControl", OURS, WORKSPACE), Control.OFFERED_AWAY, WORKSPACE),
        (("offerControl", None, WORKSPACE), Control.OFFERED_AWAY, WORKSPACE),
        (("offerControl", BOT, WORKSPACE), Control.THEIRS, WORKSPACE),
        (("offerControl", BOT, None), Control.UNKNOWN, BOT),
        (("offerControl:failure", OURS, None), Control.REFUSED, OURS),
        (("acceptControl", OURS, None), Control.OURS, OURS),
        (("acceptControl", WORKSPACE, None), Control.THEIRS, WORKSPACE),
        (("acceptControl:failure", BOT, OURS), Control.REFUSED, BOT),
        (("releaseControl", None, None), Control.RELEASED, None),
        (("neverHeardOf", OURS, None), Control.UNKNOWN, OURS),
    ],
)
def test_the_switchboard_as_we_see_it(
    adapter: Adapter, moved: tuple[str, str | None, str | None], control: Control, holder: str | None
) -> None:
    """Be we the bot that gives away or the desk that is offered to; failures, too."""
    (change,) = read(adapter, switched(*moved, metadata={"intent": "customs"}))
    assert isinstance(change, ControlChanged)
    assert change.control is control
    assert change.holder == (Person(f"id-of-{holder}", holder) if holder else None)
    assert change.metadata == {"intent": "customs"}
    assert change.conversation.id == CONVERSATION


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"reason": "ticketClosed"}, "ticketClosed"),
        ({"error": {"code": "forbidden", "message": "Not pending."}}, "Not pending."),
        ({"error": {"code": "forbidden"}}, "forbidden"),
        ({"error": None, "metadata": None}, ""),
    ],
)
def test_why_control_moved(adapter: Adapter, payload: dict[str, Any], reason: str) -> None:
    """Where the vendor says."""
    (change,) = read(adapter, switched("releaseControl", None, **payload))
    assert isinstance(change, ControlChanged)
    assert change.reason == reason


@pytest.mark.parametrize("called", ["deskbridge", "68a0aaaa0000000000000001", "68a0aaaa0000000000000011"])
def test_we_are_known_by_any_name(called: str) -> None:
    """The integration's name, its id in the switchboard, or the id of what lies behind."""
    adapter = registry.build("sunshine", settings() | {"integration": called})
    (change,) = read(adapter, sample("switchboard_pass_control_to_us"))
    assert isinstance(change, ControlChanged)
    assert change.control is Control.OURS


def test_a_customer_who_writes_to_others_is_told_as_theirs(adapter: Adapter) -> None:
    """We may not have heard when control moved; nothing of the kind is said where it is ours or nobody's."""
    body = sample("conversation_message")
    assert [type(each) for each in read(adapter, body)] == [MessagePosted]
    thread = body["events"][0]["payload"]["conversation"]
    thread["activeSwitchboardIntegration"] = {"id": "a", "name": WORKSPACE}
    control, said = read(adapter, body)
    assert isinstance(control, ControlChanged)
    assert isinstance(said, MessagePosted)
    assert (control.control, control.holder) == (Control.THEIRS, Person("a", WORKSPACE))
    del thread["activeSwitchboardIntegration"]
    assert [type(each) for each in read(adapter, body)] == [MessagePosted]
    assert [type(each) for each in read(adapter, sample("message_by_agent"))] == [MessagePosted]
