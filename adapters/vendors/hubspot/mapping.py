"""HubSpot's threads, messages and contacts as ours."""

import mimetypes
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from adapters.manifest import Settings
from adapters.markup import plain
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
from adapters.reading import rows, table, words
from adapters.times import EPOCH, moment

STANDARD = ("email", "firstname", "lastname", "phone", "hs_language", "lastmodifieddate")
SPOKEN = frozenset({"MESSAGE", "COMMENT", "WELCOME_MESSAGE"})
"""What says something; a thread also lists its assignments and changes of status."""

_STATUSES = {"OPEN": Status.OPEN, "CLOSED": Status.RESOLVED}
# https://developers.hubspot.com/docs/api/conversations/conversations: ids of the default channels
_CHANNELS = {
    "1000": Channel.CHAT,
    "1001": Channel.DIRECT_MESSAGE,
    "1002": Channel.EMAIL,
    "1007": Channel.DIRECT_MESSAGE,
    "1008": Channel.PHONE,
}
_ACTORS = {
    "A": Author.AGENT,
    "V": Author.CUSTOMER,
    "E": Author.CUSTOMER,
    "B": Author.AI,
    "L": Author.AI,
    "S": Author.SYSTEM,
}
_CUT = "TRUNCATED"


class Account(msgspec.Struct, frozen=True):
    """Who we are in one portal, and which properties of contacts are wanted."""

    actor: str
    app: str
    properties: tuple[str, ...]
    custom_channel: Channel

    @classmethod
    def of(cls, settings: Settings) -> "Account":
        """What the settings say."""
        names = (each.strip() for each in (settings["contact_properties"] or "").split(","))
        return cls(
            actor=actor_id(settings["actor_id"]),
            app=str(settings["app_id"] or ""),
            properties=tuple(filter(None, names)),
            custom_channel=Channel(settings["custom_channel"]),
        )


def actor_id(value: str) -> str:
    """An agent's id as the API wants it: with the prefix, which people leave out."""
    return f"A-{value}" if value.isdecimal() else value


def conversation(raw: Raw, account: Account) -> ConversationRecord:
    """A thread."""
    told = raw.get("originalChannelId")
    return ConversationRecord(
        id=str(raw["id"]),
        customer_id=str(raw["associatedContactId"]) if raw.get("associatedContactId") else UNSET,
        channel=UNSET if told is None else _CHANNELS.get(str(told), account.custom_channel),
        status=UNSET if raw.get("status") is None else _STATUSES.get(raw["status"], Status.UNKNOWN),
        assignee=_assignee(raw, account),
        updated_at=moment(raw.get("latestMessageTimestamp")) or UNSET,
        raw=raw,
    )


def message(raw: Raw, account: Account) -> MessageRecord | None:
    """A message, a comment or a greeting; `None` for what a thread lists beside them."""
    if raw.get("type") not in SPOKEN:
        return None
    who = author(raw, account)
    return MessageRecord(
        id=str(raw["id"]),
        author=who,
        text="\n".join(filter(None, (_said(raw), *_described(raw)))),
        sent_at=moment(raw.get("createdAt")) or EPOCH,
        person=_person(raw) if who is Author.AGENT else None,
        private=raw["type"] == "COMMENT",
        attachments=tuple(_attachments(raw)),
        raw=raw,
    )


def is_cut(raw: Raw) -> bool:
    """Whether only the beginning of a text is told."""
    return str(raw.get("truncationStatus") or "").startswith(_CUT)


def author(raw: Raw, account: Account) -> Author:
    """Who speaks, by the prefixes of the actors; what our app or our actor wrote is the AI's."""
    actors = [str(raw.get("createdBy") or ""), *(str(each.get("actorId") or "") for each in _senders(raw))]
    client = raw.get("client") or {}
    if account.actor in actors or (account.app and str(client.get("integrationAppId")) == account.app):
        return Author.AI
    if raw.get("type") == "WELCOME_MESSAGE":
        return Author.SYSTEM
    if raw.get("direction") == "INCOMING":
        return Author.CUSTOMER
    found = (_ACTORS.get(each.partition("-")[0]) for each in reversed(actors) if "-" in each)
    return next(filter(None, found), Author.UNKNOWN)


def customer(raw: Raw, account: Account) -> CustomerRecord:
    """A contact. Its addresses are stated: HubSpot proves none."""
    held = {name: value for name, value in (raw.get("properties") or {}).items() if value is not None}
    name = " ".join(str(held[each]) for each in ("firstname", "lastname") if held.get(each))
    return CustomerRecord(
        id=str(raw["id"]),
        name=name or UNSET,
        identities=tuple(_identities(raw, held)),
        attributes={each: held.get(each) for each in account.properties},
        language=held.get("hs_language") or UNSET,
        updated_at=moment(held.get("lastmodifieddate") or raw.get("updatedAt")) or UNSET,
        raw=raw,
    )


def _identities(raw: Raw, held: Raw) -> Iterator[Identity]:
    yield Identity(IdentityKind.VENDOR, str(raw["id"]))
    if held.get("email"):
        yield Identity(IdentityKind.EMAIL, str(held["email"]))
    if held.get("phone"):
        yield Identity(IdentityKind.PHONE, str(held["phone"]))


def _senders(raw: Raw) -> list[Raw]:
    return [each for each in raw.get("senders") or () if isinstance(each, dict)]


def _person(raw: Raw) -> Person | None:
    named = [(str(each.get("actorId") or ""), str(each.get("name") or "")) for each in _senders(raw)]
    known = [Person(actor, name) for actor, name in [*named, (str(raw.get("createdBy") or ""), "")] if actor]
    return known[0] if known else None


def _assignee(raw: Raw, account: Account) -> Person | UnsetType | None:
    """A thread that nobody has leaves the field out; what a bot or we have is nobody's."""
    if "status" not in raw:
        return UNSET
    actor = str(raw.get("assignedTo") or "")
    return Person(actor) if actor.startswith("A-") and actor != account.actor else None


def _said(raw: Raw) -> str:
    return str(raw.get("text") or "").strip() or plain(raw.get("richText"))


def _described(raw: Raw) -> Iterator[str]:
    """Attachments that are no files: a place, somebody's address, what a post shows."""
    for each in rows(raw.get("attachments")):
        match each.get("type"):
            case "LOCATION":
                told = [each.get(name) for name in ("name", "address", "latitude", "longitude")]
            case "CONTACT":
                profile = table(each.get("contactProfile"))
                named = table(profile.get("name"))
                told = [named.get(name) for name in ("firstName", "lastName")]
                told += [one.get("phone") for one in rows(profile.get("phones"))]
                told += [one.get("email") for one in rows(profile.get("emails"))]
            case "SOCIAL_MEDIA_METADATA":
                shown = table(each.get("socialMetadata"))
                told = [shown.get(name) for name in ("mediaTitle", "description", "mediaUrl")]
            case _:
                told = []
        yield ", ".join(filter(None, map(words, told)))


def _attachments(raw: Raw) -> Iterator[Attachment]:
    for each in raw.get("attachments") or ():
        if isinstance(each, dict) and each.get("type") == "FILE" and str(each.get("url")).startswith("http"):
            number = str(each.get("fileId") or each["url"])
            name = str(each.get("name") or f"file {number}")
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            yield Attachment(id=number, url=each["url"], name=name, content_type=kind)


def written(value: Any) -> str:
    """A property's value as text, which is all that HubSpot takes; nothing is the empty one."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
