"""What each command is in Intercom's API: replies and parts by the admin that we are."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Rejected, Unsupported
from adapters.markup import marked_up
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    HandOver,
    MessageRecord,
    Note,
    Pushed,
    Raw,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.speech import says, spoken
from adapters.vendors.intercom import mapping
from adapters.vendors.intercom.lookups import plain
from adapters.vendors.intercom.mapping import Account

MOST_FILES = 10
SNOOZE = timedelta(days=1)
"""A snooze needs an end, and a command names none."""

_NOBODY = "0"
# A bot at work is nothing that Intercom knows: such a conversation is open.
_STATES = {
    Status.PENDING: "open",
    Status.OPEN: "open",
    Status.SNOOZED: "snoozed",
    Status.RESOLVED: "closed",
}

Known = Reply | Note | Assign | SetStatus | ChangeTags | UpdateCustomer | UpdateConversation | HandOver


class Desk(msgspec.Struct, frozen=True):
    """One workspace's API, and who we are there."""

    call: Callable[..., Awaitable[Any]]
    account: Account

    async def read(self, thread: str) -> Raw:
        """A conversation as it is now."""
        path, params = plain(thread)
        found: Raw = await self.call("GET", path, params=params)
        return found

    async def part(self, thread: str, **fields: Any) -> Pushed:
        """Do something to a conversation, which Intercom records as a part; it answers the conversation."""
        body = {"admin_id": self.account.admin, **fields}
        return self.changed(await self.call("POST", f"/conversations/{thread}/parts", json=body))

    def changed(self, raw: Any) -> Pushed:
        """What an update answered."""
        if not isinstance(raw, dict) or not raw.get("id"):
            return Pushed()
        return Pushed(conversation=mapping.conversation(raw, self.account), raw=raw)


