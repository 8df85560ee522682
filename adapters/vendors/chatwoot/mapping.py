"""From Chatwoot's words to ours, and the mark by which we know our own messages again."""

import mimetypes
from collections.abc import Iterator, Mapping
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
    Status,
)
from adapters.reading import rows, table, texts, whole, words
from adapters.times import EPOCH, moment

MARK = "deskbridge"

_CHANNELS = {
    "Channel::WebWidget": Channel.CHAT,
    "Channel::Email": Channel.EMAIL,
    "Channel::Voice": Channel.PHONE,
    "Channel::FacebookPage": Channel.DIRECT_MESSAGE,
    "Channel::Instagram": Channel.DIRECT_MESSAGE,
    "Channel::Line": Channel.DIRECT_MESSAGE,
    "Channel::Sms": Channel.DIRECT_MESSAGE,
    "Channel::Telegram": Channel.DIRECT_MESSAGE,
    "Channel::Tiktok": Channel.DIRECT_MESSAGE,
    "Channel::TwilioSms": Channel.DIRECT_MESSAGE,
    "Channel::TwitterProfile": Channel.DIRECT_MESSAGE,
    "Channel::Whatsapp": Channel.DIRECT_MESSAGE,
}
_OWN_CHANNELS = {channel.value: channel for channel in Channel}
_STATUSES = {status.value: status for status in Status if status is not Status.UNKNOWN}
# Webhooks spell a message's type, the REST API and nested messages number it.
_MESSAGE_TYPES = {0: "incoming", 1: "outgoing", 2: "activity", 3: "template"}
_OWN_AUTHORS = {each.value: each for each in (Author.AI, Author.AGENT, Author.CUSTOMER)}
_PEOPLE = frozenset({"user", "User"})
_NO_FILES = frozenset({"location", "contact", "fallback"})
"""Attachments that are a place, an address or a link: told in words."""
_BOTS = frozenset({"agent_bot", "AgentBot", "captain_assistant", "Captain::Assistant"})


def mark(key: str, author: Author) -> Raw:
    """The `content_attributes` that carry our key through Chatwoot and back."""
    return {MARK: {"key": key, "author": author.value}}


def message(raw: Raw) -> MessageRecord:
    """A message of a webhook or of the REST API."""
    kind = _MESSAGE_TYPES.get(raw["message_type"], raw["message_type"])
    own = _own(raw, incoming=kind == "incoming")
    sender = raw.get("sender") or {}
    by_person = kind == "outgoing" and _sender_type(raw) in _PEOPLE
    sent_at = moment(raw["created_at"])
    content = raw.get("content") or ""
    if sent_at is None or not isinstance(content, str):
        raise ValueError("a message without a time, or whose content is no text")
    return MessageRecord(
        id=str(raw["id"]),
        author=_own_author(own) or _author(raw, kind),
        text="\n".join(filter(None, (content, *_described(raw, content)))),
        sent_at=sent_at,
        person=_person(sender) if by_person else None,
        private=bool(raw.get("private")),
        token=own["key"] if own else None,
        attachments=tuple(_attachment(each) for each in rows(raw.get("attachments")) if _is_file(each)),
        raw=raw,
    )


def conversation(raw: Raw, *, base_url: str, account_id: int, api_channel: str) -> ConversationRecord:
    """A conversation; its id is the number that agents see."""
    meta = raw.get("meta") or {}
    sender = meta.get("sender") or {}
    return ConversationRecord(
        id=str(raw["id"]),
        customer_id=str(sender["id"]) if sender.get("id") is not None else _contact_id(raw),
        channel=_channel(raw, meta, api_channel),
        stream=_stream(raw),
        status=_STATUSES.get(raw["status"], Status.UNKNOWN) if "status" in raw else UNSET,
        tags=texts(raw["labels"]) if "labels" in raw else UNSET,
        assignee=_assignee(meta),
        url=f"{base_url}/app/accounts/{account_id}/conversations/{raw['id']}",
        attributes=table(raw["custom_attributes"]) if "custom_attributes" in raw else UNSET,
        updated_at=moment(raw.get("updated_at") or raw.get("last_activity_at")) or UNSET,
        raw=raw,
    )


