"""What each command is in Zendesk's API: nearly all of them are one update of a ticket."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    HandOver,
    Note,
    OpenConversation,
    Pushed,
    Raw,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.speech import spoken
from adapters.times import moment
from adapters.vendors.zendesk import mapping
from adapters.vendors.zendesk.mapping import Account

# Once a ticket has left `new`, it can't go back there: a bot that has it again waits for the customer.
_STATUSES = {
    Status.PENDING: "pending",
    Status.OPEN: "open",
    Status.SNOOZED: "pending",
    Status.RESOLVED: "solved",
}


class Desk(msgspec.Struct, frozen=True):
    """One account's API: how to call it, how to find the user that a ticket is for, and its settings."""

    call: Callable[..., Awaitable[Any]]
    requester: Callable[[OpenConversation], Awaitable[int]]
    account: Account


Known = (
    Reply
    | Note
    | Assign
    | SetStatus
    | ChangeTags
    | UpdateCustomer
    | UpdateConversation
    | HandOver
    | OpenConversation
)


async def carry_out(desk: Desk, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply() | Note():
            pushed = await _comment(desk, command, uploads)
        case Assign():
            pushed = await _assign(desk, command)
        case SetStatus():
            pushed = await _set_status(desk, command)
        case ChangeTags():
            pushed = await _change_tags(desk, command)
        case UpdateCustomer():
            pushed = await _update_customer(desk, command)
        case UpdateConversation():
            pushed = await _update_conversation(desk, command)
        case HandOver():
            pushed = await _hand_over(desk, command)
        case OpenConversation():
            pushed = await _open(desk, command)
        case _:
            assert_never(command)
    return pushed


async def _update(desk: Desk, ticket: str, fields: Raw) -> Any:
    """One update, which Zendesk records as one audit; the audit is answered along with the ticket."""
    return await desk.call("PUT", f"/api/v2/tickets/{ticket}", json={"ticket": fields})


async def _comment(desk: Desk, command: Reply | Note, uploads: Sequence[Upload]) -> Pushed:
    author = command.author if isinstance(command, Reply) else Author.AI
    text = spoken(command) if isinstance(command, Reply) else command.text
    comment: Raw = {"body": text, "public": isinstance(command, Reply)}
    if author is Author.CUSTOMER:
        found = await desk.call("GET", f"/api/v2/tickets/{command.conversation_id}")
        comment["author_id"] = found["ticket"]["requester_id"]
    elif author is Author.AI and desk.account.bot:
        comment["author_id"] = int(desk.account.bot)
    if uploads:
        comment["uploads"] = [await _upload(desk, each) for each in uploads]
    fields = {"comment": comment, "metadata": mark(command.key, author)}
    return _commented(desk, await _update(desk, command.conversation_id, fields))


async def _upload(desk: Desk, upload: Upload) -> str:
    """Lay a file down; the token names it for an hour."""
    answer = await desk.call(
        "POST",
        "/api/v2/uploads",
        params={"filename": upload.name},
        content=upload.chunks(),
        headers=upload.headers,
    )
    return str(answer["upload"]["token"])


async def _set_status(desk: Desk, command: SetStatus) -> Pushed:
    return _changed(desk, await _update(desk, command.conversation_id, _status(command.status)))


async def _assign(desk: Desk, command: Assign) -> Pushed:
    """A person alone leaves the group to Zendesk; a team alone, or nobody, takes the person away."""
    fields: Raw = {"assignee_id": _number("assignee_id", command.assignee_id)}
    if command.team_id is not None or command.assignee_id is None:
        fields["group_id"] = _number("team_id", command.team_id)
    answer = await _update(desk, command.conversation_id, fields)
    # One who is not in the group is passed over in silence.
    if command.assignee_id not in {None, mapping.ident(answer["ticket"].get("assignee_id"))}:
        raise Rejected(f"Zendesk did not assign the ticket to {command.assignee_id}: are they in its group?")
    return _changed(desk, answer)


async def _change_tags(desk: Desk, command: ChangeTags) -> Pushed:
    """Adding and removing are calls of their own that leave the other tags alone."""
    path = f"/api/v2/tickets/{command.conversation_id}/tags"
    added, removed = (sorted({_tag(each) for each in tags}) for tags in (command.add, command.remove))
    answer = None
    if removed:
        answer = await desk.call("DELETE", path, json={"tags": removed})
    if added:
        answer = await desk.call("PUT", path, json={"tags": added})
    return Pushed(raw=answer or {})


async def _update_customer(desk: Desk, command: UpdateCustomer) -> Pushed:
    fields: Raw = {} if command.name is UNSET else {"name": command.name}
    if command.attributes:
        fields["user_fields"] = command.attributes
    path = f"/api/v2/users/{command.customer_id}"
    user = (await desk.call("PUT", path, json={"user": fields}))["user"]
    return Pushed(id=command.customer_id, customer=mapping.customer(user), raw=user)


async def _update_conversation(desk: Desk, command: UpdateConversation) -> Pushed:
    """With a time the update is safe: Zendesk answers 409 unless the ticket was last changed then."""
    fields: Raw = {} if command.subject is UNSET else {"subject": command.subject}
    if command.attributes:
        held = {_field(desk, name): value for name, value in command.attributes.items()}
        fields["custom_fields"] = [{"id": int(number), "value": value} for number, value in held.items()]
    if command.status is not UNSET:
        fields |= _status(command.status)
    if command.tags is not UNSET:
        fields["tags"] = [_tag(each) for each in command.tags]
    if command.updated_at is not UNSET:
        stamp = command.updated_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        fields |= {"safe_update": True, "updated_stamp": stamp}
    return _changed(desk, await _update(desk, command.conversation_id, fields))


async def _hand_over(desk: Desk, command: HandOver) -> Pushed:
    """Open the ticket for a group or a person, with a note of what went before."""
    note = f"{command.summary}\n\n{command.url}".strip()
    fields: Raw = {
        "status": "open",
        "comment": {"body": note, "public": False},
        "metadata": mark(command.key, Author.AI),
    }
    if desk.account.bot:
        fields["comment"]["author_id"] = int(desk.account.bot)
    if command.to is not None:
        fields["group_id"] = _number("to", command.to)
    if command.assignee_id is not None or command.to is not None:
        fields["assignee_id"] = _number("assignee_id", command.assignee_id)
    pushed = _commented(desk, await _update(desk, command.conversation_id, fields))
    taken = Reception.ACCEPTED if command.assignee_id else Reception.QUEUED
    return msgspec.structs.replace(pushed, reception=taken)


async def _open(desk: Desk, command: OpenConversation) -> Pushed:
    """Open a ticket; the key stands in the header (for two hours), and as `external_id` for good."""
    ticket: Raw = {
        "subject": command.subject,
        "comment": {"body": command.text, "public": not command.private},
        "requester_id": await desk.requester(command),
        "external_id": command.key,
        "metadata": mark(command.key, Author.AI),
    }
    if command.tags:
        ticket["tags"] = [_tag(each) for each in command.tags]
    headers = {"Idempotency-Key": command.key}
    answer = await desk.call("POST", "/api/v2/tickets", json={"ticket": ticket}, headers=headers)
    return msgspec.structs.replace(
        _changed(desk, answer), id=str(answer["ticket"]["id"]), at=moment(answer["ticket"].get("created_at"))
    )


def mark(key: str, author: Author) -> Raw:
    """The metadata of the audit that carries our key: agents see it in the events, customers nowhere."""
    return {mapping.MARK: {"key": key, "author": author.value}}


def _changed(desk: Desk, answer: Any) -> Pushed:
    raw = answer["ticket"]
    conversation = mapping.conversation(raw, desk.account)
    return Pushed(id=conversation.id, conversation=conversation, raw=answer)


def _commented(desk: Desk, answer: Any) -> Pushed:
    """The comment is an event of the audit, and has its id."""
    audit = answer["audit"]
    comment = next(each for each in audit["events"] if each.get("type") == "Comment")
    return msgspec.structs.replace(
        _changed(desk, answer), id=str(comment["id"]), at=moment(audit.get("created_at"))
    )


def _status(status: Status) -> Raw:
    if status not in _STATUSES:
        raise Unsupported(f"Zendesk has no status {status}")
    fields: Raw = {"status": _STATUSES[status]}
    if status is Status.PENDING:
        fields["assignee_id"] = None  # what a bot has, no person has
    return fields


def _tag(text: str) -> str:
    """As Zendesk would write it, which splits a tag at its spaces."""
    return "_".join(text.lower().split())


def _number(what: str, value: str | None) -> int | None:
    if value is not None and not value.isdecimal():
        raise Rejected(f"{what} {value!r} is no number of Zendesk's")
    return None if value is None else int(value)


def _field(desk: Desk, name: str) -> str:
    number = desk.account.field_id(name)
    if number is None:
        raise Rejected(f"the ticket field {name!r} has no number: name it in the setting ticket_fields")
    return number
