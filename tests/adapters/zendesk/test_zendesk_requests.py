"""Every request we send to Zendesk, judged by Zendesk's own published description."""

import io
from datetime import datetime
from typing import Any

import httpx
import pytest
from vendors.zendesk import AGENT, BRIDGE, CUSTOMER, STARTED, FakeZendesk, Raw
from zendesk_said import BASE, ai, at, last

from adapters import registry
from adapters.attachments import Upload
from adapters.contract import Adapter
from adapters.errors import Fatal, Outdated, Rejected, Retryable, Unsupported
from adapters.model import (
    Assign,
    Attachment,
    Author,
    ChangeTags,
    Channel,
    ConversationRecord,
    FindConversation,
    FindOpened,
    GetMessage,
    HandOver,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Note,
    OpenConversation,
    Person,
    PullKind,
    Pushed,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)

PNG = b"\x89PNG\r\n\x00\xff" * 9


async def test_the_ai_replies_as_our_user(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """In public, with our key in the audit; the comment's id comes back, not the audit's."""
    pushed = await adapter.push(ai(ticket))
    comment = last(zendesk, ticket)
    assert (pushed.id, pushed.at) == (str(comment["id"]), datetime.fromisoformat(comment["created_at"]))
    assert (comment["body"], comment["public"], comment["author_id"]) == ("您好！", True, BRIDGE)
    assert comment["metadata"]["custom"] == {"deskbridge": {"key": "cmd-1", "author": "ai"}}
    assert ticket["status"] == "new"


async def test_a_person_replies_under_their_name(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """An in-house agent has no user of their own, so their name stands before their words."""
    person = Person("desk-7", "王芳")
    reply = Reply(text="我来帮您", author=Author.AGENT, person=person, **at(ticket))
    await adapter.push(reply)
    assert last(zendesk, ticket)["body"] == "王芳: 我来帮您"


async def test_the_customers_words_are_relayed_in_their_name(
    adapter: Adapter, zendesk: FakeZendesk, ticket: Raw
) -> None:
    """As the requester's; that opens a solved ticket, and what is read back is theirs, and bears our key."""
    zendesk.change(ticket, {"status": "solved"}, actor=AGENT)
    pushed = await adapter.push(Reply(text="還是沒到", author=Author.CUSTOMER, **at(ticket)))
    assert (last(zendesk, ticket)["author_id"], ticket["status"]) == (CUSTOMER, "open")
    found = await adapter.find(GetMessage(conversation_id=str(ticket["id"]), message_id=pushed.id or ""))
    assert isinstance(found, MessageRecord)
    assert (found.author, found.token) == (Author.CUSTOMER, "cmd-1")


async def test_a_note_is_private(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """Customers never see it."""
    await adapter.push(Note(text="goal: find the parcel", **at(ticket)))
    assert last(zendesk, ticket)["public"] is False


async def test_files_go_and_come(adapter: Adapter, zendesk: FakeZendesk, ticket: Raw) -> None:
    """Uploaded byte by byte, then named in the comment; credentials stay at the account's own address."""
    sent = Attachment(id="1", url="https://files.example/1", name="收據.png", content_type="image/png")
    upload = Upload(name="收據.png", content_type="image/png", size=len(PNG), file=io.BytesIO(PNG))
    await adapter.push(ai(ticket, attachments=(sent,)), (upload,))
    assert [each["content"] for each in zendesk.files.values()] == [PNG]
    page = await adapter.pull(PullKind.MESSAGES, None, scope=str(ticket["id"]))
    (came,) = [a for c in page.changes if isinstance(c, MessagePosted) for a in c.message.attachments]
    assert (came.name, came.content_type, came.size) == ("收據.png", "image/png", len(PNG))
    assert adapter.fetch(came).headers["Authorization"].startswith("Basic ")
    assert not adapter.fetch(Attachment(id="2", url="https://acme.zendesk.com.evil.example/x")).headers


@pytest.mark.parametrize(
    ("status", "word", "read"),
    [
        (Status.OPEN, "open", Status.OPEN),
        (Status.PENDING, "pending", Status.PENDING),
        (Status.SNOOZED, "pending", Status.SNOOZED),
        (Status.RESOLVED, "solved", Status.RESOLVED),
    ],
)
async def test_statuses(adapter: Adapter, ticket: Raw, status: Status, word: str, read: Status) -> None:
    """What has left `new` can't go back: a bot that has it again waits for the customer, and nobody else."""
    ticket["assignee_id"] = AGENT
    pushed = await adapter.push(SetStatus(status=status, **at(ticket)))
    assert ticket["status"] == word
    assert ticket["assignee_id"] == (None if status is Status.PENDING else AGENT)
    assert pushed.conversation is not None
    assert pushed.conversation.status is read
    with pytest.raises(Unsupported):
        await adapter.push(SetStatus(status=Status.UNKNOWN, **at(ticket)))


async def test_who_solves_an_unassigned_ticket_is_nobody(adapter: Adapter, ticket: Raw) -> None:
    """Zendesk assigns it to whoever does; that our own user has it disturbs nobody."""
    pushed = await adapter.push(SetStatus(status=Status.RESOLVED, **at(ticket)))
    assert ticket["assignee_id"] == BRIDGE
    assert pushed.conversation is not None
    assert pushed.conversation.assignee is None


@pytest.mark.parametrize(
    ("assignee", "team", "expected"),
    [
        (str(AGENT), None, (AGENT, None)),
        (None, "2002", (None, 2002)),
        (str(AGENT), "2002", (AGENT, 2002)),
        (None, None, (None, None)),
    ],
)
async def test_assignment(
    adapter: Adapter, ticket: Raw, assignee: str | None, team: str | None, expected: tuple[Any, Any]
) -> None:
    """To a person, a group, both, or nobody."""
    await adapter.push(Assign(assignee_id=assignee, team_id=team, **at(ticket)))
    assert (ticket["assignee_id"], ticket["group_id"]) == expected


@pytest.mark.parametrize("assignee", [str(CUSTOMER), "99", "Lin Wei"])
async def test_who_cannot_be_assigned_is_rejected(adapter: Adapter, ticket: Raw, assignee: str) -> None:
    """Zendesk passes over them with success."""
    with pytest.raises(Rejected):
        await adapter.push(Assign(assignee_id=assignee, **at(ticket)))


async def test_tags_leave_the_others_alone(adapter: Adapter, ticket: Raw) -> None:
    """Added and removed by calls of their own; a tag with a space would be two."""
    ticket["tags"] = ["after-sales", "vip"]
    await adapter.push(ChangeTags(add=("VIP customer", "vip"), remove=("after-sales", "gone"), **at(ticket)))
    assert ticket["tags"] == ["vip", "vip_customer"]
    await adapter.push(ChangeTags(**at(ticket)))


async def test_a_conversation_is_written_at_once_and_only_as_it_was_read(
    adapter: Adapter, zendesk: FakeZendesk, ticket: Raw
) -> None:
    """Subject, fields by their names, status and tags; refused if anybody was faster."""
    read = await adapter.find(FindConversation(conversation_id=str(ticket["id"])))
    assert isinstance(read, ConversationRecord)
    assert isinstance(read.updated_at, datetime)
    change = UpdateConversation(
        subject="Parcel",
        attributes={"order_number": "CS-10482", "plan": None, "360777": "x"},
        status=Status.OPEN,
        tags=("vip",),
        updated_at=read.updated_at,
        **at(ticket),
    )
    pushed = await adapter.push(change)
    assert (ticket["subject"], ticket["status"], ticket["tags"]) == ("Parcel", "open", ["vip"])
    assert pushed.conversation is not None
    assert pushed.conversation.attributes == {"order_number": "CS-10482", "360777": "x"}
    zendesk.log += [""] * 5  # time passes
    zendesk.change(ticket, {"subject": "Parcel!"}, actor=AGENT)
    with pytest.raises(Outdated):
        await adapter.push(change)
    assert ticket["subject"] == "Parcel!"


async def test_a_field_without_a_number_is_rejected(adapter: Adapter, ticket: Raw) -> None:
    """With a cure."""
    with pytest.raises(Rejected, match="ticket_fields"):
        await adapter.push(UpdateConversation(attributes={"colour": "red"}, **at(ticket)))


async def test_customers_are_written(adapter: Adapter, zendesk: FakeZendesk) -> None:
    """Their name and user fields; the others stay."""
    zendesk.users[CUSTOMER]["user_fields"] = {"plan": "pro"}
    command = UpdateCustomer(
        key="k", customer_id=str(CUSTOMER), name="陳小婷", attributes={"member_level": "gold"}
    )
    pushed = await adapter.push(command)
    assert pushed.customer is not None
    assert pushed.customer.attributes == {"plan": "pro", "member_level": "gold"}
    assert zendesk.users[CUSTOMER]["name"] == "陳小婷"


@pytest.mark.parametrize(
    ("assignee", "reception"), [(None, Reception.QUEUED), (str(AGENT), Reception.ACCEPTED)]
)
async def test_a_hand_over_is_one_update(
    adapter: Adapter, zendesk: FakeZendesk, ticket: Raw, assignee: str | None, reception: Reception
) -> None:
    """The ticket is opened for a group, with a private note that leads to the whole package."""
    url = "https://bridge.example/desk/7"
    command = HandOver(summary="三次未能解決", to="2002", assignee_id=assignee, url=url, **at(ticket))
    pushed = await adapter.push(command)
    comment = last(zendesk, ticket)
    assert (comment["body"], comment["public"]) == (f"三次未能解決\n\n{url}", False)
    assert (ticket["status"], ticket["group_id"]) == ("open", 2002)
    assert (pushed.id, pushed.reception) == (str(comment["id"]), reception)
    assert zendesk.log.count(f"PUT tickets/{ticket['id']}") == 1


def opening(*identities: Identity) -> OpenConversation:
    """A ticket for somebody."""
    return OpenConversation(
        key="open-1",
        subject="Parcel at customs",
        text="The package: …",
        customer_name="陳雅婷",
        identities=identities,
        channel=Channel.CHAT,
        tags=("from chat",),
        private=True,
    )


async def open_ticket(adapter: Adapter, zendesk: FakeZendesk, *identities: Identity) -> tuple[Pushed, Raw]:
    """Open one."""
    pushed = await adapter.push(opening(*identities))
    return pushed, zendesk.tickets[int(pushed.id or 0)]


async def test_a_ticket_is_opened_once(adapter: Adapter, zendesk: FakeZendesk) -> None:
    """Its first comment is private; the same command again is the same ticket, and it is found by our key."""
    pushed, ticket = await open_ticket(adapter, zendesk, Identity(IdentityKind.VENDOR, str(CUSTOMER)))
    assert (ticket["requester_id"], ticket["tags"]) == (CUSTOMER, ["from_chat"])
    assert last(zendesk, ticket)["public"] is False
    again, _ = await open_ticket(adapter, zendesk, Identity(IdentityKind.VENDOR, str(CUSTOMER)))
    assert (again.id, len(zendesk.tickets)) == (pushed.id, 1)
    found = await adapter.find(FindOpened(token="open-1", since=STARTED))
    assert isinstance(found, ConversationRecord)
    assert found.id == pushed.id
    assert await adapter.find(FindOpened(token="open-2", since=STARTED)) is None


@pytest.mark.parametrize(
    "identity",
    [
        Identity(IdentityKind.EMAIL, "Chen.Yating@example.com", verified=True),
        Identity(IdentityKind.EXTERNAL, "shop-88213", verified=True),
    ],
)
async def test_who_is_proven_is_found(adapter: Adapter, zendesk: FakeZendesk, identity: Identity) -> None:
    """Then the ticket is theirs, and their name stays as the desk has it."""
    zendesk.users[CUSTOMER]["name"] = "陳雅婷 (VIP)"
    _, ticket = await open_ticket(adapter, zendesk, identity)
    assert ticket["requester_id"] == CUSTOMER
    assert zendesk.users[CUSTOMER]["name"] == "陳雅婷 (VIP)"


async def test_who_only_states_an_address_gets_no_ticket_in_its_owners_name(
    adapter: Adapter, zendesk: FakeZendesk
) -> None:
    """A user is made for them, the same one on the next try; the address is not theirs."""
    stated = Identity(IdentityKind.EMAIL, "chen.yating@example.com")
    _, ticket = await open_ticket(adapter, zendesk, stated)
    await open_ticket(adapter, zendesk, stated)
    made = zendesk.users[ticket["requester_id"]]
    assert (made["name"], made["external_id"], made["email"]) == ("陳雅婷", "deskbridge:open-1", None)
    assert len(zendesk.users) == 4


async def test_a_closed_ticket_takes_nothing(adapter: Adapter, ticket: Raw) -> None:
    """That command is rejected; nothing else stops."""
    ticket["status"] = "closed"
    with pytest.raises(Rejected):
        await adapter.push(ai(ticket))
    with pytest.raises(Rejected):
        await adapter.push(Reply(key="k", conversation_id="1", text="x", author=Author.AI))


async def test_two_updates_at_once_are_no_fault() -> None:
    """Zendesk refuses one of them with 409, which did nothing; it is tried again."""
    clash = httpx.MockTransport(lambda _: httpx.Response(409, json={"error": "Conflict"}))
    adapter = registry.build("zendesk", BASE, transport=clash)
    with pytest.raises(Retryable) as caught:
        await adapter.push(Reply(key="k", conversation_id="5158", text="x", author=Author.AI))
    assert not isinstance(caught.value, Outdated)
    assert not caught.value.outcome_unknown


async def test_the_check_names_the_user(adapter: Adapter) -> None:
    """The cheapest proof that everything fits."""
    assert await adapter.check() == "Deskbridge (admin)"


async def test_a_token_of_oauth_works_without_an_address(zendesk: FakeZendesk) -> None:
    """It is borne instead of the pair."""
    settings = {**BASE, "email": None, "token": "oauth-token"}
    adapter = registry.build("zendesk", settings, transport=zendesk)
    assert await adapter.check() == "Deskbridge (admin)"


async def test_wrong_credentials_are_fatal_and_stay_secret(zendesk: FakeZendesk) -> None:
    """An anonymous user is answered with success, and is refused here."""
    adapter = registry.build("zendesk", {**BASE, "token": "wrong-token"}, transport=zendesk)
    with pytest.raises(Fatal) as caught:
        await adapter.check()
    assert "wrong-token" not in caught.value.detail
    anonymous = {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}}
    answered = httpx.MockTransport(lambda _: httpx.Response(200, json=anonymous))
    with pytest.raises(Fatal, match="nobody of the staff"):
        await registry.build("zendesk", BASE, transport=answered).check()