def customer(
    raw: Raw, *, language: str | None = None, proven: frozenset[IdentityKind] = frozenset()
) -> CustomerRecord:
    """A contact with every address that Chatwoot knows; those in `proven` are verified."""
    addresses = (
        (IdentityKind.VENDOR, str(raw["id"])),
        (IdentityKind.EMAIL, words(raw.get("email"))),
        (IdentityKind.PHONE, words(raw.get("phone_number"))),
        (IdentityKind.EXTERNAL, words(raw.get("identifier"))),
    )
    return CustomerRecord(
        id=str(raw["id"]),
        name=words(raw.get("name")) or UNSET,
        identities=tuple(Identity(kind, value, kind in proven) for kind, value in addresses if value),
        attributes=table(raw["custom_attributes"]) if "custom_attributes" in raw else UNSET,
        language=words(language) or UNSET,
        raw=raw,
    )


def customer_of(raw: Raw) -> CustomerRecord | None:
    """The contact that rides along with a conversation."""
    sender = (raw.get("meta") or {}).get("sender")
    if not sender or sender.get("id") is None:
        return None
    attributes = raw.get("additional_attributes") or {}
    browser = attributes.get("browser") or {}
    spoken_language = attributes.get("conversation_language") or attributes.get("browser_language")
    return customer(
        sender,
        language=spoken_language or browser.get("browser_language"),
        proven=frozenset(_proven(raw, sender)),
    )


def _proven(raw: Raw, sender: Raw) -> Iterator[IdentityKind]:
    """What is known to be the contact's own.

    The identifier, where the widget's HMAC vouches for it; the phone number, where WhatsApp delivered from it
    (there `source_id` is the number's digits). Whatever else a visitor states, or an agent types, is not.
    """
    inbox = raw.get("contact_inbox") or {}
    if inbox.get("hmac_verified") is True:
        yield IdentityKind.EXTERNAL
    digits = str(sender.get("phone_number") or "").lstrip("+")
    if raw.get("channel") == "Channel::Whatsapp" and digits and inbox.get("source_id") == digits:
        yield IdentityKind.PHONE


def changed_at(raw: Raw) -> datetime | None:
    """When an event's object changed, where Chatwoot says so."""
    changes = raw.get("changed_attributes") or ()
    stated = next((each["updated_at"] for each in changes if "updated_at" in each), None)
    if isinstance(stated, Mapping) and stated.get("current_value"):
        return moment(stated["current_value"])
    return moment(raw.get("updated_at") or raw.get("last_activity_at") or raw.get("created_at"))


def edited_at(raw: Raw) -> datetime | None:
    """When the message of a webhook last changed: only its copy inside the conversation says so."""
    copy = _copy(raw)
    return moment(copy.get("updated_at")) if copy else None


def opened_by(raw: Raw) -> str | None:
    """The key of the command that opened a conversation, if it was one of ours."""
    found = (raw.get("additional_attributes") or {}).get(MARK)
    return found.get("key") if isinstance(found, dict) else None


def failure(raw: Raw) -> str | None:
    """Why the message of a webhook was not delivered; `None` if it was, as far as is known."""
    told = raw.get("status") or (_copy(raw) or {}).get("status")
    if told != "failed":
        return None
    return str((raw.get("content_attributes") or {}).get("external_error") or "the channel did not take it")


def _copy(raw: Raw) -> Raw | None:
    """The message of a webhook as it lies inside its conversation."""
    copies = (raw.get("conversation") or {}).get("messages") or ()
    return next((copy for copy in copies if copy.get("id") == raw["id"]), None)


def _own(raw: Raw, *, incoming: bool) -> dict[str, str] | None:
    """Our mark, if it goes with the way that the message goes."""
    found = (raw.get("content_attributes") or {}).get(MARK)
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        return None
    return found if (found.get("author") == Author.CUSTOMER.value) is incoming else None


def _own_author(own: Mapping[str, str] | None) -> Author | None:
    return _OWN_AUTHORS.get(own.get("author", "")) if own else None


