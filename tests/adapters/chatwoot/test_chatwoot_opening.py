"""Chatwoot as somebody else's desk: conversations opened through an API inbox, customers' words, files."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from support.fake_chatwoot import API, STARTED, FakeChatwoot

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Rejected, Retryable, Unsupported
from adapters.model import (
    Attachment,
    Author,
    Channel,
    ConversationRecord,
    FindMessage,
    FindOpened,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    OpenConversation,
    PullKind,
    Reply,
    SetStatus,
    Status,
)
from adapters.testing.judge import Judge

SINCE = datetime.fromtimestamp(STARTED, UTC)
SETTINGS = {
    "base_url": "https://chat.example.com",
    "account_id": 3,
    "token": "user-token",
    "bot_token": "bot-token",
    "inbox_id": API,
}
CHEN = Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True)
OPENING = OpenConversation(
    key="cmd-7",
    subject="包裹卡在海關",
    text="我的包裹📦卡在海關三天了",
    customer_name="陳雅婷",
    identities=(CHEN,),
    channel=Channel.LIVE,
    tags=("vip",),
)


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    adapter = connect(judge)
    yield adapter
    await adapter.aclose()


def connect(transport: httpx.AsyncBaseTransport, **changed: Any) -> Adapter:
    """The adapter, before this transport."""
    given = {name: value for name, value in {**SETTINGS, **changed}.items() if value is not None}
    return registry.build("chatwoot", given, transport=transport)


def upload(name: str, content_type: str, data: bytes) -> Upload:
    """A spooled file."""
    return Upload(name=name, content_type=content_type, size=len(data), file=io.BytesIO(data))


def opened(token: str = "cmd-7") -> FindOpened:
    """Whether that command opened a conversation."""
    return FindOpened(token=token, since=SINCE)


async def test_a_conversation_is_opened_in_the_customers_name(
    adapter: Adapter, chatwoot: FakeChatwoot
) -> None:
    """Of the contact who has proven to be them, open, with what they said first; their inbox says where."""
    pushed = await adapter.push(OPENING)
    thread = chatwoot.threads[2208]
    assert (pushed.id, thread.contact["id"], thread.inbox) == ("2208", 412, API)
    assert (thread.status, thread.labels) == ("open", ["vip"])
    (message,) = thread.messages
    assert (message["content"], message["message_type"], message["private"]) == (OPENING.text, 0, False)
    assert message["sender"] is chatwoot.contact
    found = await adapter.find(opened())
    assert isinstance(found, ConversationRecord)
    assert (found.id, found.channel, found.status) == ("2208", Channel.LIVE, Status.OPEN)
    assert thread.additional_attributes["mail_subject"] == "包裹卡在海關"
    assert await adapter.find(opened("cmd-8")) is None


async def test_whoever_only_claims_an_address_becomes_a_contact_of_their_own(
    adapter: Adapter, chatwoot: FakeChatwoot
) -> None:
    """An address that another contact has stays theirs; it is written down as stated."""
    claimed = (
        Identity(IdentityKind.EXTERNAL, "shop-88213"),
        Identity(IdentityKind.EMAIL, "chen.yating@example.com"),
    )
    await adapter.push(OpenConversation(key="cmd-8", subject="", text="hi", identities=claimed))
    contact = chatwoot.threads[2208].contact
    assert contact["id"] != 412
    assert (contact["identifier"], contact["email"]) == ("deskbridge-cmd-8", None)
    assert contact["additional_attributes"] == {"stated": {"email": "chen.yating@example.com"}}


async def test_addresses_that_nobody_has_are_the_new_contacts(
    adapter: Adapter, chatwoot: FakeChatwoot
) -> None:
    """So that agents can reach them."""
    stated = (
        Identity(IdentityKind.EMAIL, "new@example.com"),
        Identity(IdentityKind.PHONE, "+8613800000000"),
    )
    await adapter.push(OpenConversation(key="k", subject="", text="hi", identities=stated))
    contact = chatwoot.threads[2208].contact
    assert (contact["email"], contact["phone_number"]) == ("new@example.com", "+8613800000000")


async def test_what_is_private_is_a_note(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """A summary for agents is never in the customer's mouth."""
    await adapter.push(OpenConversation(key="k", subject="", text="summary", private=True))
    (message,) = chatwoot.threads[2208].messages
    assert (message["private"], message["message_type"]) == (True, 1)


