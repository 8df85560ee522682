"""From Zendesk's words to ours: webhooks write ids as texts and enumerations in capitals, the API neither."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from adapters.errors import InvalidSettings
from adapters.manifest import Settings
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
from adapters.reading import table, texts, whole, words
from adapters.times import EPOCH, moment

MARK = "deskbridge"
"""Under which our key stands in the custom metadata of an update's audit."""

# `new`: nobody has come to it yet. `hold`: it waits for somebody else. For `pending` see `status`.
_STATUSES = {
    "new": Status.PENDING,
    "open": Status.OPEN,
    "hold": Status.SNOOZED,
    "solved": Status.RESOLVED,
    "closed": Status.RESOLVED,
    "archived": Status.RESOLVED,
    "deleted": Status.RESOLVED,
    "scrubbed": Status.RESOLVED,
}
_CHANNELS = {
    Channel.EMAIL: "email mail",
    Channel.PHONE: "voice phone_call_inbound phone_call_outbound voicemail"
    " api_phone_call_inbound api_phone_call_outbound api_voicemail",
    Channel.CHAT: "chat chat_transcript chat_offline_message messaging native_messaging web_messaging"
    " mobile_sdk web_widget sunshine_conversations_api answer_bot_for_web_widget answer_bot_for_sdk",
    Channel.DIRECT_MESSAGE: "facebook_message twitter_dm instagram_dm whatsapp wechat line telegram viber"
    " kakaotalk sms text_message apple_business_chat google_business_messages google_rcs messagebird_sms"
    " twilio_sms business_messaging_slack_connect sunshine_conversations_facebook_messenger"
    " sunshine_conversations_twitter_dm facebook:message twitter:direct_message",
    Channel.COMMENT: "facebook_post facebook:post twitter twitter:mention twitter:like twitter_favorite",
    Channel.OTHER: "web web_form mobile help_center helpcenter any_channel sample_ticket"
    " sample_interactive_ticket closed_ticket import ticket_sharing side_conversation logmein_rescue batch",
}
_CHANNEL_OF = {name: channel for channel, names in _CHANNELS.items() for name in names.split()}
_OWN_CHANNELS = {channel.value: channel for channel in Channel}
_API = frozenset({"api", "web_service"})
_NOBODY = frozenset({"", "0", "None"})
_SYSTEM = "-1"
_PROVEN = frozenset({"full", "sso"})


class Account(msgspec.Struct, frozen=True):
    """What one connection's settings say about its account. `fields` names custom fields by their ids."""

    base_url: str
    bot: str
    bots: frozenset[str]
    api_channel: Channel
    fields: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "Account":
        """Read the settings.

        Raises:
            InvalidSettings: the ticket fields are not written as `name: number, …`.
        """
        bot = str(settings["bot_user_id"] or "")
        return cls(
            base_url=settings["base_url"],
            bot=bot,
            bots=frozenset({bot, *(settings["other_bots"] or "").replace(",", " ").split()} - {""}),
            api_channel=_OWN_CHANNELS[settings["api_channel"]],
            fields=_named(settings["ticket_fields"] or "", settings.connection),
        )

    def field_id(self, name: str) -> str | None:
        """The number of a custom field, by its name in the settings or as it is."""
        if name.isdecimal():
            return name
        return next((number for number, each in self.fields.items() if each == name), None)


def _named(text: str, connection: str) -> dict[str, str]:
    pairs = [pair.partition(":") for pair in text.split(",") if pair.strip()]
    named = {number.strip(): name.strip() for name, _, number in pairs}
    if not all(number.isdecimal() and name for number, name in named.items()):
        cure = "must be names and numbers of fields, such as 'order_number: 360012345, plan: 360012346'"
        raise InvalidSettings(f"connection {connection!r} (Zendesk Support): ticket_fields {cure}")
    return named


def conversation(raw: Raw, account: Account) -> ConversationRecord:
    """A ticket, of the API or the `detail` of a webhook; an assignee bears no name in either."""
    requester = ident(raw.get("requester_id"))
    assignee = _assignee(raw, account)
    number = ident(raw["id"])
    if number is None:
        raise ValueError("a ticket without a number")
    return ConversationRecord(
        id=number,
        customer_id=requester or UNSET,
        channel=_channel(raw.get("via"), account),
        status=_status(raw.get("status"), assignee),
        tags=_tags(raw["tags"]) if "tags" in raw else UNSET,
        assignee=assignee,
        subject=words(raw.get("subject")) or UNSET,
        url=f"{account.base_url}/agent/tickets/{number}",
        attributes=_attributes(raw["custom_fields"], account) if "custom_fields" in raw else UNSET,
        updated_at=moment(raw.get("updated_at")) or UNSET,
        raw=raw,
    )


def message(raw: Raw, users: Mapping[str, Raw], account: Account) -> MessageRecord:
    """A comment of the API; `users` are those that were sent along."""
    author_id = ident(raw.get("author_id"))
    user = users.get(author_id or "", {})
    is_staff = user["role"] != "end-user" if user.get("role") else None
    channel = (raw.get("via") or {}).get("channel") or ""
    who = author(author_id, account, is_staff=is_staff, channel=channel)
    own = _own(raw)
    if own and who is not Author.CUSTOMER:
        who = {"ai": Author.AI, "agent": Author.AGENT}.get(str(own.get("author")), who)
    sent_at = moment(raw["created_at"])
    if sent_at is None:
        raise ValueError("a comment without a time")
    return MessageRecord(
        id=str(raw["id"]),
        author=who,
        text=words(raw.get("body")),
        sent_at=sent_at,
        person=person(author_id, user.get("name")) if who is Author.AGENT else None,
        private=raw.get("public") is not True,
        token=own["key"] if own else None,
        attachments=attachments(raw.get("attachments")),
        raw=raw,
    )