def _author(raw: Raw, kind: Any) -> Author:
    match kind:
        case "incoming":
            return Author.CUSTOMER
        case "activity" | "template":
            return Author.SYSTEM
        case "outgoing":
            return _outgoing_author(raw)
        case _:
            return Author.UNKNOWN


def _outgoing_author(raw: Raw) -> Author:
    sender = _sender_type(raw)
    if sender in _BOTS:
        return Author.AI
    automatic = (raw.get("content_attributes") or {}).get("automation_rule_id")
    if automatic or (raw.get("additional_attributes") or {}).get("campaign_id"):
        return Author.SYSTEM
    # No sender: written in the channel's own app (a page's inbox, a phone), so by a person.
    return Author.AGENT if sender is None or sender in _PEOPLE else Author.UNKNOWN


def _sender_type(raw: Raw) -> str | None:
    return (raw.get("sender") or {}).get("type") or raw.get("sender_type")


def _person(raw: Raw) -> Person | None:
    if raw.get("id") is None:
        return None
    return Person(str(raw["id"]), words(raw.get("available_name")) or words(raw.get("name")))


def _assignee(meta: Raw) -> Person | UnsetType | None:
    if "assignee" not in meta:
        return UNSET
    assignee = meta["assignee"]
    # A bot that holds the conversation is nobody who could be disturbed.
    if not assignee or meta.get("assignee_type") in _BOTS or assignee.get("type") in _BOTS:
        return None
    return _person(assignee)


def _contact_id(raw: Raw) -> str | UnsetType:
    contact = (raw.get("contact_inbox") or {}).get("contact_id")
    return UNSET if contact is None else str(contact)


def _channel(raw: Raw, meta: Raw, api_channel: str) -> Channel | UnsetType:
    name = raw.get("channel") or meta.get("channel")
    if name is None:
        return UNSET
    stated = raw.get("additional_attributes") or {}
    if name == "Channel::Api":
        return _OWN_CHANNELS.get(str(stated.get("channel"))) or _OWN_CHANNELS[api_channel]
    # app/models/conversation.rb, `tweet?`: not a message to the account, but read by everybody.
    if name == "Channel::TwitterProfile" and stated.get("type") == "tweet":
        return Channel.COMMENT
    return _CHANNELS.get(name, Channel.UNKNOWN)


def _is_file(raw: Raw) -> bool:
    return raw.get("file_type") not in _NO_FILES and bool(words(raw.get("data_url")))


def _described(raw: Raw, content: str) -> Iterator[str]:
    """What attachments say that are no files, and what was said in one, where the text doesn't already."""
    for each in rows(raw.get("attachments")):
        told = [words(each.get("transcribed_text"))]
        if each.get("file_type") in _NO_FILES:
            place = [words(each.get(name)) for name in ("coordinates_lat", "coordinates_long")]
            named = [words(table(each.get("meta")).get(name)) for name in ("firstName", "lastName")]
            where = ", ".join(place) if all(place) and each.get("file_type") == "location" else ""
            told += [" ".join(filter(None, named)), words(each.get("fallback_title")), where]
            told.append(words(each.get("data_url")))
        yield ", ".join(word for word in dict.fromkeys(told) if word and word not in content)


def _stream(raw: Raw) -> str | UnsetType:
    stated = raw.get("additional_attributes")
    return words(stated.get("stream") or stated.get("tweet_id")) if isinstance(stated, dict) else UNSET


def _attachment(raw: Raw) -> Attachment:
    url = words(raw.get("data_url"))
    path = unquote(urlsplit(url).path)
    guessed = mimetypes.guess_type(path)[0]
    return Attachment(
        id=str(raw["id"]),
        url=url,
        name=path.rpartition("/")[2],
        content_type=guessed or "application/octet-stream",
        size=whole(raw.get("file_size")),
    )


def seen_at(raw: Raw) -> datetime:
    """When something listed was last active; the epoch if never."""
    return moment(raw.get("last_activity_at") or raw.get("created_at")) or EPOCH
