"""From Qiyu's words to ours. A conversation is a visitor's: messages name the visitor alone, no session."""

import mimetypes
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from adapters.model import (
    Attachment,
    Author,
    Channel,
    ConversationRecord,
    CustomerRecord,
    Identity,
    IdentityKind,
    MessageRecord,
    Person,
    Raw,
    Status,
)
from adapters.reading import whole
from adapters.times import moment

OURS = "deskbridge-"
"""How the ids of visitors begin whom the company has no id for."""

_TYPES = {"PICTURE": "image/*", "AUDIO": "audio/*", "VIDEO": "video/*"}
_ANY = "application/octet-stream"


class Ground(msgspec.Struct, frozen=True):
    """What a connection's settings say: where customers write, and of its robots."""

    channel: Channel
    robots: AbstractSet[str]
    robot_first: bool = False


def message(raw: Raw, ground: Ground) -> MessageRecord:
    """A message of Qiyu's side: of a person, or of a robot."""
    sent_at = moment(raw["timeStamp"], unit="ms")
    if sent_at is None:
        raise ValueError("a message without a time")
    by = author(raw, ground)
    content = _content(raw)
    attachment = _attachment(raw, content) if isinstance(content, dict) else None
    return MessageRecord(
        id=str(raw["msgId"]),
        author=by,
        text=content if isinstance(content, str) else "",
        sent_at=sent_at,
        person=staff(raw) if by is Author.AGENT else None,
        attachments=(attachment,) if attachment else (),
        raw=raw,
    )


def author(raw: Raw, ground: Ground) -> Author:
    """Who speaks: by `staffType` where it is told, by the settings, and a person unless nobody is named."""
    match whole(raw.get("staffType")):
        case 0:
            return Author.AI
        case 1:
            return Author.AGENT
    named = {str(raw[key]) for key in ("staffId", "staffName") if raw.get(key)}
    return Author.AGENT if raw.get("staffId") and not named & ground.robots else Author.AI


def conversation(
    raw: Raw,
    ground: Ground,
    *,
    status: Status | UnsetType = UNSET,
    assignee: Person | UnsetType | None = UNSET,
    at: datetime | None = None,
) -> ConversationRecord:
    """The conversation of the visitor whom an event is about."""
    uid = str(raw["uid"])
    return ConversationRecord(
        id=uid,
        customer_id=uid,
        channel=ground.channel,
        status=status,
        assignee=assignee,
        updated_at=at or UNSET,
        raw=raw,
    )


def customer(raw: Raw) -> CustomerRecord:
    """The visitor: their id is the one that the company's own server gave them."""
    uid = str(raw["uid"])
    identities = [Identity(IdentityKind.VENDOR, uid)]
    if not uid.startswith(OURS):
        identities.append(Identity(IdentityKind.EXTERNAL, uid))
    return CustomerRecord(id=uid, identities=tuple(identities), raw={"uid": raw["uid"]})


def staff(raw: Raw) -> Person | None:
    """The person an event names."""
    return Person(str(raw["staffId"]), str(raw.get("staffName") or "")) if raw.get("staffId") else None


def latest(seconds: Any) -> datetime | None:
    """The latest moment that a time in whole seconds may stand for: messages have milliseconds."""
    told = moment(seconds)
    return told + timedelta(milliseconds=999) if told else None


def _content(raw: Raw) -> Any:
    """A text; of other messages what describes the file, which may itself come as a text."""
    content = raw.get("content")
    if not isinstance(content, str) or raw.get("msgType", "TEXT") == "TEXT":
        return content
    try:
        described = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content
    return described if isinstance(described, dict) else content


def _attachment(raw: Raw, content: Raw) -> Attachment | None:
    url = content.get("url")
    if not isinstance(url, str) or not url:
        return None
    name = str(content.get("name") or urlsplit(url).path.rpartition("/")[2])
    return Attachment(
        id=str(content.get("md5") or raw["msgId"]),
        url=url,
        name=name,
        content_type=mimetypes.guess_type(name)[0] or _TYPES.get(str(raw.get("msgType")), _ANY),
        size=whole(content.get("size")),
    )