def author(number: str | None, account: Account, *, is_staff: bool | None, channel: str = "") -> Author:
    """Who speaks: bots are known by their user's number, Zendesk's own also by the channel."""
    if number in account.bots or channel.startswith(("answer_bot", "ai_agent")):
        return Author.AI
    if number == _SYSTEM:
        return Author.SYSTEM
    if number is None or is_staff is None:
        return Author.UNKNOWN
    return Author.AGENT if is_staff else Author.CUSTOMER


def customer(raw: Raw, identities: Sequence[Raw] | None = None) -> CustomerRecord:
    """A user with their addresses: the main ones, or all `identities` with whether they are proven."""
    number = ident(raw["id"])
    if number is None:
        raise ValueError("a user without a number")
    held = [Identity(IdentityKind.VENDOR, number)]
    if raw.get("external_id"):
        held.append(Identity(IdentityKind.EXTERNAL, str(raw["external_id"])))
    held += _main(raw) if identities is None else _addresses(identities)
    return CustomerRecord(
        id=number,
        name=words(raw.get("name")) or UNSET,
        identities=tuple(held),
        attributes=table(raw["user_fields"]) if "user_fields" in raw else UNSET,
        language=words(raw.get("locale")) or UNSET,
        updated_at=moment(raw.get("updated_at")) or UNSET,
        raw=raw,
    )


def is_deleted(raw: Raw) -> bool:
    """Whether a ticket is one that was deleted; scrubbed: for good."""
    return str(raw.get("status")).lower() in {"deleted", "scrubbed"}


def is_customer(raw: Raw) -> bool:
    """Whether a user is neither staff nor deleted, as those are that were merged into another."""
    return raw.get("role") in {None, "end-user"} and raw.get("active") is not False


def seen_at(raw: Raw) -> datetime:
    """When something exported was last touched; the epoch if it doesn't say."""
    stated = raw.get("updated_at") or raw.get("generated_timestamp") or raw.get("created_at")
    return moment(stated) or EPOCH


def attachments(raw: Iterable[Raw] | None) -> tuple[Attachment, ...]:
    """Files, of the API (`file_name`) or of a webhook (`filename`)."""
    return tuple(
        Attachment(
            id=str(each["id"]),
            url=words(each.get("content_url")),
            name=words(each.get("file_name")) or words(each.get("filename")),
            content_type=words(each.get("content_type")) or "application/octet-stream",
            size=whole(each.get("size")),
        )
        for each in raw or ()
        if each.get("id") is not None
    )


def by_id(users: Iterable[Raw] | None) -> dict[str, Raw]:
    """Users sent along with comments."""
    return {str(each.get("id")): each for each in users or ()}


def ident(value: object) -> str | None:
    """An id as text; `None` where it is empty, null or 0."""
    text = str(value)
    return None if text in _NOBODY else text


def person(number: str | None, name: Any) -> Person | None:
    """Somebody of the staff."""
    return Person(number, words(name)) if number else None


def _status(value: str | None, assignee: Person | UnsetType | None) -> Status | UnsetType:
    """A status, in capitals or not. A person waits for the customer if one has the ticket, else a bot."""
    word = (value or "").lower()
    if word == "pending":
        return Status.SNOOZED if assignee else Status.PENDING
    return _STATUSES.get(word, Status.UNKNOWN) if word else UNSET


def _channel(via: Raw | None, account: Account) -> Channel | UnsetType:
    name = (via or {}).get("channel")
    if not name:
        return UNSET
    if name in _API:
        return account.api_channel
    relation = ((via or {}).get("source") or {}).get("rel")
    return _CHANNEL_OF.get(f"{name}:{relation}") or _CHANNEL_OF.get(name, Channel.UNKNOWN)


def _assignee(raw: Raw, account: Account) -> Person | UnsetType | None:
    if "assignee_id" not in raw:
        return UNSET
    number = ident(raw["assignee_id"])
    # A bot that holds a ticket is nobody who could be disturbed; solving assigns whoever solves it.
    return None if number in account.bots else person(number, None)


def _tags(value: Any) -> tuple[str, ...]:
    return tuple(value.split()) if isinstance(value, str) else texts(value)


def _attributes(fields: Iterable[Raw] | None, account: Account) -> Raw:
    held = {str(each.get("id")): each.get("value") for each in fields or ()}
    return {
        account.fields.get(number, number): value for number, value in held.items() if value not in (None, "")
    }


def _own(raw: Raw) -> Raw | None:
    found = ((raw.get("metadata") or {}).get("custom") or {}).get(MARK)
    return found if isinstance(found, dict) and isinstance(found.get("key"), str) else None


def _main(raw: Raw) -> list[Identity]:
    phone = None if raw.get("shared_phone_number") else raw.get("phone")
    stated = ((IdentityKind.EMAIL, words(raw.get("email"))), (IdentityKind.PHONE, words(phone)))
    return [Identity(kind, value) for kind, value in stated if value]


def _addresses(identities: Sequence[Raw]) -> list[Identity]:
    kinds = {"email": IdentityKind.EMAIL, "phone_number": IdentityKind.PHONE}
    return [
        Identity(kinds[each["type"]], words(each["value"]), _is_proven(each))
        for each in identities
        if each.get("type") in kinds and words(each.get("value"))
    ]


def _is_proven(identity: Raw) -> bool:
    """`verified` is deprecated, and agents may set it: the method says more, where it is told."""
    method = identity.get("verification_method")
    return method in _PROVEN if method else identity.get("verified") is True
