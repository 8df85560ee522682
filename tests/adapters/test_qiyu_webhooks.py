"""What Qiyu's notifications mean to us: every event, and every trap we know of."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from vendors.qiyu import KEY, SECRET, checksum

from adapters import registry
from adapters.errors import BadSignature, Malformed
from adapters.model import (
    Author,
    Change,
    Channel,
    Control,
    ControlChanged,
    ConversationChanged,
    Identity,
    IdentityKind,
    MessagePosted,
    Person,
    Status,
)
from adapters.signatures import sign
from adapters.vendors.qiyu import adapter as module
from adapters.vendors.qiyu.adapter import Qiyu
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
NOW = datetime(2026, 11, 14, 2, 20, 12, tzinfo=UTC)
AT = str(int(NOW.timestamp()))


def connect(**changed: Any) -> Qiyu:
    """An adapter of one app key."""
    adapter = registry.build("qiyu", {"app_key": KEY, "app_secret": SECRET, **changed})
    assert isinstance(adapter, Qiyu)
    return adapter


def load(name: str) -> dict[str, Any]:
    """A fixture's payload."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return payload


def received(payload: Any, kind: str | None, *, at: str = AT, secret: str = SECRET, **query: str) -> Webhook:
    """A notification as Qiyu sends it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    given = {"time": at, "checksum": checksum(secret, body, at), **query}
    if kind is not None:
        given["eventType"] = kind
    return Webhook(method="POST", url="https://d.example/hooks/q", query=given, headers={}, body=body)


def told(name: str, adapter: Qiyu | None = None, **changed: Any) -> list[Change]:
    """The changes that a fixture means, all the way through the hook."""
    adapter = adapter or connect()
    kind = name if name == "EVA_INVITATION" else "_".join(name.split("_")[: 1 if name < "N" else 2])
    receipt = adapter.verify(received({**load(name), **changed}, kind), now=NOW)
    return [change for each in receipt.deliveries for change in adapter.parse(each.body)]


def posted(name: str, adapter: Qiyu | None = None, **changed: Any) -> MessagePosted:
    """The message that a fixture tells of."""
    (change,) = told(name, adapter, **changed)
    assert isinstance(change, MessagePosted)
    return change


def test_the_checksum_is_computed_as_the_documentation_words_it() -> None:
    """sha1 over secret, md5 of the body in lower case, and seconds; the printed ones can't be reproduced."""
    body = json.dumps(load("MSG"), ensure_ascii=False).encode()
    md5 = hashlib.md5(body).hexdigest()
    worded = hashlib.sha1(f"{SECRET}{md5}{AT}".encode()).hexdigest()
    signed = sign(module.CHECKSUM, received(body, "MSG", checksum=""), SECRET, at=NOW)
    assert (signed.query["time"], signed.query["checksum"]) == (AT, worded)


def test_a_persons_message() -> None:
    """Text with 繁體 and emoji; the conversation and the customer are the visitor's."""
    change = posted("MSG")
    assert change.message.id == "5d1c9f448f0a4a379a610c3b5e7f2a10"
    assert change.message.text == "您好，我是小林🙂，請稍等，我幫您查一下物流。"
    assert change.message.author is Author.AGENT
    assert change.message.person == Person("2041", "林微")
    assert change.message.sent_at == datetime(2026, 11, 14, 2, 20, 11, 476000, tzinfo=UTC)
    assert change.message.raw["msgType"] == "TEXT"
    assert (change.conversation.id, change.conversation.customer_id) == ("shop-88213", "shop-88213")
    assert (change.conversation.status, change.conversation.channel) == (Status.OPEN, Channel.CHAT)
    assert change.customer is not None
    assert change.customer.identities == (
        Identity(IdentityKind.VENDOR, "shop-88213"),
        Identity(IdentityKind.EXTERNAL, "shop-88213"),
    )


def test_a_visitor_of_our_own_making_has_no_id_of_the_companys() -> None:
    """What we made up for somebody unknown must not link them to anybody."""
    change = posted("MSG", uid="deskbridge-cmd-1")
    assert change.customer is not None
    assert [each.kind for each in change.customer.identities] == [IdentityKind.VENDOR]


@pytest.mark.parametrize(
    ("changed", "robots", "author"),
    [
        ({"staffType": 0}, "", Author.AI),
        ({"staffType": 1}, "林微", Author.AGENT),
        ({}, "", Author.AGENT),
        ({}, "9, 林微", Author.AI),
        ({}, "9，2041", Author.AI),
        ({}, "204", Author.AGENT),
        ({"staffId": None}, "", Author.AI),
        ({"staffId": 0, "staffName": ""}, "", Author.AI),
    ],
)
def test_who_speaks(changed: dict[str, Any], robots: str, author: Author) -> None:
    """By `staffType` where told; else by settings; whoever is named is a person, to be on the safe side."""
    change = posted("MSG", connect(robots=robots), **changed)
    assert change.message.author is author
    assert (change.message.person is None) is (author is Author.AI)


