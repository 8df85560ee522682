"""What each command is in Chatwoot's API."""

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    Note,
    Pushed,
    Raw,
    Reply,
    SetStatus,
    Status,
    ThreadCommand,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.speech import spoken
from adapters.times import moment
from adapters.vendors.chatwoot import mapping


class Account(msgspec.Struct, frozen=True):
    """One account's API: how to call it, where it lies, and whose headers make the bot speak."""

    call: Callable[..., Awaitable[Any]]
    path: str
    as_bot: dict[str, str] | None

    def thread(self, command: ThreadCommand, rest: str) -> str:
        """A path below the command's conversation."""
        return f"{self.path}/conversations/{command.conversation_id}/{rest}"


Known = Reply | Note | Assign | SetStatus | ChangeTags | UpdateCustomer | UpdateConversation


async def carry_out(account: Account, command: Known) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply() | Note():
            return await _post_message(account, command)
        case Assign():
            return await _assign(account, command)
        case SetStatus(status=Status.UNKNOWN):
            raise Unsupported("Chatwoot has no such status")
        case SetStatus(status=status):
            path = account.thread(command, "toggle_status")
            body = {"status": status.value}
            return Pushed(raw=await account.call("POST", path, json=body, headers=account.as_bot))
        case ChangeTags():
            return await _change_labels(account, command)
        case UpdateCustomer():
            fields: Raw = {} if command.name is UNSET else {"name": command.name}
            if command.attributes:
                fields["custom_attributes"] = command.attributes
            await account.call("PUT", f"{account.path}/contacts/{command.customer_id}", json=fields)
            return Pushed(id=command.customer_id)
        case UpdateConversation():
            return await _change_attributes(account, command)
        case _:
            assert_never(command)


async def _post_message(account: Account, command: Reply | Note) -> Pushed:
    author = command.author if isinstance(command, Reply) else Author.AI
    body = {
        "content": spoken(command) if isinstance(command, Reply) else command.text,
        "message_type": "outgoing",
        "private": isinstance(command, Note),
        "content_attributes": mapping.mark(command.key, author),
    }
    headers = account.as_bot if author is Author.AI else None
    answer = await account.call("POST", account.thread(command, "messages"), json=body, headers=headers)
    return Pushed(id=str(answer["id"]), at=moment(answer.get("created_at")), raw=answer)


async def _assign(account: Account, command: Assign) -> Pushed:
    """Team and person are two requests; 0 takes the conversation from whoever has it."""
    path = account.thread(command, "assignments")
    nobody = command.assignee_id is None and command.team_id is None
    answer = None
    for field, wanted in (("team_id", command.team_id), ("assignee_id", command.assignee_id)):
        if wanted is None and not nobody:
            continue
        answer = await account.call("POST", path, json={field: _number(field, wanted or "0")})
        # Chatwoot takes an unknown id for "nobody" and says so by answering null.
        if wanted is not None and not answer:
            raise Rejected(f"Chatwoot knows no {field} {wanted}")
    return Pushed(raw=answer or {})


def _number(field: str, value: str) -> int:
    if not value.isdecimal():
        raise Rejected(f"{field} {value!r} is no number of Chatwoot's")
    return int(value)


async def _change_labels(account: Account, command: ChangeTags) -> Pushed:
    """Chatwoot overwrites the whole list, so it is read first, and left alone if nothing changes."""
    path = account.thread(command, "labels")
    current = (await account.call("GET", path))["payload"]
    kept = [label for label in current if label not in command.remove]
    wanted = kept + [label for label in dict.fromkeys(command.add) if label not in kept]
    if wanted != current:
        await account.call("POST", path, json={"labels": wanted})
    return Pushed(raw={"labels": wanted})


async def _change_attributes(account: Account, command: UpdateConversation) -> Pushed:
    """Chatwoot overwrites all custom attributes at once, so they are read first, and left alone if equal."""
    if command.subject is not UNSET:
        raise Unsupported("Chatwoot has no subject that can be set")
    found = await account.call("GET", f"{account.path}/conversations/{command.conversation_id}")
    current = found.get("custom_attributes") or {}
    merged = {**current, **command.attributes}
    wanted = {name: value for name, value in merged.items() if value is not None}
    if wanted != current:
        path = account.thread(command, "custom_attributes")
        await account.call("POST", path, json={"custom_attributes": wanted})
    return Pushed(id=command.conversation_id, raw={"custom_attributes": wanted})
