"""What each command is in the reference helpdesk's API."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_never

from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Unsupported
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    HandOver,
    Note,
    OpenConversation,
    Pushed,
    Reception,
    ReleaseControl,
    Reply,
    SetStatus,
    TakeControl,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.vendors.memory import mapping

Call = Callable[..., Awaitable[Any]]
Known = (
    Reply
    | Note
    | Assign
    | SetStatus
    | ChangeTags
    | UpdateCustomer
    | UpdateConversation
    | OpenConversation
    | HandOver
    | TakeControl
    | ReleaseControl
)


async def carry_out(call: Call, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply() | Note():
            path = f"/api/conversations/{command.conversation_id}/messages"
            pushed = _made(await call("POST", path, json=_new_message(command, uploads)))
        case OpenConversation():
            pushed = _made(await call("POST", "/api/conversations", json=mapping.new(command)))
        case Assign() | SetStatus() | ChangeTags():
            pushed = await _set(call, command)
        case UpdateCustomer() | UpdateConversation():
            pushed = await _update(call, command)
        case HandOver() | TakeControl() | ReleaseControl():
            pushed = await _move(call, command)
        case _:
            assert_never(command)
    return pushed


def _made(raw: dict[str, Any]) -> Pushed:
    return Pushed(id=raw["id"], at=mapping.moment(raw["created_at"]), raw=raw)


async def _set(call: Call, command: Assign | SetStatus | ChangeTags) -> Pushed:
    path = f"/api/conversations/{command.conversation_id}"
    match command:
        case Assign():
            fields = {"assignee_id": command.assignee_id, "team_id": command.team_id}
            raw = await call("PATCH", path, json=fields)
        case SetStatus():
            if command.status.value not in mapping.STATUSES:
                raise Unsupported(f"a conversation can't be {command.status}")
            raw = await call("PATCH", path, json={"status": command.status.value})
        case ChangeTags():
            raw = await call("POST", f"{path}/tags", json={"add": command.add, "remove": command.remove})
    return Pushed(id=raw["id"], raw=raw)


async def _update(call: Call, command: UpdateCustomer | UpdateConversation) -> Pushed:
    if isinstance(command, UpdateConversation):
        path = f"/api/conversations/{command.conversation_id}"
        raw = await call("PATCH", path, json=mapping.patch(command))
        return Pushed(id=raw["id"], conversation=mapping.conversation(raw), raw=raw)
    name = {} if command.name is UNSET else {"name": command.name}
    changed = {"attributes": command.attributes, **name}
    known = {} if command.revision is UNSET else {"If-Match": f'"{command.revision}"'}
    raw = await call("PATCH", f"/api/customers/{command.customer_id}", json=changed, headers=known)
    return Pushed(id=raw["id"], customer=mapping.customer(raw), raw=raw)


async def _move(call: Call, command: HandOver | TakeControl | ReleaseControl) -> Pushed:
    path = f"/api/conversations/{command.conversation_id}/control"
    taken = await call("POST", path, json=mapping.move(command))
    if not isinstance(command, HandOver):
        return Pushed(raw=taken)
    return Pushed(reception=Reception(taken["reception"]), position=taken["position"], raw=taken)


def _new_message(command: Reply | Note, uploads: Sequence[Upload]) -> dict[str, Any]:
    new: dict[str, Any] = {"text": command.text, "token": command.key}
    if uploads:
        new["files"] = [
            {"name": each.name, "content_type": each.content_type, "content": b64encode(each.read()).decode()}
            for each in uploads
        ]
    if isinstance(command, Note):
        return {**new, "private": True}
    if command.author is Author.AGENT and command.person is not None:
        return {**new, "author": "agent", "agent": {"id": command.person.id, "name": command.person.name}}
    return {**new, "author": "customer" if command.author is Author.CUSTOMER else "bot"}
