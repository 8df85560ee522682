"""Opening a conversation in a customer's name, through an API inbox: contact, its place there, thread, words.

Chatwoot has no idempotency key. So every step finds what an attempt before it has made.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Author,
    FindMessage,
    FindOpened,
    Identity,
    IdentityKind,
    OpenConversation,
    Pushed,
    Raw,
)
from adapters.times import EPOCH
from adapters.vendors.chatwoot import lookups, mapping
from adapters.vendors.chatwoot.saying import Account, Words, say

Call = Callable[..., Awaitable[Any]]

_PAGES = 5
_UNPROCESSABLE = 422
_FIELDS = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "phone_number"}


async def open_conversation(account: Account, command: OpenConversation) -> Pushed:
    """Begin it, or go on with what an earlier attempt began."""
    if account.inbox_id is None:
        raise Unsupported("conversations are opened through an API inbox: set inbox_id")
    contact_id = (await _contact(account, command, account.inbox_id))["id"]
    contact = f"{account.path}/contacts/{contact_id}"
    listed = (await account.call("GET", f"{contact}/conversations"))["payload"]
    begun = next((raw for raw in listed if mapping.opened_by(raw) == command.key), None)
    if begun is None:
        place = {"inbox_id": account.inbox_id, "source_id": command.key}
        await account.call("POST", f"{contact}/contact_inboxes", json=place)
        begun = await _begin(account, command, place | {"contact_id": contact_id})
    number = str(begun["id"])
    labels = begun.get("labels") or []
    if lacking := [tag for tag in command.tags if tag not in labels]:
        path = f"{account.path}/conversations/{number}/labels"
        await account.call("POST", path, json={"labels": [*labels, *lacking]})
    if not await _said(account, command, number):
        author = Author.AI if command.private else Author.CUSTOMER
        words = Words(key=command.key, text=command.text, author=author, private=command.private)
        await say(account, number, words)
    return Pushed(id=number, raw=begun)


async def find_opened(call: Call, path: str, inbox_id: int | None, query: FindOpened) -> Raw | None:
    """The conversation that a command opened, with its first message; newest activity comes first."""
    since = int(query.since.timestamp()) - 1  # Chatwoot counts in seconds
    wanted = {"status": "all", "assignee_type": "all"} | ({"inbox_id": inbox_id} if inbox_id else {})
    for page in range(1, _PAGES + 1):
        answer = await call("GET", f"{path}/conversations", params={**wanted, "page": page})
        listed = answer["data"]["payload"]
        ours = next((raw for raw in listed if mapping.opened_by(raw) == query.token), None)
        if ours is not None:
            return ours if ours.get("messages") else None
        if not listed or (listed[-1].get("last_activity_at") or 0) < since:
            return None
    return None


async def _contact(account: Account, command: OpenConversation, inbox_id: int) -> Raw:
    """The contact with the customer's proven id, or one of the command's own."""
    proven = (each for each in command.identities if each.kind is IdentityKind.EXTERNAL and each.verified)
    identity = next(proven, None) or Identity(IdentityKind.EXTERNAL, f"{mapping.MARK}-{command.key}")
    found = await lookups.search_contact(account.call, f"{account.path}/contacts", identity)
    if found is not None:
        return found
    body: Raw = {"inbox_id": inbox_id, "identifier": identity.value, "name": command.customer_name}
    stated = {_FIELDS[each.kind]: each.value for each in command.identities if each.kind in _FIELDS}
    try:
        return await _create(account, body | stated)
    except Rejected as error:
        if error.status != _UNPROCESSABLE or not stated:
            raise
        # Another contact has the address already. Whoever it is, this one has not proven to be them.
        return await _create(account, body | {"additional_attributes": {"stated": stated}})


async def _create(account: Account, body: Raw) -> Raw:
    """A new contact. The description says that the payload is a list; the source has an object in it."""
    payload = (await account.call("POST", f"{account.path}/contacts", json=body))["payload"]
    made = payload[0] if isinstance(payload, list) else payload
    contact: Raw = made.get("contact", made)
    return contact


async def _begin(account: Account, command: OpenConversation, place: Raw) -> Raw:
    stated = {"channel": command.channel.value, mapping.MARK: {"key": command.key}}
    if command.subject:
        stated["mail_subject"] = command.subject
    body = place | {"additional_attributes": stated, "status": "open"}
    begun: Raw = await account.call("POST", f"{account.path}/conversations", json=body)
    return begun


async def _said(account: Account, command: OpenConversation, number: str) -> bool:
    query = FindMessage(
        conversation_id=number, token=command.key, text=command.text, private=command.private, since=EPOCH
    )
    path = f"{account.path}/conversations/{number}/messages"
    return await lookups.find_message(account.call, path, query) is not None
