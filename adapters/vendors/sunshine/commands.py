"""What each command is in the API of Sunshine Conversations."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Author,
    HandOver,
    OpenConversation,
    Pushed,
    Raw,
    ReleaseControl,
    Reply,
    TakeControl,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.times import moment
from adapters.vendors.sunshine import mapping, opening, switchboard

TEXT_LIMIT = 4096
"""Characters of a message."""
UPLOAD_LIMIT = 50 * 1024 * 1024
"""Bytes of a file."""
_ALT_TEXT_LIMIT = 128
_NAME_LIMIT = 128


class App(msgspec.Struct, frozen=True, kw_only=True):
    """One app's API: how to call it, where it lies, and what the settings say of it."""

    call: Callable[..., Awaitable[Any]]
    path: str
    ours: str
    sdk_channel: str
    bot_name: str | None
    ai_disclaimer: bool
    summary_field: str | None

    def thread(self, conversation_id: str) -> str:
        """The path of a conversation."""
        return f"{self.path}/conversations/{conversation_id}"


Known = (
    Reply | UpdateCustomer | UpdateConversation | OpenConversation | HandOver | TakeControl | ReleaseControl
)


async def carry_out(app: App, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply():
            return await _reply(app, command, uploads)
        case UpdateCustomer():
            return await _update_user(app, command)
        case UpdateConversation():
            return await _update_conversation(app, command)
        case OpenConversation():
            field = app.summary_field
            return await opening.open_conversation(app.call, app.path, command, ours=app.ours, field=field)
        case HandOver() | TakeControl() | ReleaseControl():
            return await _switch(app, command)
        case _:
            assert_never(command)


async def _switch(app: App, command: HandOver | TakeControl | ReleaseControl) -> Pushed:
    path = app.thread(command.conversation_id)
    match command:
        case HandOver():
            field = app.summary_field
            return await switchboard.hand_over(app.call, path, command, ours=app.ours, field=field)
        case TakeControl():
            return await switchboard.take(app.call, path, command, ours=app.ours)
        case ReleaseControl():
            return await switchboard.release(app.call, path, command, ours=app.ours)
        case _:
            assert_never(command)


async def _reply(app: App, command: Reply, uploads: Sequence[Upload]) -> Pushed:
    """One message, or one for each file. What an earlier try has sent of several is not sent again."""
    _require_sendable(command, uploads)
    path = f"{app.thread(command.conversation_id)}/messages"
    parts = max(1, len(uploads))
    sent = await _sent_before(app, path, command) if parts > 1 else {}
    author = await _author(app, command)
    for part in range(1, parts + 1):
        if part in sent:
            continue
        text = command.text if part == 1 else ""
        upload = uploads[part - 1] if uploads else None
        body = {
            "author": author,
            "content": await _content(app, command.conversation_id, text, upload),
            "metadata": mapping.mark(command.key, command.author, part=part, parts=parts),
        }
        answer = await app.call("POST", path, json=body)
        sent[part] = next(iter((answer or {}).get("messages") or ()), {})
    first = sent[1]
    return Pushed(id=first.get("id"), at=moment(first.get("received")), raw=first)


def _require_sendable(command: Reply, uploads: Sequence[Upload]) -> None:
    if len(command.text) > TEXT_LIMIT:
        length = len(command.text)
        raise Rejected(f"Zendesk messaging takes {TEXT_LIMIT} characters in a message, not {length}")
    for upload in uploads:
        if upload.size > UPLOAD_LIMIT:
            raise Rejected(f"Zendesk messaging takes files of {UPLOAD_LIMIT} bytes, not {upload.size}")


async def _sent_before(app: App, path: str, command: Reply) -> dict[int, Raw]:
    latest = (await app.call("GET", path)).get("messages") or ()
    parts = ((mapping.part_of(raw, command.key), raw) for raw in latest)
    return {part: raw for part, raw in parts if part is not None}


async def _author(app: App, command: Reply) -> Raw:
    match command.author:
        case Author.CUSTOMER:
            answer = await app.call("GET", f"{app.thread(command.conversation_id)}/participants")
            users = [each["userId"] for each in answer.get("participants") or () if each.get("userId")]
            if not users:
                raise Rejected(f"conversation {command.conversation_id} has no participant to speak as")
            return {"type": "user", "userId": users[0]}
        case Author.AGENT if command.person and command.person.name:
            return {"type": "business", "displayName": command.person.name}
        case Author.AI:
            name = {"displayName": app.bot_name} if app.bot_name else {}
            return {"type": "business", **name, **({"subtypes": ["AI"]} if app.ai_disclaimer else {})}
        case _:
            return {"type": "business"}


async def _content(app: App, conversation_id: str, text: str, upload: Upload | None) -> Raw:
    if upload is None:
        return {"type": "text", "text": text}
    stored = await app.call(
        "POST",
        f"{app.path}/attachments",
        params={"access": "public", "for": "message", "conversationId": conversation_id},
        files={"source": upload.part()},
    )
    return {
        "type": "image" if upload.content_type.startswith("image/") else "file",
        "mediaUrl": stored["attachment"]["mediaUrl"],
        "altText": upload.name[:_ALT_TEXT_LIMIT] or "file",
        **({"text": text} if text else {}),
    }


async def _update_user(app: App, command: UpdateCustomer) -> Pushed:
    """It is read first and everything written that is to stay: what an update leaves out may be gone."""
    path = f"{app.path}/users/{command.customer_id}"
    known = (await app.call("GET", path)).get("user") or {}
    changes: Raw = {}
    if command.attributes:
        changes["metadata"] = _merged(known, command.attributes)
    if command.name is not UNSET:
        given, _, surname = command.name.partition(" ")
        profile = known.get("profile") or {}
        named = {"givenName": given[:_NAME_LIMIT] or None, "surname": surname[:_NAME_LIMIT] or None}
        changes["profile"] = profile | {
            name: value for name, value in named.items() if value or name in profile
        }
    user = await _write(app, path, "user", known, changes)
    return Pushed(id=command.customer_id, customer=mapping.customer(user), raw=user)


async def _update_conversation(app: App, command: UpdateConversation) -> Pushed:
    """Attributes are the conversation's metadata. Its name is shown to customers, so we never set that."""
    if command.subject is not UNSET:
        raise Unsupported("Zendesk messaging shows a conversation's name to the customer; it is not set")
    path = app.thread(command.conversation_id)
    known = (await app.call("GET", path)).get("conversation") or {}
    changes = {"metadata": _merged(known, command.attributes)} if command.attributes else {}
    raw = await _write(app, path, "conversation", known, changes)
    record = mapping.conversation(raw, sdk_channel=app.sdk_channel)
    return Pushed(id=command.conversation_id, conversation=record, raw=raw)


def _merged(known: Raw, changes: Raw) -> Raw:
    merged = {**(known.get("metadata") or {}), **changes}
    metadata = {name: value for name, value in merged.items() if value is not None}
    nested = sorted(name for name, value in metadata.items() if isinstance(value, dict | list))
    if nested:
        raise Rejected(f"metadata is flat: {nested[0]} must be a text, a number, or true or false")
    if not switchboard.fits(metadata):
        raise Rejected(f"metadata would be larger than {switchboard.METADATA_LIMIT} bytes")
    return metadata


async def _write(app: App, path: str, what: str, known: Raw, changes: Raw) -> Raw:
    """The record after the changes; nothing is sent if it is like that already."""
    new = {name: value for name, value in changes.items() if value != (known.get(name) or {})}
    if not new:
        return known
    written: Raw = (await app.call("PATCH", path, json=new)).get(what) or known | new
    kept = set(written.get("metadata") or {}) - set(new.get("metadata", written.get("metadata")) or {})
    if kept:
        raise Rejected(f"the vendor keeps {', '.join(sorted(kept))} in the metadata of this {what}")
    return written