def test_the_robots_words_leave_the_conversation_with_a_bot() -> None:
    """They are the AI's, and the conversation is pending."""
    change = posted("MSG_robot")
    assert (change.message.author, change.conversation.status) == (Author.AI, Status.PENDING)


def test_files_come_along() -> None:
    """A picture is described by an object; so is a voice message, once as a text that holds one."""
    (picture,) = posted("MSG_picture").message.attachments
    assert (picture.name, picture.content_type, picture.size) == ("customs-form.png", "image/png", 48213)
    (voice,) = posted("MSG_audio").message.attachments
    assert (voice.url, voice.content_type.partition("/")[0]) == (
        "https://files.example.com/qiyu/voice.amr",
        "audio",
    )
    assert posted("MSG_audio").message.text == ""


@pytest.mark.parametrize(
    ("content", "text"), [({"x": 1}, ""), ("<p>hi</p>", "<p>hi</p>"), (None, ""), ("[1]", "[1]"), (5, "")]
)
def test_messages_of_other_types_are_messages_still(content: Any, text: str) -> None:
    """Rich text, cards, what is yet to come: whatever is a text is kept, the rest is raw."""
    message = posted("MSG", msgType="RICH_TEXT", content=content).message
    assert (message.text, message.attachments) == (text, ())
    assert message.raw["content"] == content


def test_a_session_begins() -> None:
    """A person has it: they are the assignee, and hold the right to speak; the second is the latest."""
    changed, moved = told("SESSION_START")
    assert isinstance(changed, ConversationChanged)
    assert isinstance(moved, ControlChanged)
    assert (changed.conversation.status, changed.by) == (Status.OPEN, Author.AGENT)
    assert changed.conversation.assignee == moved.holder == Person("2041", "林微")
    assert moved.control is Control.THEIRS
    assert changed.occurred_at == NOW + timedelta(milliseconds=999)
    assert moved.metadata == {"sessionId": 730041}


def test_a_session_that_begins_is_a_persons_whatever_its_type_says() -> None:
    """The printed sample bears a robot's `staffType`, though robots' beginnings are not told."""
    _, moved = told("SESSION_START", staffType=0)
    assert isinstance(moved, ControlChanged)
    assert moved.control is Control.THEIRS


@pytest.mark.parametrize(
    ("name", "status", "control", "by"),
    [
        ("SESSION_END", Status.RESOLVED, Control.RELEASED, Author.AGENT),
        ("SESSION_END_silence", Status.RESOLVED, Control.RELEASED, Author.SYSTEM),
        ("SESSION_END_to_person", Status.OPEN, Control.THEIRS, Author.SYSTEM),
        ("SESSION_END_agent_left", Status.OPEN, Control.RELEASED, Author.AGENT),
        ("SESSION_END_transferred", Status.OPEN, Control.THEIRS, Author.AGENT),
    ],
)
def test_a_session_ends(name: str, status: Status, control: Control, by: Author) -> None:
    """Why decides: only what a person closed, or the visitor's silence, is resolved."""
    changed, moved = told(name)
    assert isinstance(changed, ConversationChanged)
    assert isinstance(moved, ControlChanged)
    assert (changed.conversation.status, changed.conversation.assignee) == (status, None)
    assert (moved.control, moved.holder, changed.by) == (control, None, by)


def test_whom_an_agent_leaves_the_robot_has_where_it_answers_first() -> None:
    """Such a conversation is a bot's; one that was closed, or passed on, isn't."""
    adapter = connect(robot_first=True)
    statuses = {}
    for name in ("SESSION_END", "SESSION_END_agent_left", "SESSION_END_transferred"):
        changed, _ = told(name, adapter)
        assert isinstance(changed, ConversationChanged)
        statuses[name] = changed.conversation.status
    assert list(statuses.values()) == [Status.RESOLVED, Status.PENDING, Status.OPEN]


@pytest.mark.parametrize("reason", [None, 1, 99, "x", True])
def test_a_session_that_ends_for_an_unknown_reason(reason: Any) -> None:
    """Is not taken for resolved."""
    changed, moved = told("SESSION_END", closeReason=reason)
    assert isinstance(changed, ConversationChanged)
    assert isinstance(moved, ControlChanged)
    assert (changed.conversation.status, moved.control) == (Status.UNKNOWN, Control.UNKNOWN)


def test_an_invitation_to_rate_changes_nothing() -> None:
    """It is known, and tells that there is a conversation."""
    (changed,) = told("EVA_INVITATION")
    assert isinstance(changed, ConversationChanged)
    assert changed.conversation.raw["sessionId"] == 730041
    assert (changed.conversation.status, changed.conversation.assignee) == (UNSET, UNSET)


