"""What the READMEs of the shipped descriptions promise of each vendor's traps."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from describing import Vendor

import adapters.vendors
from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Fatal, Rejected
from adapters.model import (
    Attachment,
    Author,
    ChangeTags,
    ConversationChanged,
    Identity,
    IdentityKind,
    MessagePosted,
    OpenConversation,
    PullKind,
    Reply,
    SetStatus,
    Status,
)
from adapters.webhook import Webhook

VENDORS = Path(adapters.vendors.__file__).parent
NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "doudian": {"app_key": "1", "webhook_secret": "hook-secret"},
    "freshdesk": {
        "base_url": "https://acme.freshdesk.com",
        "api_key": "k",
        "webhook_secret": "hook-secret",
        "bot_agent_id": 5,
    },
    "sobot": {"token": "api-token"},
    "udesk": {
        "base_url": "https://demo.udesk.cn",
        "email": "a@b.cn",
        "open_api_token": "api-token",
        "webhook_secret": "hook-secret",
    },
    "zammad": {
        "base_url": "https://help.example.com",
        "token": "zt",
        "webhook_secret": "hook-secret",
        "bot_user_id": 5,
    },
}
SAID: dict[str, Any] = {"key": "k-1", "text": "a < b\n你好", "author": Author.AI}


def connect(name: str, *answers: Any) -> tuple[Adapter, Vendor]:
    """The adapter before a vendor that answers so."""
    vendor = Vendor(*(answers or ({},)))
    return registry.build(name, SETTINGS[name], transport=vendor), vendor


def sent(vendor: Vendor) -> list[Any]:
    """The bodies that went out, decoded."""
    return [json.loads(request.content) if request.content else None for request in vendor.seen]


def answers(name: str, request: str) -> Any:
    """What the fixtures let the vendor answer."""
    for path in (VENDORS / name / "fixtures" / "answers").glob("*.json"):
        for each in json.loads(path.read_text(encoding="utf-8")):
            if each["request"] == request:
                return each["json"]
    raise AssertionError(request)


async def test_freshdesks_first_message_is_the_ticket_itself() -> None:
    """Before its conversations; who speaks is told by direction and by the number of our agent."""
    listed = answers("freshdesk", "GET /api/v2/tickets/51/conversations")
    ticket = answers("freshdesk", "GET /api/v2/tickets/51")
    adapter, vendor = connect("freshdesk", listed, ticket)
    page = await adapter.pull(PullKind.MESSAGES, None, scope="51")
    messages = [change.message for change in page.changes if isinstance(change, MessagePosted)]
    assert [(each.id, each.author, each.private) for each in messages] == [
        ("ticket-51", Author.CUSTOMER, False),
        ("61", Author.AI, False),
        ("62", Author.AGENT, True),
    ]
    assert messages[0].text == "我的包裹📦卡在海關三天了"
    assert [each.name for each in messages[0].attachments] == ["receipt.png"]
    assert page.last
    assert vendor.seen[0].headers["authorization"] == "Basic azpY"


async def test_freshdesk_is_asked_since_when() -> None:
    """Else it lists the last thirty days only; after a full page 300 it is asked anew."""
    adapter, vendor = connect("freshdesk", [])
    await adapter.pull(PullKind.CONVERSATIONS, None)
    assert vendor.seen[0].url.params["updated_since"] == "2010-01-01T00:00:00Z"
    full = [{"id": each, "status": 2, "updated_at": "2026-11-14T02:20:11Z"} for each in range(100)]
    adapter, vendor = connect("freshdesk", full)
    page = await adapter.pull(PullKind.CONVERSATIONS, '{"page":299}')
    assert vendor.seen[0].url.params["page"] == "300"
    assert not page.last
    await adapter.pull(PullKind.CONVERSATIONS, page.cursor)
    assert vendor.seen[1].url.params["page"] == "1"
    assert vendor.seen[1].url.params["updated_since"] == "2026-11-14T02:20:11Z"


async def test_freshdesk_takes_html_and_all_tags_at_once() -> None:
    """What an agent or the AI writes is no markup; tags of others stay."""
    adapter, vendor = connect("freshdesk", {"id": 61, "created_at": "2026-11-14T02:21:02Z"})
    pushed = await adapter.push(Reply(conversation_id="51", **SAID))
    assert sent(vendor) == [{"body": "a &lt; b<br>你好"}]
    assert pushed.id == "61"
    adapter, vendor = connect("freshdesk", {"tags": ["vip", "old"]})
    await adapter.push(ChangeTags(key="k", conversation_id="51", add=("ai", "vip"), remove=("old",)))
    assert sent(vendor)[1] == {"tags": ["vip", "ai"]}
    adapter, vendor = connect("freshdesk")
    await adapter.push(SetStatus(key="k", conversation_id="51", status=Status.RESOLVED))
    assert sent(vendor) == [{"status": 4}]


@pytest.mark.parametrize(
    ("came_by", "kind", "to"),
    [("email", "email", "ann@example.com"), ("web", "note", ""), ("sms", "sms", "")],
)
async def test_zammad_answers_where_it_was_asked(came_by: str, kind: str, to: str) -> None:
    """By e-mail to whom it belongs, by messenger, or as a public note."""
    ticket = {"id": 81, "create_article_type": came_by, "customer": "ann@example.com"}
    adapter, vendor = connect("zammad", ticket, {"id": 105, "created_at": "2026-11-14T02:21:02.000Z"})
    pushed = await adapter.push(Reply(conversation_id="81", **SAID))
    body = sent(vendor)[1]
    assert (body["ticket_id"], body["type"], body["to"], body["internal"]) == (81, kind, to, False)
    assert body["body"] == SAID["text"]
    assert pushed.id == "105"


async def test_zammads_tags_are_changed_one_by_one() -> None:
    """Each in a call of its own."""
    adapter, vendor = connect("zammad", True)  # noqa: FBT003 - what Zammad answers
    await adapter.push(ChangeTags(key="k", conversation_id="81", add=("a", "b"), remove=("c",)))
    assert [(each.method, body["item"]) for each, body in zip(vendor.seen, sent(vendor), strict=True)] == [
        ("POST", "a"),
        ("POST", "b"),
        ("DELETE", "c"),
    ]
    with pytest.raises(Rejected):
        await adapter.push(SetStatus(key="k", conversation_id="81", status=Status.SNOOZED))


def test_zammads_files_are_fetched_with_our_token_from_it_alone() -> None:
    """Its own address, and no other."""
    adapter, _ = connect("zammad")
    own = adapter.fetch(Attachment(id="1", url="https://help.example.com/api/v1/ticket_attachment/1/2/3"))
    assert own.headers["Authorization"] == "Token token=zt"
    assert adapter.fetch(Attachment(id="1", url="https://evil.example/a.png")).headers == {}


async def test_udesk_opens_a_session_and_speaks_in_it() -> None:
    """Both of its numbers are the conversation's id, and every later call takes them apart again."""
    adapter, vendor = connect("udesk", {"code": 1000, "assign_info": {"im_sub_session_id": 7731}})
    identities = (Identity(IdentityKind.EMAIL, "ann@example.com"),)
    opened = await adapter.push(OpenConversation(key="abc", subject="s", text="Help", identities=identities))
    assert opened.id == "7731:abc"
    await adapter.push(Reply(key="k", conversation_id=opened.id, text="<b>", author=Author.CUSTOMER))
    assert sent(vendor) == [
        {"customer_token": "abc", "assign_type": "agent", "channel": "deskbridge"},
        {"customer_token": "abc", "im_sub_session_id": 7731, "type": "message", "data": {"content": "Help"}},
        {
            "customer_token": "abc",
            "im_sub_session_id": 7731,
            "type": "message",
            "data": {"content": "&lt;b&gt;"},
        },
    ]
    heard = json.loads((VENDORS / "udesk" / "fixtures" / "agent_said.json").read_text(encoding="utf-8"))
    (change,) = adapter.parse(json.dumps({**heard, "customer_token": "abc"}).encode())
    assert isinstance(change, MessagePosted)
    assert (change.conversation.id, change.message.author) == (opened.id, Author.AGENT)
    assert change.message.text == "您好，已為您催促海關。"


