"""From Sunshine Conversations' words to ours, and the mark by which we know our own messages again."""

import mimetypes
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

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
)
from adapters.reading import table, whole, words
from adapters.times import moment

KEY = "deskbridge_key"
_AUTHOR = "deskbridge_author"
_PART, _PARTS = "deskbridge_part", "deskbridge_parts"

_SDKS = frozenset({"web", "ios", "android", "unity", "sdk", "prechatCapture"})
_CHANNELS = {"mailgun": Channel.EMAIL} | dict.fromkeys(
    (
        "apple",
        "gbm",
        "googlercs",
        "instagram",
        "kakao",
        "line",
        "messagebird",
        "messenger",
        "slackconnect",
        "telegram",
        "twilio",
        "twitter",
        "viber",
        "wechat",
        "whatsapp",
    ),
    Channel.DIRECT_MESSAGE,
)
_BY_PHONE = frozenset({"whatsapp", "twilio", "messagebird"})
# Who speaks for the business: what the author says of itself goes before where the message came from.
_SUBTYPES = {"AI": Author.AI, "bot": Author.AI, "agent": Author.AGENT, "activity": Author.SYSTEM}
_SOURCES = {
    "zd:agentWorkspace": Author.AGENT,
    "zd:answerBot": Author.AI,
    "ultimate": Author.AI,
    "zd:surveys": Author.SYSTEM,
    "api:notification": Author.SYSTEM,
}
_NAMELESS = re.compile(r"(?:\w+ User|Anonymous) [0-9a-f]{8,}")
_UNPROVEN = frozenset({None, "", "none", "unverified"})


def mark(key: str, author: Author, *, part: int, parts: int) -> Raw:
    """The flat metadata that carry our key through the vendor and back."""
    own: Raw = {KEY: key, _AUTHOR: author.value}
    return own | {_PART: part, _PARTS: parts} if parts > 1 else own


def part_of(raw: Raw, key: str) -> int | None:
    """Which part of our command `key` this message is, from 1; `None` if it is none."""
    own = _own(raw)
    return int(own.get(_PART) or 1) if own and own[KEY] == key else None


def is_last_part(raw: Raw) -> bool:
    """Whether all of what a command says was sent when this message was."""
    own = _own(raw) or {}
    return own.get(_PART) == own.get(_PARTS)


def message(raw: Raw, *, otherwise: datetime) -> MessageRecord:
    """A message of a webhook or of the REST API; `otherwise` is its time where it tells none."""
    own = _own(raw)
    speaker = raw.get("author") or {}
    author = _author(raw, own)
    name = words(speaker.get("displayName"))
    return MessageRecord(
        id=str(raw["id"]),
        author=author,
        text=_text(raw.get("content") or {}),
        sent_at=moment(raw.get("received")) or otherwise,
        person=Person(name, name) if name and author is Author.AGENT else None,
        token=own[KEY] if own else None,
        attachments=tuple(_attachments(raw)),
        raw=raw,
    )


def conversation(
    raw: Raw, *, sdk_channel: str, source: Raw | None = None, by: Raw | None = None
) -> ConversationRecord:
    """A conversation, with the channel and the user that came along."""
    return ConversationRecord(
        id=str(raw["id"]),
        customer_id=str(by["id"]) if by and by.get("id") else UNSET,
        channel=_channel((source or {}).get("type"), sdk_channel),
        subject=words(raw.get("displayName")) or UNSET,
        attributes=_metadata(raw),
        updated_at=moment(raw.get("lastUpdatedAt")) or UNSET,
        raw=raw,
    )


def customer(raw: Raw, *, client: Raw | None = None, called: str | None = None) -> CustomerRecord:
    """A user with every address that is known; `client` is the channel that they wrote through.

    `called` is what the channel calls them, where the profile holds no name.
    """
    profile = raw.get("profile") or {}
    client = client or {}
    names = " ".join(filter(None, (words(profile.get(part)) for part in ("givenName", "surname"))))
    shown = words(client.get("displayName") or called)
    return CustomerRecord(
        id=str(raw["id"]),
        name=names or (shown if shown and not _NAMELESS.fullmatch(shown) else UNSET),
        identities=tuple(dict.fromkeys(_identities(raw, profile, client))),
        attributes=_metadata(raw),
        language=words(profile.get("locale")) or UNSET,
        raw=raw,
    )