def test_the_answer_is_the_empty_string() -> None:
    """Even to what means nothing to us: anything else is sent again."""
    adapter = connect()
    for payload, kind in ((load("MSG"), "MSG"), (load("unknown_queue_timeout"), "QUEUE_TIMEOUT")):
        receipt = adapter.verify(received(payload, kind), now=NOW)
        assert (receipt.reply.status, receipt.reply.body) == (200, b"")
        assert len(receipt.deliveries) == (kind == "MSG")


def test_what_is_sent_again_has_the_same_key() -> None:
    """Messages by `msgId`, sessions by theirs, though time and checksum are new."""
    adapter = connect()
    later = str(int(AT) + 60)
    for kind in ("MSG", "SESSION_START", "SESSION_END", "EVA_INVITATION"):
        first, again = (
            adapter.verify(received(load(kind), kind, at=at), now=NOW).deliveries[0] for at in (AT, later)
        )
        assert (first.key, first.lane) == (again.key, "shop-88213")
    keys = {
        adapter.verify(received(load(kind), kind), now=NOW).deliveries[0].key
        for kind in ("MSG", "SESSION_START", "SESSION_END", "EVA_INVITATION")
    }
    assert len(keys) == 4


def test_forged_stale_and_unsigned_notifications_are_refused() -> None:
    """Another's secret, a changed body, a time six minutes ago, no checksum."""
    adapter = connect()
    good = received(load("MSG"), "MSG")
    assert adapter.verify(good, now=NOW).deliveries
    stale = received(load("MSG"), "MSG", at=str(int(AT) - 301))
    forged = received(load("MSG"), "MSG", secret="another")
    changed = Webhook(method="POST", url="", query=good.query, headers={}, body=good.body + b" ")
    unsigned = received(load("MSG"), "MSG", checksum="")
    for webhook in (stale, forged, changed, unsigned):
        with pytest.raises(BadSignature):
            adapter.verify(webhook, now=NOW)


def test_two_secrets_are_good_while_one_replaces_the_other() -> None:
    """The old one is taken off the list once Qiyu uses the new."""
    adapter = connect(app_secret=["new-secret", SECRET])
    for secret in ("new-secret", SECRET):
        assert adapter.verify(received(load("MSG"), "MSG", secret=secret), now=NOW).deliveries


def test_the_unsigned_kind_must_go_with_the_signed_body() -> None:
    """The checksum doesn't cover `eventType`: a message can't be passed off as a session's end."""
    adapter = connect()
    for name, kind in (("MSG", "SESSION_END"), ("SESSION_END", "MSG"), ("unknown_queue_timeout", "MSG")):
        with pytest.raises(Malformed):
            adapter.verify(received(load(name), kind), now=NOW)


def test_the_kind_is_seen_where_the_address_was_cut() -> None:
    """A proxy that drops `eventType` loses no message."""
    adapter = connect()
    (delivery,) = adapter.verify(received(load("MSG"), None), now=NOW).deliveries
    assert isinstance(adapter.parse(delivery.body)[0], MessagePosted)


@pytest.mark.parametrize(
    "payload",
    [None, [], "x", {"uid": "u", "msgId": ""}, {"uid": "", "msgId": "1"}, {"uid": None, "msgId": 1}],
)
def test_poison_is_malformed(payload: Any) -> None:
    """Bodies that can't be what they say they are."""
    with pytest.raises(Malformed):
        connect().verify(received(payload, "MSG"), now=NOW)


@pytest.mark.parametrize("body", [b"null", b"{}", b"[]", b'{"eventType":"MSG","time":"1","event":[]}'])
def test_what_was_not_kept_by_us_is_malformed(body: bytes) -> None:
    """A stored body always has its kind and time."""
    with pytest.raises(Malformed):
        connect().parse(body)


def test_a_message_without_a_time_is_malformed() -> None:
    """Qiyu's messages always have one."""
    adapter = connect()
    payload = {name: value for name, value in load("MSG").items() if name != "timeStamp"}
    (delivery,) = adapter.verify(received(payload, "MSG"), now=NOW).deliveries
    with pytest.raises(Malformed):
        adapter.parse(delivery.body)


@pytest.mark.parametrize("name", ["MSG", "SESSION_START"])
def test_the_printed_samples(reference: Path, name: str) -> None:
    """The bodies printed in the vendor's documentation are read."""
    body = (reference / "recorded" / "qiyu" / f"{name}.json").read_bytes()
    adapter = connect()
    (delivery,) = adapter.verify(received(body, name), now=NOW).deliveries
    changes = adapter.parse(delivery.body)
    assert delivery.lane == "user1"
    match changes:
        case (MessagePosted(message=message),):
            assert (message.text, message.author, message.person) == (
                "2222",
                Author.AGENT,
                Person("143", "lantian"),
            )
            assert message.sent_at.year == 2016
        case (ConversationChanged(conversation=conversation), ControlChanged(metadata=metadata)):
            assert conversation.assignee == Person("1234", "lantian")
            assert metadata == {"sessionId": 62927, "transferFrom": 62917}
        case _:
            pytest.fail(f"unexpected: {changes}")
