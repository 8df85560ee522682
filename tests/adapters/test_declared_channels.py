"""Which channels an adapter tells apart: declared, derived from a description, and right for the vendor."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from describing import Raw, acme, connect

from adapters import registry
from adapters.manifest import Field, Manifest
from adapters.model import CHANNELS, Channel, ConversationChanged, MessagePosted
from adapters.testing.subject import Subject
from gateway.authoring import matrix

_LABEL = {"en": "Where", "zh": "渠道"}
_MANIFEST: Raw = {"title": "A", "roles": ["desk"], "auth": "none", "tier": "bronze", "capabilities": []}


def test_unknown_is_no_channel_to_declare() -> None:
    """Nor is a misspelt one; the fault says what was meant."""
    with pytest.raises(msgspec.ValidationError, match="unknown is no channel"):
        msgspec.convert(_MANIFEST | {"channels": ["unknown"]}, Manifest)
    with pytest.raises(msgspec.ValidationError, match="chta"):
        msgspec.convert(_MANIFEST | {"channels": ["chta"]}, Manifest)


def test_a_setting_may_say_the_channel() -> None:
    """Any, or some of them; a word that is none is refused with what was meant."""
    field: Raw = {"name": "where", "label": _LABEL, "type": "channel"}
    declared = msgspec.convert(_MANIFEST | {"fields": [field]}, Manifest)
    assert declared.set_channels == set(CHANNELS)
    narrow = msgspec.convert(_MANIFEST | {"fields": [field | {"choices": ["live"]}]}, Manifest)
    assert (narrow.set_channels, narrow.channels) == ({Channel.LIVE}, frozenset())
    with pytest.raises(msgspec.ValidationError, match="did you mean email"):
        msgspec.convert(field | {"choices": ["e-mail"]}, Field)


@pytest.mark.parametrize(
    ("expression", "table", "expected"),
    [
        (None, {}, set()),
        ('"chat"', {}, {"chat"}),
        ('it.via == "mail" ? "email" : "chat"', {}, {"email", "chat"}),
        ("it.via", {}, set(CHANNELS)),
        ("it.via", {1: "email", 7: "chat", 9: "unknown"}, {"email", "chat"}),
        ('has(it.via) ? it.via : "phone"', {"im": "chat"}, {"chat", "phone"}),
        ('it.via == 1 ? "chat" : "im"', {"chat": "live", "im": "email"}, {"live", "email"}),
        ("settings.where", {}, set()),
        ('it.via == 1 ? "email" : settings.where', {}, {"email"}),
    ],
)
def test_a_description_declares_by_what_it_says(
    tmp_path: Path, expression: str | None, table: Raw, expected: set[str]
) -> None:
    """Its table, the words in its expression, or, where neither has any, whatever is one of ours."""
    description = acme(channels=table)
    where = {"name": "where", "label": _LABEL, "type": "channel", "default": "chat"}
    description["fields"] = [*description["fields"], where]
    conversation = {**description["records"]["conversation"], "channel": expression}
    if expression is None:
        del conversation["channel"]
    description["records"] = {**description["records"], "conversation": conversation}
    manifest = connect(tmp_path, description).manifest
    assert manifest.channels == expected
    assert manifest.set_channels == set(CHANNELS)


def test_the_matrix_tells_what_the_vendor_says_from_what_a_setting_says() -> None:
    """Each of the eight channels, of every working adapter."""
    head, rows = matrix.channels(matrix.entries(shipped=True))
    assert [row[0] for row in rows] == list(CHANNELS)
    told = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert [told[channel]["intercom"] for channel in ("email", "live", "phone")] == ["●", "○", "●"]
    assert {told[channel]["sobot"] for channel in CHANNELS} == {""}
    assert {told[channel]["chatwoot"] for channel in CHANNELS} == {"●"}


def told(vendor: str, file: str, change: Any, **settings: Any) -> tuple[Channel, str | msgspec.UnsetType]:
    """Channel and stream of the conversation in a fixture after a change."""
    subject = Subject(registry.get(vendor)).having(settings)
    body = json.loads(subject.webhooks[file])
    change(body)
    (found, *_) = [
        each
        for each in subject.parse(json.dumps(body).encode())
        if isinstance(each, MessagePosted | ConversationChanged)
    ]
    assert isinstance(found.conversation.channel, Channel)
    return found.conversation.channel, found.conversation.stream


def of_sunshine(word: str) -> Channel:
    """What Sunshine's source is to us."""

    def change(body: Raw) -> None:
        body["events"][0]["payload"]["source"]["type"] = word

    return told("sunshine", "conversation_create", change)[0]


def of_intercom(word: str) -> Channel:
    """What Intercom's source is to us."""

    def change(body: Raw) -> None:
        body["data"]["item"]["source"]["type"] = word

    return told("intercom", "conversation_user_created", change)[0]


def test_every_client_of_sunshines_description_is_known(reference: Path) -> None:
    """A message to the account, a mail, or the widget; none of them is public."""
    path = reference / "vendor-specs" / "sunshine" / "openapi-17.12.1.yaml"
    text = path.read_text(encoding="utf-8")
    clients = yaml.load(text, Loader=yaml.CSafeLoader)["components"]["schemas"]["clientType"]["enum"]
    mapped = {word: of_sunshine(word) for word in clients}
    assert len(mapped) > 10
    assert {word for word, channel in mapped.items() if channel is not Channel.DIRECT_MESSAGE} == {
        "mailgun",
        "sdk",
    }
    assert (mapped["mailgun"], mapped["sdk"]) == (Channel.EMAIL, Channel.CHAT)


def test_every_source_of_intercoms_description_is_known(reference: Path) -> None:
    """The Messenger, mail, calls, or messages; what is said in public isn't told apart."""
    path = reference / "vendor-specs" / "intercom" / "api.intercom.io-2.16.yaml"
    (row,) = re.findall(r"\| source\.type +\|(.*?)\|", path.read_text(encoding="utf-8"))
    sources = re.findall(r"`(\w+)`", row)
    mapped = {word: of_intercom(word) for word in sources}
    assert len(mapped) > 8
    assert Channel.UNKNOWN not in mapped.values()
    assert {word for word, channel in mapped.items() if channel is Channel.PHONE} == {
        "phone_call",
        "phone_switch",
    }


def test_a_tweet_at_chatwoot_is_read_by_everybody() -> None:
    """And belongs to the one that it answers; a message to the account is nobody else's."""

    def tweeted(body: Raw) -> None:
        body |= {"channel": "Channel::TwitterProfile"}
        body["additional_attributes"] = {"type": "tweet", "tweet_id": "1456", "tweet_source": "web"}

    def written(body: Raw) -> None:
        body |= {"channel": "Channel::TwitterProfile", "additional_attributes": {}}

    assert told("chatwoot", "conversation_created", tweeted) == (Channel.COMMENT, "1456")
    assert told("chatwoot", "conversation_created", written) == (Channel.DIRECT_MESSAGE, "")


def test_zendesks_agents_app_is_no_chat() -> None:
    """What a person of the staff writes down there is a ticket like any other; the customers' apps are."""

    def by(channel: str) -> Channel:
        def change(body: Raw) -> None:
            body["detail"]["via"] = {"channel": channel}

        return told("zendesk", "ticket_status_changed", change)[0]

    assert (by("mobile"), by("mobile_sdk")) == (Channel.OTHER, Channel.CHAT)


def test_orders_of_doudian_are_no_conversations_on_a_product_page() -> None:
    """What happens to an order is told in no channel of the shop's."""
    assert told("doudian", "order_created", lambda _: None)[0] is Channel.OTHER
