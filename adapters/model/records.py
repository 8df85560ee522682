"""What there is: customers, conversations and messages.

Everything is frozen. `id` is the vendor's. Times are aware UTC. Vendor-shaped data is `raw`.
A field that the vendor did not mention is `UNSET`; one that it mentioned as empty is `None`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

Raw = dict[str, Any]


class Channel(StrEnum):
    """Where a conversation takes place."""

    COMMENT = "comment"
    DIRECT_MESSAGE = "direct_message"
    LIVE = "live"
    PRODUCT_PAGE = "product_page"
    CHAT = "chat"
    EMAIL = "email"
    PHONE = "phone"
    OTHER = "other"
    UNKNOWN = "unknown"


CHANNELS = tuple(channel for channel in Channel if channel is not Channel.UNKNOWN)
"""The kinds that there are; `unknown` is none of them, but that a vendor's word means none that we know."""


class Author(StrEnum):
    """Who speaks. `ai` is any bot, ours or the vendor's."""

    CUSTOMER = "customer"
    AI = "ai"
    AGENT = "agent"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """A conversation's state; `pending` means that a bot is handling it."""

    PENDING = "pending"
    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


class Control(StrEnum):
    """Who may speak in a conversation, as the vendor's own switch between bots and desks tells it."""

    OURS = "ours"
    OFFERED_TO_US = "offered_to_us"
    OFFERED_AWAY = "offered_away"
    """Another may take it, or it waits in a queue of theirs; it is not ours any more."""
    THEIRS = "theirs"
    RELEASED = "released"
    """Nobody holds it: whoever is the default gets what comes next."""
    REFUSED = "refused"
    """Handing over or taking has failed; who held it still does."""
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """How a change reached us. Only `live` ones may act (promise 5)."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


class IdentityKind(StrEnum):
    """What kind of address an identity is."""

    VENDOR = "vendor"
    EMAIL = "email"
    PHONE = "phone"
    EXTERNAL = "external"


class Identity(Struct, frozen=True):
    """One address of a customer. `verified`: the vendor says that it has been proven to be theirs."""

    kind: IdentityKind
    value: str
    verified: bool = False


class Person(Struct, frozen=True):
    """An agent or bot at a vendor or desk."""

    id: str
    name: str = ""


class Attachment(Struct, frozen=True, kw_only=True):
    """A file beside a message; `url` is the vendor's and is never served to anyone as it is."""

    id: str
    url: str
    name: str = ""
    content_type: str = "application/octet-stream"
    size: int | None = None
    source: str = ""
    """The connection that it came from; set by the engine when the file goes on elsewhere."""
    conversation_id: str | None = None
    message_id: str | None = None
    """The message that it came with there, to ask for its address again; set by the engine, too."""


class CustomerRecord(Struct, frozen=True, kw_only=True):
    """A customer as one connection sees them."""

    id: str
    name: str | UnsetType = UNSET
    identities: tuple[Identity, ...] = ()
    attributes: Raw | UnsetType = UNSET
    language: str | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    revision: int | UnsetType = UNSET
    """Grows with every change of this record, where the vendor counts them."""
    raw: Raw = msgspec.field(default_factory=dict)


class ConversationRecord(Struct, frozen=True, kw_only=True):
    """A conversation as one connection sees it."""

    id: str
    customer_id: str | UnsetType = UNSET
    channel: Channel | UnsetType = UNSET
    stream: str | UnsetType = UNSET
    """The broadcast or post that it belongs to, with all others that name the same; empty if to none."""
    status: Status | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    assignee: Person | UnsetType | None = UNSET
    subject: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    attributes: Raw | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    raw: Raw = msgspec.field(default_factory=dict)


class MessageRecord(Struct, frozen=True, kw_only=True):
    """One utterance. `token` is the key of the command that wrote it, when the vendor echoes keys."""

    id: str
    author: Author
    text: str
    sent_at: datetime
    person: Person | None = None
    private: bool = False
    token: str | None = None
    attachments: tuple[Attachment, ...] = ()
    raw: Raw = msgspec.field(default_factory=dict)