async def carry_out(desk: Desk, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Assign():
            pushed = await _assign(desk, command)
        case SetStatus():
            pushed = await _set_status(desk, command)
        case ChangeTags():
            pushed = await _change_tags(desk, command)
        case UpdateCustomer():
            pushed = await _update_contact(desk, command)
        case UpdateConversation():
            pushed = await _update_conversation(desk, command)
        case HandOver():
            pushed = await _hand_over(desk, command)
        case Reply() | Note():
            pushed = await _say(desk, command, uploads)
        case _:
            assert_never(command)
    return pushed


async def _say(desk: Desk, command: Reply | Note, uploads: Sequence[Upload]) -> Pushed:
    if len(uploads) > MOST_FILES:
        raise Rejected(f"Intercom takes {MOST_FILES} files with a message, not {len(uploads)}")
    text = spoken(command) if isinstance(command, Reply) else command.text
    is_public = isinstance(command, Reply)
    told: Raw = {"message_type": "comment" if is_public else "note", "body": body(text)}
    if isinstance(command, Reply) and command.author is Author.CUSTOMER:
        told |= {"type": "user", "intercom_user_id": await _contact_of(desk, command.conversation_id)}
        who = Author.CUSTOMER
    else:
        told |= {"type": "admin", "admin_id": desk.account.admin}
        who = Author.AI
    if uploads:
        told["attachment_files"] = [_file(each) for each in uploads]
    answer = await desk.call("POST", f"/conversations/{command.conversation_id}/reply", json=told)
    message = _written(desk, answer, text, who=who, private=not is_public)
    if message is None:
        return desk.changed(answer)
    return Pushed(id=message.id, at=message.sent_at, raw=message.raw)


def body(text: str) -> str:
    """A body is read as HTML: what could be taken for some is written as such."""
    return f"<p>{marked_up(text)}</p>" if "<" in text or "&" in text else text


def _file(upload: Upload) -> Raw:
    data = base64.b64encode(upload.read()).decode()
    return {"content_type": upload.content_type, "name": upload.name, "data": data}


def _written(desk: Desk, answer: Any, text: str, *, who: Author, private: bool) -> MessageRecord | None:
    """What we have just said, in the conversation that is answered: others may have spoken meanwhile."""
    if not isinstance(answer, dict) or not answer.get("id"):
        return None
    parts = [each for each in mapping.messages(answer, desk.account) if each.private == private]
    ours = [each for each in parts if each.author is who and not each.id.startswith(mapping.SOURCE)]
    alike = [each for each in ours if says(each, text.strip())]
    return next(iter(reversed(alike or ours)), None)


async def _contact_of(desk: Desk, thread: str) -> str:
    found = mapping.customer_of(await desk.read(thread), desk.account)
    if found is None:
        raise Rejected(f"conversation {thread} has no contact whose words these could be")
    return found.id


async def _assign(desk: Desk, command: Assign) -> Pushed:
    """Team and person are two parts; 0 takes the conversation from both."""
    wanted = [("team", command.team_id), ("admin", command.assignee_id)]
    given = [(kind, number) for kind, number in wanted if number is not None]
    pushed = Pushed()
    for kind, number in given or [("admin", _NOBODY), ("team", _NOBODY)]:
        fields = {"message_type": "assignment", "type": kind, "assignee_id": number}
        pushed = await desk.part(command.conversation_id, **fields)
    return pushed


async def _set_status(desk: Desk, command: SetStatus) -> Pushed:
    """Every close would be a part of its own, so it is looked first."""
    wanted = _STATES.get(command.status)
    if wanted is None:
        raise Unsupported("Intercom has no such state")
    found = await desk.read(command.conversation_id)
    if found.get("state") == wanted:
        return desk.changed(found)
    match wanted:
        case "closed":
            return await desk.part(command.conversation_id, message_type="close", type="admin")
        case "snoozed":
            until = int((datetime.now(UTC) + SNOOZE).timestamp())
            return await desk.part(command.conversation_id, message_type="snoozed", snoozed_until=until)
        case _:
            return await desk.part(command.conversation_id, message_type="open")


async def _change_tags(desk: Desk, command: ChangeTags) -> Pushed:
    """Tags are put on and off by their ids, one request each; naming one makes it, or finds it."""
    found = await desk.read(command.conversation_id)
    held = (found.get("tags") or {}).get("tags") or ()
    current = {str(each.get("name")): str(each.get("id")) for each in held}
    path, us = f"/conversations/{command.conversation_id}/tags", {"admin_id": desk.account.admin}
    for name in command.add:
        if name not in current:
            tag = await desk.call("POST", "/tags", json={"name": name})
            await desk.call("POST", path, json={"id": str(tag["id"]), **us})
    for name in command.remove:
        if name in current and name not in command.add:
            await desk.call("DELETE", f"{path}/{current[name]}", json=us)
    return Pushed(id=command.conversation_id)


async def _update_contact(desk: Desk, command: UpdateCustomer) -> Pushed:
    """Attributes that are not named stay as they are."""
    fields: Raw = {} if command.name is UNSET else {"name": command.name}
    if command.attributes:
        fields["custom_attributes"] = command.attributes
    raw = await desk.call("PUT", f"/contacts/{command.customer_id}", json=fields)
    known = isinstance(raw, dict) and raw.get("id")
    customer = mapping.customer(raw, desk.account) if known else None
    return Pushed(id=command.customer_id, customer=customer)


async def _update_conversation(desk: Desk, command: UpdateConversation) -> Pushed:
    if command.subject is not UNSET:
        raise Unsupported("Intercom lets nobody set a conversation's title")
    fields = {"custom_attributes": command.attributes}
    return desk.changed(await desk.call("PUT", f"/conversations/{command.conversation_id}", json=fields))


async def _hand_over(desk: Desk, command: HandOver) -> Pushed:
    """A note with the summary, then the assignment; nothing if whoever is wanted has it already."""
    queued = Pushed(reception=Reception.QUEUED)
    found = await desk.read(command.conversation_id)
    has = (mapping.ident(found.get("admin_assignee_id")), mapping.ident(found.get("team_assignee_id")))
    wanted = (command.assignee_id, command.to)
    if any(wanted) and all(each in {None, held} for each, held in zip(wanted, has, strict=True)):
        return queued
    told = "\n".join(filter(None, (command.summary, command.url)))
    await _say(desk, Note(key=command.key, conversation_id=command.conversation_id, text=told or "…"), ())
    await _assign(
        desk,
        Assign(
            key=command.key,
            conversation_id=command.conversation_id,
            assignee_id=command.assignee_id,
            team_id=command.to,
        ),
    )
    return queued