def author_of(raw: Raw) -> CustomerRecord | None:
    """The user who wrote a message."""
    speaker = raw.get("author") or {}
    user = {"id": speaker.get("userId")} | (speaker.get("user") or {})
    if speaker.get("type") != "user" or not user["id"]:
        return None
    client = (raw.get("source") or {}).get("client")
    return customer(user, client=client, called=speaker.get("displayName"))


def _identities(raw: Raw, profile: Raw, client: Raw) -> Iterator[Identity]:
    """A signed-in user's external id is proven; so is a number that a channel has delivered from."""
    signed_in = raw.get("authenticated") is True
    yield Identity(IdentityKind.VENDOR, str(raw["id"]))
    if external := words(raw.get("externalId")):
        yield Identity(IdentityKind.EXTERNAL, external, signed_in)
    known = [each for each in raw.get("identities") or () if each and words(each.get("value"))]
    for each in known:
        if each.get("type") == "email":
            proven = signed_in and each.get("verification") not in _UNPROVEN
            yield Identity(IdentityKind.EMAIL, words(each["value"]), proven)
    stated = words(profile.get("email"))
    if stated and stated not in {each["value"] for each in known}:
        yield Identity(IdentityKind.EMAIL, stated)
    if client.get("type") in _BY_PHONE and client.get("externalId"):
        digits = str(client["externalId"]).lstrip("+")
        yield Identity(IdentityKind.PHONE, f"+{digits}", verified=True)


def _own(raw: Raw) -> Raw | None:
    """Our mark. A user's device may put metadata into what it sends: from there it proves nothing."""
    own = raw.get("metadata") or {}
    by_user = (raw.get("author") or {}).get("type") != "business"
    sent_by_api = str((raw.get("source") or {}).get("type") or "").startswith("api")
    if not isinstance(own.get(KEY), str) or (by_user and not sent_by_api):
        return None
    return own


def _author(raw: Raw, own: Raw | None) -> Author:
    speaker = raw.get("author") or {}
    match speaker.get("type"):
        case "user":
            return Author.CUSTOMER
        case "business" if own:
            return {"ai": Author.AI, "agent": Author.AGENT}.get(str(own.get(_AUTHOR)), Author.AI)
        case "business":
            return _business_author(raw, speaker)
        case _:
            return Author.UNKNOWN


def _business_author(raw: Raw, speaker: Raw) -> Author:
    """Whoever speaks for the business and doesn't say that they are a bot counts as a person."""
    if raw.get("activity"):
        return Author.SYSTEM
    said = [_SUBTYPES[each] for each in speaker.get("subtypes") or () if each in _SUBTYPES]
    source = (raw.get("source") or {}).get("type")
    return said[0] if said else _SOURCES.get(str(source), Author.AGENT)


def _metadata(raw: Raw) -> Raw | UnsetType:
    return table(raw["metadata"]) if "metadata" in raw else UNSET


def _channel(source: Any, sdk_channel: str) -> Channel | UnsetType:
    if not source or str(source).startswith(("zd:", "api")):
        return UNSET  # where somebody else's words came from says nothing of the customer's
    if source in _SDKS:
        return Channel(sdk_channel)
    return _CHANNELS.get(source, Channel.UNKNOWN)


def _text(content: Raw) -> str:
    """What a message says. Forms, places and lists have a text of the vendor's making; not everywhere."""
    said = content.get("text") or content.get("textFallback")
    if said:
        return str(said)
    match content.get("type"):
        case "location":
            place, at = content.get("location") or {}, content.get("coordinates") or {}
            told = (place.get("name"), place.get("address"), at.get("lat"), at.get("long"))
            return ", ".join(str(each) for each in told if each is not None)
        case "formResponse":
            return "\n".join(_answers(content))
        case "carousel" | "list":
            return "\n".join(str(item["title"]) for item in content.get("items") or () if item.get("title"))
        case _:
            return str(content.get("htmlText") or "")


def _answers(content: Raw) -> Iterator[str]:
    for field in content.get("fields") or ():
        chosen = [str(each.get("label")) for each in field.get("select") or ()]
        yield f"{field.get('label')}: {field.get('text') or field.get('email') or ', '.join(chosen)}"


def _attachments(raw: Raw) -> Iterator[Attachment]:
    content = raw.get("content") or {}
    url = words(content.get("mediaUrl"))
    if not url:
        return
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    guessed = mimetypes.guess_type(name)[0]
    yield Attachment(
        id=str(content.get("attachmentId") or raw["id"]),
        url=url,
        name=name or words(content.get("altText")),
        content_type=words(content.get("mediaType")) or guessed or "application/octet-stream",
        size=whole(content.get("mediaSize")),
    )
