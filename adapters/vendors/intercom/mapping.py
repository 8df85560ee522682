"""Intercom's shapes as ours: conversations, parts and contacts, of webhooks and of the API alike."""

from collections.abc import Iterator
from datetime import datetime
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
from adapters.reading import whole, words
from adapters.times import EPOCH, moment

SOURCE = "source-"
"""Before the id of a conversation's first message: it is counted apart from the parts after it."""

_STATUSES = {"open": Status.OPEN, "closed": Status.RESOLVED, "snoozed": Status.SNOOZED}
_CONTACTS = frozenset({"user", "lead", "contact", "visitor"})
_CHANNELS = {
    "email": Channel.EMAIL,
    "phone_call": Channel.PHONE,
    "phone_switch": Channel.PHONE,
    # Whether a mention or a message isn't told: taken for what everybody reads.
    "twitter": Channel.COMMENT,
    **dict.fromkeys(("facebook", "instagram", "whatsapp", "sms", "telegram"), Channel.DIRECT_MESSAGE),
}
_MESSENGER = frozenset({"conversation", "push", "inapp", "chat"})
_UNASKED = frozenset({"automated", "campaign_initiated"})
_HTML = ("<p", "<div", "<h", "<ul", "<ol", "<img", "<a ", "<b", "<i", "<pre", "<table", "<span")


class Account(msgspec.Struct, frozen=True):
    """Who is who at one workspace, and what its Messenger is."""

    admin: str
    bots: frozenset[str]
    messenger: Channel
    proves_ids: bool

    @classmethod
    def of(cls, settings: Settings) -> "Account":
        """What the settings say."""
        bots = (each.strip() for each in (settings["other_bots"] or "").split(","))
        return cls(
            admin=settings["admin_id"],
            bots=frozenset(filter(None, bots)),
            messenger=Channel(settings["messenger_channel"]),
            proves_ids=settings["identity_verification"],
        )


def conversation(raw: Raw, account: Account) -> ConversationRecord:
    """A conversation; what it does not mention stays unset."""
    first = _contact(raw)
    return ConversationRecord(
        id=str(raw["id"]),
        customer_id=ident(first.get("id")) or UNSET,
        channel=_channel(raw, account),
        status=_status(raw),
        tags=_tags(raw),
        assignee=_assignee(raw, account),
        subject=plain(raw.get("title") or _source(raw).get("subject")) or UNSET,
        url=words((raw.get("links") or {}).get("conversation_web")) or UNSET,
        attributes=_attributes(raw),
        updated_at=moment(raw.get("updated_at")) or UNSET,
        raw=raw,
    )


def customer_of(raw: Raw, account: Account) -> CustomerRecord | None:
    """The customer of a conversation, as far as it tells; their name only where they began it."""
    first = _contact(raw)
    if not ident(first.get("id")):
        return None
    writer = _source(raw).get("author") or {}
    began = writer if ident(writer.get("id")) == ident(first["id"]) else {}
    told = {name: began[name] for name in ("name", "email") if began.get(name)}
    return customer(told | first, account)


def customer(raw: Raw, account: Account) -> CustomerRecord:
    """A contact, whole or as a conversation names it."""
    return CustomerRecord(
        id=str(raw["id"]),
        name=words(raw.get("name")) or UNSET,
        identities=tuple(_identities(raw, account)),
        attributes=_attributes(raw),
        language=words(raw.get("language_override")) or UNSET,
        updated_at=moment(raw.get("updated_at")) or UNSET,
        raw=raw,
    )


def messages(raw: Raw, account: Account, *, fallback: datetime = EPOCH) -> list[MessageRecord]:
    """The first message and the parts of a conversation that say something, oldest first."""
    found = [_first(raw, account, fallback), *(_part(each, account, fallback) for each in parts(raw))]
    return sorted(filter(None, found), key=position)


def parts(raw: Raw) -> list[Raw]:
    """The parts that came along: all that there are, or the latest in a webhook."""
    held = (raw.get("conversation_parts") or {}).get("conversation_parts") or ()
    return [each for each in held if isinstance(each, dict) and ident(each.get("id"))]


def position(message: MessageRecord) -> tuple[int, int, str]:
    """Where a message stands among others of its conversation."""
    is_first = message.id.startswith(SOURCE)
    return int(message.sent_at.timestamp()), 0 if is_first else len(message.id), message.id


def author(raw: Any, account: Account) -> Author:
    """Who speaks. Fin and Operator write as a bot, or as an admin with an address of Intercom's own."""
    if not isinstance(raw, dict):
        return Author.UNKNOWN
    kind, number, email = str(raw.get("type")), ident(raw.get("id")), str(raw.get("email") or "")
    is_intercoms = email.startswith("operator+") and email.endswith("@intercom.io")
    if kind in _CONTACTS:
        return Author.CUSTOMER
    if kind in {"bot", "ai_agent"} or number == account.admin or number in account.bots or is_intercoms:
        return Author.AI
    if raw.get("from_ai_agent") is True or raw.get("is_ai_answer") is True:
        return Author.AI
    return Author.AGENT if kind == "admin" else Author.UNKNOWN