@pytest.mark.parametrize("broken", range(8))
async def test_an_opening_that_broke_anywhere_is_finished_not_repeated(
    chatwoot: FakeChatwoot, broken: int
) -> None:
    """Whichever request was answered by nothing: asked again, there is one contact, thread and message."""
    asked = 0

    class Breaks(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal asked
            asked += 1
            answer = await chatwoot.handle_async_request(request)
            if asked == broken + 1:
                raise httpx.ReadTimeout("no answer", request=request)
            return answer

    adapter = connect(Breaks())
    command = OpenConversation(key="cmd-9", subject="", text="hi", tags=("vip",))
    with pytest.raises(Retryable):
        await adapter.push(command)
    found = await adapter.find(opened("cmd-9"))
    complete = broken == 7
    assert (found is not None) is complete
    pushed = await adapter.push(command)
    assert pushed.id == "2208"
    assert len(chatwoot.people) == len(chatwoot.threads) == 2
    assert [each["content"] for each in chatwoot.threads[2208].messages] == ["hi"]
    assert chatwoot.threads[2208].labels == ["vip"]


async def test_without_an_api_inbox_nothing_is_opened(judge: Judge, chatwoot: FakeChatwoot) -> None:
    """The cure is in the reason."""
    with pytest.raises(Unsupported, match="inbox_id"):
        await connect(judge, inbox_id=None).push(OPENING)
    assert chatwoot.log == []


async def test_the_customers_words_are_relayed(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """As theirs; they are found again by their mark, and told of with it."""
    number = (await adapter.push(OPENING)).id or ""
    words = Reply(key="cmd-10", conversation_id=number, text="还在吗？", author=Author.CUSTOMER)
    await adapter.push(words)
    message = chatwoot.threads[2208].messages[-1]
    assert (message["content"], message["message_type"]) == ("还在吗？", 0)
    query = FindMessage(conversation_id=number, token="cmd-10", text="还在吗？", private=False, since=SINCE)
    found = await adapter.find(query)
    assert isinstance(found, MessageRecord)
    assert (found.id, found.token, found.author) == (str(message["id"]), "cmd-10", Author.CUSTOMER)


async def test_words_are_relayed_into_api_inboxes_only(chatwoot: FakeChatwoot) -> None:
    """Chatwoot takes them nowhere else, and says so."""
    chatwoot.refuses_incoming = True
    words = Reply(key="k", conversation_id="2207", text="x", author=Author.CUSTOMER)
    with pytest.raises(Rejected, match="Api inboxes"):
        await connect(chatwoot).push(words)


async def test_files_go_out_and_come_in(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Byte by byte, in their order, with our mark; a note's files stay with the note."""
    picture, document = b"\x89PNG\r\n\x1a\n \x00\xff", b"%PDF-1.7"
    files = (upload("收據.png", "image/png", picture), upload("a.pdf", "application/pdf", document))
    stated = tuple(Attachment(id=each.name, url="https://x.example/1", name=each.name) for each in files)
    reply = Reply(key="k1", conversation_id="2207", text="请看", author=Author.AI, attachments=stated)
    note = Note(key="k2", conversation_id="2207", text="内部", attachments=stated[:1])
    pushed = await adapter.push(reply, files)
    await adapter.push(note, files[:1])
    assert list(chatwoot.files.values()) == [picture, document, picture]
    first, second = chatwoot.thread.messages
    assert (first["content"], first["private"], second["private"]) == ("请看", False, True)
    assert first["sender"]["type"] == "agent_bot"
    page = await adapter.pull(PullKind.MESSAGES, None, scope="2207")
    told = [change.message for change in page.changes if isinstance(change, MessagePosted)]
    assert [(each.id, each.token) for each in told] == [(pushed.id, "k1"), ("2", "k2")]
    assert [each.name for each in told[0].attachments] == ["收據.png", "a.pdf"]
    assert told[0].attachments[0].content_type == "image/png"


async def test_more_files_than_a_message_takes_are_rejected(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """Fifteen are the most."""
    files = tuple(upload(f"{number}.txt", "text/plain", b"x") for number in range(16))
    with pytest.raises(Rejected, match="15"):
        await adapter.push(Note(key="k", conversation_id="2207", text="x"), files)
    assert chatwoot.log == []


async def test_a_message_is_fetched_by_its_id(adapter: Adapter, chatwoot: FakeChatwoot) -> None:
    """As it is now; one that isn't there is None."""
    for number in range(3):
        chatwoot.post(chatwoot.thread, f"m{number}", sender=chatwoot.contact, message_type="incoming")
    found = await adapter.find(GetMessage(conversation_id="2207", message_id="2"))
    assert isinstance(found, MessageRecord)
    assert (found.id, found.text) == ("2", "m1")
    for conversation, message in (("2207", "99"), ("2207", "no-number"), ("1", "2")):
        query = GetMessage(conversation_id=conversation, message_id=message)
        assert await adapter.find(query) is None


async def test_opening_a_pending_conversation_as_the_bot_is_chatwoots_own_hand_off(
    adapter: Adapter, chatwoot: FakeChatwoot
) -> None:
    """Chatwoot counts it as one, and assigns by its own rules; with a user's token it would do neither."""
    await adapter.push(SetStatus(key="k", conversation_id="2207", status=Status.OPEN))
    assert chatwoot.handed_off == [2207]
    without_bot = FakeChatwoot()
    await connect(without_bot, bot_token=None).push(
        SetStatus(key="k", conversation_id="2207", status=Status.OPEN)
    )
    assert without_bot.handed_off == []
    assert json.dumps(without_bot.log) == '[["user-token", "POST conversations/2207/toggle_status"]]'
