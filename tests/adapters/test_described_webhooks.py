"""What a described webhook means: events, lanes, keys, words, times, handshakes and prescribed answers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from describing import ACME, acme, connect
from msgspec import UNSET

from adapters.contract import Adapter
from adapters.errors import BadSignature, Malformed, Unsupported
from adapters.model import (
    Author,
    Control,
    ControlChanged,
    ConversationChanged,
    CustomersMerged,
    FindConversation,
    GetMessage,
    MessageFailed,
    MessagePosted,
    Person,
    Status,
    ThinEvent,
)
from adapters.webhook import Receipt, Webhook

NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
MESSAGE = {"id": 7, "by": "customer", "text": "你好", "at": "2026-11-14T12:00:00Z"}
EVENT = {"type": "message", "message": MESSAGE, "ticket": {"id": 3, "status": 4}}


def hook(method: str = "POST", body: Any = b"", **query: str) -> Webhook:
    """A webhook as it comes in."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Webhook(method=method, url="https://d.example/hooks/acme", query=query, headers={}, body=content)


def heard(adapter: Adapter, body: Any, **query: str) -> Receipt:
    """What is accepted of it."""
    return adapter.verify(hook(body=body, **query), now=NOW)


def read(adapter: Adapter, event: Any) -> Any:
    """The one change that an event means."""
    (change,) = adapter.parse(json.dumps(event).encode())
    return change


def with_hook(**parts: Any) -> Any:
    """The description, its webhook described otherwise."""
    return acme(webhook={**ACME["webhook"], **parts})


def test_a_message_is_read(tmp_path: Path) -> None:
    """Ids become texts, words ours, times UTC; what isn't told isn't there."""
    change = read(connect(tmp_path, ACME), EVENT)
    assert isinstance(change, MessagePosted)
    assert (change.message.id, change.message.author, change.message.text) == ("7", Author.CUSTOMER, "你好")
    assert change.conversation.id == "3"
    assert change.conversation.status is Status.RESOLVED
    assert change.conversation.assignee is UNSET
    assert change.occurred_at == NOW
    assert change.message.raw == MESSAGE


def test_null_is_nobody_and_silence_is_nothing(tmp_path: Path) -> None:
    """A vendor that mentions no owner says nothing; one that mentions none says that there is none."""
    adapter = connect(tmp_path, ACME)
    for ticket, expected in (
        ({"owner": {"id": 5}}, Person("5")),
        ({"owner": {"id": None}}, None),
        ({"owner": None}, None),
        ({}, UNSET),
    ):
        change = read(adapter, {**EVENT, "ticket": {"id": 3, **ticket}})
        assert change.conversation.assignee == expected


def test_unknown_words_are_unknown(tmp_path: Path) -> None:
    """A status or speaker that came later is no error."""
    strange = {**EVENT, "ticket": {"id": 3, "status": 99}, "message": {**MESSAGE, "by": "genie"}}
    change = read(connect(tmp_path, ACME), strange)
    assert change.conversation.status is Status.UNKNOWN
    assert change.message.author is Author.UNKNOWN


def test_settings_may_decide(tmp_path: Path) -> None:
    """Who our bot is, for example."""
    adapter = connect(tmp_path, ACME, bot="agent-9")
    assert read(adapter, {**EVENT, "message": {**MESSAGE, "by": "agent-9"}}).message.author is Author.AI


@pytest.mark.parametrize(
    ("times", "written", "expected"),
    [
        ({"zone": "Asia/Shanghai"}, "2026-11-14 20:00:00", NOW),
        ({"unit": "ms"}, 1794657600000, NOW),
        ({"unit": "s"}, "1794657600", NOW),
    ],
)
def test_times_are_read_as_the_vendor_writes_them(
    tmp_path: Path, times: Any, written: Any, expected: datetime
) -> None:
    """Naive local times, seconds, milliseconds."""
    change = read(connect(tmp_path, acme(times=times)), {**EVENT, "message": {**MESSAGE, "at": written}})
    assert change.occurred_at == expected


@pytest.mark.parametrize("gone", ["id", "at"])
def test_what_makes_a_message_must_be_there(tmp_path: Path, gone: str) -> None:
    """Without it the event is unreadable, and the refusal names the expression."""
    event = {**EVENT, "message": {**MESSAGE, gone: None}}
    with pytest.raises(Malformed):
        connect(tmp_path, ACME).parse(json.dumps(event).encode())


def test_unknown_events_are_not_kept(tmp_path: Path) -> None:
    """And so are bodies that are something else altogether."""
    adapter = connect(tmp_path, ACME)
    for body in ({"type": "typing"}, {}, [], None, "text", 5):
        assert heard(adapter, body).deliveries == ()


