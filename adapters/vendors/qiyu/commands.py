"""What each command is at Qiyu. It takes the visitor's words, never ours: whoever answers them is there."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from adapters.attachments import Upload
from adapters.errors import Rejected, Unsupported
from adapters.model import (
    Author,
    HandOver,
    IdentityKind,
    OpenConversation,
    Pushed,
    Raw,
    Reception,
    Reply,
    UpdateCustomer,
)
from adapters.speech import pieces
from adapters.vendors.qiyu import codes
from adapters.vendors.qiyu.mapping import OURS

SEND = "/openapi/message/send"
UPLOAD = "/openapi/message/uploadFile"
PROFILE = "/openapi/event/updateUInfo"

_TEXT = 4000
_SUMMARY = 1000  # nothing says how long an item of the profile may be
_FILE = 5 * 1024 * 1024
_KNOWN_ITEMS = frozenset({"real_name", "mobile_phone", "email", "avatar"})
_ADDRESSES = {IdentityKind.PHONE: "mobile_phone", IdentityKind.EMAIL: "email"}

Known = Reply | UpdateCustomer | OpenConversation | HandOver


class Account(msgspec.Struct, frozen=True):
    """How to ask, how to send a file (the second signs the file itself), and who gets what names no group."""

    ask: Callable[[str, Raw], Awaitable[Any]]
    upload: Callable[[Upload], Awaitable[Any]]
    group_id: int | None
    robot_first: bool = False
    """Whether the robot receives whom we bring, until a person is asked for."""


async def carry_out(account: Account, command: Known, uploads: Sequence[Upload]) -> Pushed:
    """Carry a command out once."""
    match command:
        case Reply(author=Author.CUSTOMER):
            await _say(account, command.conversation_id, command.text, uploads)
            return Pushed()
        case Reply():
            raise Unsupported("Qiyu takes the customer's words only; its own people and robots answer them")
        case UpdateCustomer(customer_id=uid):
            named = {} if command.name is UNSET else {"real_name": command.name}
            await _describe(account, uid, items(named | command.attributes))
            return Pushed(id=uid)
        case OpenConversation():
            return await _open(account, command)
        case HandOver():
            return await _hand_over(account, command)
        case _:
            assert_never(command)


def items(values: Raw, *, label: str = "", href: str = "") -> list[Raw]:
    """What the staff see beside the conversation, as a list of items."""
    described: list[Raw] = []
    for index, (key, value) in enumerate(values.items()):
        item: Raw = {"key": key, "value": _written(value)}
        if key not in _KNOWN_ITEMS:
            item |= {"index": index, "label": label or key}
        link = href or (value if isinstance(value, str) and value.startswith(("https://", "http://")) else "")
        described.append(item | {"href": link} if link and key != "avatar" else item)
    return described


async def _hand_over(account: Account, command: HandOver) -> Pushed:
    uid = command.conversation_id
    answer = await _apply(account, uid, group=command.to, person=command.assignee_id)
    if codes.code_of(answer) != codes.CLOSED:
        summary = {"deskbridge_summary": _cut(command.summary)}
        await _describe(account, uid, items(summary, label="转接摘要", href=command.url))
    return _received(answer)


async def _open(account: Account, command: OpenConversation) -> Pushed:
    """Ask for a person in the visitor's name, say who they are, and then what they said.

    Whoever writes without anybody having asked gets the robot.
    """
    uid = visitor(command)
    if account.robot_first:
        received = Pushed(reception=Reception.BOT)
    else:
        answer = await _apply(account, uid)
        received = _received(answer)
        if codes.code_of(answer) == codes.CLOSED:
            return received
    stated = {_ADDRESSES[each.kind]: each.value for each in command.identities if each.kind in _ADDRESSES}
    named = {"real_name": command.customer_name} if command.customer_name else {}
    about = {"deskbridge_subject": command.subject, "deskbridge_tags": "，".join(command.tags)}
    if command.private:
        about["deskbridge_summary"] = _cut(command.text)
    told = named | stated | {key: value for key, value in about.items() if value}
    await _describe(account, uid, items(told))
    if not command.private:
        await _say(account, uid, command.text, ())
    return msgspec.structs.replace(received, id=uid)


def visitor(command: OpenConversation) -> str:
    """Who they are to Qiyu: by the company's own id where it is proven, else by the command's key.

    An id that somebody merely claims would show the staff another person's orders.
    """
    own = (each for each in command.identities if each.kind is IdentityKind.EXTERNAL and each.verified)
    proven = next(own, None)
    return proven.value if proven else f"{OURS}{command.key}"


async def _apply(account: Account, uid: str, *, group: str | None = None, person: str | None = None) -> Raw:
    """Ask for a person; asked again, Qiyu gives the session that there is."""
    body: Raw = {"uid": uid, "staffType": 1}
    if person is not None:
        body["staffId"] = _number("staff id", person)
    elif group is not None:
        body["groupId"] = _number("group", group)
    elif account.group_id is not None:
        body["groupId"] = account.group_id
    answer: Raw = await account.ask(codes.APPLY, body)
    return answer


def _received(answer: Raw) -> Pushed:
    reception = codes.reception(answer)
    position = None
    if reception is Reception.QUEUED and isinstance(before := answer.get("count"), int):
        position = before + 1
    return Pushed(reception=reception, position=position, raw=answer)


async def _describe(account: Account, uid: str, userinfo: list[Raw]) -> None:
    if userinfo:
        await account.ask(PROFILE, {"uid": uid, "userinfo": userinfo})


async def _say(account: Account, uid: str, text: str, uploads: Sequence[Upload]) -> None:
    """The text, in as many messages as it needs, and then each file: a picture as one, others as a link."""
    for upload in uploads:
        if upload.size > _FILE:
            raise Rejected(f"a file of {upload.size} bytes: Qiyu takes {_FILE} at most")
    for piece in pieces(text, most=_TEXT):
        await account.ask(SEND, {"uid": uid, "msgType": "TEXT", "content": piece})
    for upload in uploads:
        url = (await account.upload(upload))["url"]
        if upload.content_type.startswith("image/"):
            md5 = hashlib.md5(upload.read(), usedforsecurity=False).hexdigest()
            content: Any = {"url": url, "size": upload.size, "md5": md5}
            await account.ask(SEND, {"uid": uid, "msgType": "PICTURE", "content": content})
        else:
            await account.ask(SEND, {"uid": uid, "msgType": "TEXT", "content": f"{upload.name}\n{url}"})


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1]}…"


def _number(what: str, value: str) -> int:
    if not value.isdecimal():
        raise Rejected(f"the {what} {value!r} is no number of Qiyu's")
    return int(value)


def _written(value: Any) -> str:
    """An item's value: always a text; empty where it is taken away, for items can't be."""
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode()
