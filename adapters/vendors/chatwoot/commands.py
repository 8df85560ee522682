"""What each command is in Chatwoot's API."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    Note,
    OpenConversation,
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
from adapters.vendors.chatwoot.opening import open_conversation
from adapters.vendors.chatwoot.saying import Account, Words, say

Spoken = Reply | Note | OpenConversation
Known = Spoken | Assign | SetStatus | ChangeTags | UpdateCustomer | UpdateConversation


async def carry_out(account: Account, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply() | Note() | OpenConversation():
            return await _speak(account, command, uploads)
        case Assign():
            return await _assign(account, command)
        case SetStatus():
            return await _set_status(account, command)
        case ChangeTags():
            return await _change_labels(account, command)
        case UpdateCustomer():
            return await _update_contact(account, command)
        case UpdateConversation():
            return await _change_attributes(account, command)
        case _:
            assert_never(command)


async def _speak(account: Account, command: Spoken, uploads: Sequence[Upload]) -> Pushed:
    match command:
        case Reply(author=author):
            words = Words(key=command.key, text=spoken(command), author=author)
            return await say(account, command.conversation_id, words, uploads)
        case Note():
            words = Words(key=command.key, text=command.text, author=Author.AI, private=True)
            return await say(account, command.conversation_id, words, uploads)
        case OpenConversation():
            return await open_conversation(account, command)
        case _:
            assert_never(command)


async def _set_status(account: Account, command: SetStatus) -> Pushed:
    """What is pending and opened with the bot's token is handed off, in Chatwoot's own sense."""
    if command.status is Status.UNKNOWN:
        raise Unsupported("Chatwoot has no such status")
    path = _thread(account, command, "toggle_status")
    body = {"status": command.status.value}
    return Pushed(raw=await account.call("POST", path, json=body, headers=account.as_bot))


async def _update_contact(account: Account, command: UpdateCustomer) -> Pushed:
    fields: Raw = {} if command.name is UNSET else {"name": command.name}
    if command.attributes:
        fields["custom_attributes"] = command.attributes
    await account.call("PUT", f"{account.path}/contacts/{command.customer_id}", json=fields)
    return Pushed(id=command.customer_id)


async def _assign(account: Account, command: Assign) -> Pushed:
    """Team and person are two requests; 0 takes the conversation from whoever has it."""
    path = _thread(account, command, "assignments")
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


def _thread(account: Account, command: ThreadCommand, rest: str) -> str:
    return f"{account.path}/conversations/{command.conversation_id}/{rest}"


def _number(field: str, value: str) -> int:
    if not value.isdecimal():
        raise Rejected(f"{field} {value!r} is no number of Chatwoot's")
    return int(value)


async def _change_labels(account: Account, command: ChangeTags) -> Pushed:
    """Chatwoot overwrites the whole list, so it is read first, and left alone if nothing changes."""
    path = _thread(account, command, "labels")
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
        path = _thread(account, command, "custom_attributes")
        await account.call("POST", path, json={"custom_attributes": wanted})
    return Pushed(id=command.conversation_id, raw={"custom_attributes": wanted})