@pytest.mark.parametrize(("code", "expected"), [(2059, Fatal), (2000, Rejected)])
async def test_udesks_errors_come_with_200(code: int, expected: type[Exception]) -> None:
    """A bad signature pauses the connection; whatever else is wrong rejects the one request."""
    adapter, _ = connect("udesk", {"code": code, "message": "sign error"})
    with pytest.raises(expected, match="sign error"):
        await adapter.check()


async def test_sobots_errors_come_with_200() -> None:
    """Noughts mean success."""
    message = Reply(key="k", conversation_id="abc", text="hi", author=Author.CUSTOMER)
    adapter, vendor = connect("sobot", {"retCode": "000000"})
    await adapter.push(message)
    assert sent(vendor) == [{"partnerid": "abc", "content": "hi"}]
    adapter, _ = connect("sobot", {"retCode": "900003", "retMsg": "not connected"})
    with pytest.raises(Rejected, match="not connected"):
        await adapter.push(message)


def webhook(body: Any) -> Webhook:
    """A webhook with this body."""
    return Webhook(method="POST", url="", query={}, headers={}, body=json.dumps(body).encode())


def test_doudian_is_answered_as_it_prescribes() -> None:
    """Its validation, and every push."""
    adapter, _ = connect("doudian")
    for body in ([{"tag": "0", "msg_id": "0", "data": "2021-06-21"}], {"tag": "0"}):
        receipt = adapter.receive(webhook(body), body)
        assert (receipt.deliveries, receipt.reply.status) == ((), 200)
        assert json.loads(receipt.reply.body) == {"code": 0, "msg": "success"}


def test_doudians_events_are_taken_apart() -> None:
    """Several in one body, each of another order, nineteen digits long; data may be a text."""
    adapter, _ = connect("doudian")
    body = json.loads((VENDORS / "doudian" / "fixtures" / "two_events_data_as_text.json").read_bytes())
    receipt = adapter.receive(webhook(body), body)
    assert [(each.key, each.lane) for each in receipt.deliveries] == [
        ("7043101", "4920593116471234567"),
        ("7043102", "4920593116479999999"),
    ]
    assert json.loads(receipt.reply.body)["code"] == 0
    (change,) = adapter.parse(receipt.deliveries[1].body)
    assert isinstance(change, MessagePosted)
    assert (change.message.author, change.message.private) == (Author.SYSTEM, True)
    assert change.message.text == "订单创建 4920593116479999999"


def test_meiqias_push_is_an_agents_word() -> None:
    """In the customer's one conversation."""
    adapter = registry.build("meiqia", {"webhook_secret": "hook-secret"})
    (change,) = adapter.parse((VENDORS / "meiqia" / "fixtures" / "agent_said.json").read_bytes())
    assert isinstance(change, MessagePosted)
    assert change.message.author is Author.AGENT
    assert change.customer is not None
    assert change.conversation.id == change.customer.id
    assert not isinstance(change, ConversationChanged)
