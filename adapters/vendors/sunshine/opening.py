"""Opening a conversation in a customer's name, for agents alone: we are another helpdesk's way to them.

The user is made for this conversation and nobody is signed in as them. So no device of the customer's shows
what is said there, and whatever an earlier try has left is found by the command's key.
"""

from typing import Any

from adapters.errors import Rejected
from adapters.model import (
    Author,
    ConversationRecord,
    HandOver,
    Identity,
    IdentityKind,
    OpenConversation,
    Pushed,
    Raw,
)
from adapters.vendors.sunshine import mapping, switchboard
from adapters.vendors.sunshine.switchboard import Call

_TAKEN = 409
_NAME_LIMIT = 128
_VALUE_LIMIT = 500


def external_id(key: str) -> str:
    """What we call the user that is made for a command."""
    return f"deskbridge-{key}"


async def open_conversation(
    call: Call, path: str, command: OpenConversation, *, ours: str, field: str | None
) -> Pushed:
    """A user, their conversation, and control to the agents with the context; each unless it is there."""
    await _user(call, path, command)
    raw = await find(call, path, command.key) or await _thread(call, path, command.key)
    thread = f"{path}/conversations/{raw['id']}"
    if not command.private:
        await _say(call, f"{thread}/messages", command)
    handed = HandOver(
        key=command.key,
        conversation_id=str(raw["id"]),
        summary=command.text if command.private else command.subject,
        package={"subject": command.subject, "tags": ", ".join(command.tags)},
    )
    await switchboard.hand_over(call, thread, handed, ours=ours, field=field)
    return Pushed(id=str(raw["id"]), raw=raw)


async def find(call: Call, path: str, key: str) -> Raw | None:
    """The conversation that was opened with this key."""
    asked = {"filter[userExternalId]": external_id(key)}
    try:
        answer = await call("GET", f"{path}/conversations", params=asked) or {}
    except Rejected as error:
        if error.status == 404:  # noqa: PLR2004 - there is no such user
            return None
        raise
    held = (each for each in answer.get("conversations") or () if each and each.get("id"))
    return next((each for each in held if (each.get("metadata") or {}).get(mapping.KEY) == key), None)


async def find_opened(
    call: Call, path: str, key: str, *, ours: str, sdk_channel: str
) -> ConversationRecord | None:
    """The same, once the agents have it: before that, the opening isn't done."""
    raw = await find(call, path, key)
    if raw is None or not switchboard.is_theirs(raw, ours):
        return None
    return mapping.conversation(raw, sdk_channel=sdk_channel)


async def _user(call: Call, path: str, command: OpenConversation) -> None:
    given, _, surname = command.customer_name.partition(" ")
    profile = {"givenName": given[:_NAME_LIMIT], "surname": surname[:_NAME_LIMIT]}
    profile["email"] = _stated(command.identities, IdentityKind.EMAIL)
    about = {
        "deskbridge_phone": _stated(command.identities, IdentityKind.PHONE),
        "deskbridge_customer": _stated(command.identities, IdentityKind.EXTERNAL),
    }
    body: dict[str, Any] = {
        "externalId": external_id(command.key),
        "profile": {name: value for name, value in profile.items() if value},
        "metadata": {name: value[:_VALUE_LIMIT] for name, value in about.items() if value},
    }
    try:
        await call("POST", f"{path}/users", json=body)
    except Rejected as error:
        if error.status != _TAKEN:
            raise


async def _thread(call: Call, path: str, key: str) -> Raw:
    participant = {"userExternalId": external_id(key), "subscribeSDKClient": False}
    body = {"type": "personal", "participants": [participant], "metadata": {mapping.KEY: key}}
    answer: Raw = await call("POST", f"{path}/conversations", json=body)
    made: Raw = answer["conversation"]
    return made


async def _say(call: Call, path: str, command: OpenConversation) -> None:
    said = (await call("GET", path) or {}).get("messages") or ()
    if any(mapping.part_of(raw, command.key) for raw in said):
        return
    body = {
        "author": {"type": "user", "userExternalId": external_id(command.key)},
        "content": {"type": "text", "text": command.text},
        "metadata": mapping.mark(command.key, Author.CUSTOMER, part=1, parts=1),
    }
    await call("POST", path, json=body)


def _stated(identities: tuple[Identity, ...], kind: IdentityKind) -> str:
    return next((each.value for each in identities if each.kind is kind), "")