def test_a_body_of_several_events_is_taken_apart(tmp_path: Path) -> None:
    """Each has its own key and lane; without a name, the key is made of what it says."""
    other = {**EVENT, "ticket": {"id": 4}, "no": "e-2"}
    adapter = connect(tmp_path, with_hook(events="event.all", key="event.no"))
    deliveries = heard(adapter, {"all": [EVENT, other, {"type": "typing"}]}).deliveries
    assert [(each.lane, len(each.key)) for each in deliveries] == [("3", 40), ("4", 3)]
    assert deliveries == heard(adapter, {"all": [EVENT, other]}).deliveries
    assert [read(adapter, json.loads(each.body)).conversation.id for each in deliveries] == ["3", "4"]
    assert heard(adapter, {"all": "nonsense"}).deliveries == ()


def test_an_event_of_two_conversations_is_refused(tmp_path: Path) -> None:
    """Nothing would keep the second in order."""
    change = {
        **ACME["webhook"]["changes"][0],
        "when": "true",
        "message": "it.message",
        "conversation": "it.ticket",
    }
    adapter = connect(tmp_path, with_hook(changes=[{**change, "each": "event.all"}]))
    with pytest.raises(Malformed, match="let `events` list them"):
        heard(adapter, {"all": [EVENT, {**EVENT, "ticket": {"id": 4}}]})
    assert len(heard(adapter, {"all": [EVENT, EVENT]}).deliveries) == 1


def test_json_inside_json_is_read(tmp_path: Path) -> None:
    """Some vendors put a text there that holds the event."""
    changes = [
        {
            "change": "message_posted",
            "when": "event.data != ''",
            "message": "json(event.data).message",
            "conversation": "json(event.data).ticket",
        }
    ]
    adapter = connect(tmp_path, with_hook(changes=changes))
    assert read(adapter, {"data": json.dumps(EVENT)}).message.text == "你好"
    with pytest.raises(Malformed):
        adapter.parse(b'{"data": "{"}')


OTHERS = [
    ({"change": "conversation_changed", "conversation": "event.t", "by": "'agent'"}, ConversationChanged),
    ({"change": "customers_merged", "customer": "event.c", "gone_id": "event.old"}, CustomersMerged),
    ({"change": "message_failed", "conversation_id": "event.t.id", "message_id": "event.m"}, MessageFailed),
    ({"change": "control_changed", "conversation": "event.t", "control": "event.who"}, ControlChanged),
    ({"change": "thin_event", "conversation_id": "event.t.id"}, ThinEvent),
    ({"change": "thin_event", "conversation_id": "event.t.id", "message_id": "event.m"}, ThinEvent),
    ({"change": "thin_event", "customer_id": "event.c.id"}, ThinEvent),
]


@pytest.mark.parametrize(("change", "kind"), OTHERS)
def test_every_kind_of_change_can_be_described(tmp_path: Path, change: Any, kind: type) -> None:
    """With its lane, and the vendor's words for who has control."""
    description = with_hook(changes=[change]) | {"controls": {"bot": "ours"}}
    adapter = connect(tmp_path, description)
    event = {"t": {"id": 3}, "c": {"id": 8}, "old": 9, "m": 7, "who": "bot"}
    (delivery,) = heard(adapter, event).deliveries
    found = read(adapter, json.loads(delivery.body))
    assert isinstance(found, kind)
    match found:
        case ControlChanged():
            assert found.control is Control.OURS
        case ThinEvent(query=FindConversation() | GetMessage() as query):
            assert query.conversation_id == delivery.lane == "3"
        case CustomersMerged():
            assert (found.gone_id, delivery.lane) == ("9", "customer:8")


def test_the_answer_is_as_the_vendor_prescribes(tmp_path: Path) -> None:
    """Status, body and type, with what the request held."""
    reply = {"status": 200, "body": '{"echo": "${event.type}"}'}
    answer = heard(connect(tmp_path, with_hook(reply=reply)), EVENT).reply
    assert (answer.status, answer.body, answer.content_type) == (
        200,
        b'{"echo": "message"}',
        "application/json",
    )


def test_handshakes_are_answered_and_bring_nothing(tmp_path: Path) -> None:
    """A challenge with GET, proven by a secret; a validation with POST."""
    shaken = {
        "get": {
            "when": "query.token == settings.webhook_secret",
            "reply": {"status": 200, "body": "${query.challenge}", "content_type": "text/plain"},
        },
        "post": {"when": "event.tag == '0'", "reply": {"status": 200, "body": "ok"}},
    }
    adapter = connect(tmp_path, with_hook(handshake=shaken))
    receipt = adapter.verify(hook("GET", token="s-acme", challenge="abc"), now=NOW)
    assert (receipt.deliveries, receipt.reply.body) == ((), b"abc")
    assert heard(adapter, {"tag": "0", **EVENT}) == Receipt(
        deliveries=(), reply=heard(adapter, {"tag": "0"}).reply
    )
    with pytest.raises(BadSignature):
        adapter.verify(hook("GET", token="guess", challenge="abc"), now=NOW)
    with pytest.raises(Unsupported):
        adapter.verify(hook("PUT"), now=NOW)
    with pytest.raises(Unsupported):
        connect(tmp_path, with_hook(key="event.id")).verify(hook("GET"), now=NOW)