def ident(value: Any) -> str | None:
    """An id as text; none where it is 0, which means nobody, or missing."""
    return str(value) if isinstance(value, str | int) and value not in ("", "0", 0) else None


def text(body: Any) -> str:
    """A body as plain text: the API tells HTML, webhooks of version 2.15 and later tell the text itself."""
    told = str(body or "")
    return plain(told) if told.lstrip().lower().startswith(_HTML) else told.strip()


def _first(raw: Raw, account: Account, fallback: datetime) -> MessageRecord | None:
    source = _source(raw)
    told = {**source, "id": f"{SOURCE}{ident(source.get('id')) or raw['id']}"}
    told["created_at"] = raw.get("created_at")
    message = _part(told, account, fallback)
    if message is None or message.author is not Author.AGENT:
        return message
    # Campaigns and workflows write in an agent's name: nobody has spoken.
    how = source.get("delivered_as")
    if how not in _UNASKED and how != "operator_initiated":
        return message
    who = Author.SYSTEM if how in _UNASKED else Author.AI
    return msgspec.structs.replace(message, author=who, person=None)


def _part(raw: Raw, account: Account, fallback: datetime) -> MessageRecord | None:
    said, files = text(raw.get("body")), tuple(_attachments(raw))
    if not said and not files and raw.get("redacted") is not True:
        return None
    kind, who = str(raw.get("part_type") or ""), author(raw.get("author"), account)
    return MessageRecord(
        id=str(raw["id"]),
        author=who,
        text=said,
        sent_at=moment(raw.get("created_at")) or fallback,
        person=person(raw["author"]) if who is Author.AGENT else None,
        # Words with an assignment are for whoever gets it.
        private="note" in kind or "assign" in kind,
        attachments=files,
        raw=raw,
    )


def person(raw: Any) -> Person | None:
    """An admin, where one is named."""
    number = ident((raw or {}).get("id"))
    return Person(number, str(raw.get("name") or "")) if number else None


def _attachments(raw: Raw) -> Iterator[Attachment]:
    for each in raw.get("attachments") or ():
        if not isinstance(each, dict) or not str(each.get("url") or "").startswith("http"):
            continue
        yield Attachment(
            id=each["url"].partition("?")[0],
            url=each["url"],
            name=str(each.get("name") or ""),
            content_type=str(each.get("content_type") or "application/octet-stream"),
            size=whole(each.get("filesize")),
        )


def _identities(raw: Raw, account: Account) -> Iterator[Identity]:
    yield Identity(IdentityKind.VENDOR, str(raw["id"]))
    if external := ident(raw.get("external_id")):
        yield Identity(IdentityKind.EXTERNAL, external, verified=account.proves_ids)
    if email := raw.get("email"):
        yield Identity(IdentityKind.EMAIL, str(email), verified=raw.get("email_verified") is True)
    if phone := raw.get("phone"):
        yield Identity(IdentityKind.PHONE, str(phone))


def _source(raw: Raw) -> Raw:
    source = raw.get("source")
    return source if isinstance(source, dict) else {}


def _contact(raw: Raw) -> Raw:
    held = (raw.get("contacts") or {}).get("contacts") or ()
    return next((each for each in held if isinstance(each, dict)), {})


def _channel(raw: Raw, account: Account) -> Channel | UnsetType:
    kind = _source(raw).get("type")
    if kind is None:
        return UNSET
    return account.messenger if kind in _MESSENGER else _CHANNELS.get(kind, Channel.UNKNOWN)


def _status(raw: Raw) -> Status | UnsetType:
    told = raw.get("state")
    return UNSET if told is None else _STATUSES.get(told, Status.UNKNOWN)


def _tags(raw: Raw) -> tuple[str, ...] | UnsetType:
    held = raw.get("tags")
    if not isinstance(held, dict):
        return UNSET
    return tuple(str(each["name"]) for each in held.get("tags") or () if each and each.get("name"))


def _assignee(raw: Raw, account: Account) -> Person | UnsetType | None:
    """Only a number is told. What is assigned to a bot is nobody's."""
    if "admin_assignee_id" not in raw:
        return UNSET
    number = ident(raw["admin_assignee_id"])
    return None if number is None or number in {account.admin, *account.bots} else Person(number)


def _attributes(raw: Raw) -> Raw | UnsetType:
    held = raw.get("custom_attributes")
    return held if isinstance(held, dict) else UNSET
