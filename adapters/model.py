"""The canonical vocabulary: records, changes, commands and queries.

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


class CustomerChanged(Struct, frozen=True, kw_only=True, tag="customer_changed"):
    """A customer is new or different; `by` is who changed it, when the vendor says."""

    customer: CustomerRecord
    occurred_at: datetime
    by: Author = Author.UNKNOWN


class CustomersMerged(Struct, frozen=True, kw_only=True, tag="customers_merged"):
    """The vendor made one record of two: what was `gone_id` is `customer` now."""

    customer: CustomerRecord
    gone_id: str
    occurred_at: datetime


class ConversationChanged(Struct, frozen=True, kw_only=True, tag="conversation_changed"):
    """A conversation is new or different; `by` is who changed it, when the vendor says."""

    conversation: ConversationRecord
    occurred_at: datetime
    customer: CustomerRecord | None = None
    by: Author = Author.UNKNOWN


class MessagePosted(Struct, frozen=True, kw_only=True, tag="message_posted"):
    """A message is new or edited. The conversation and customer ride along where the vendor sends them."""

    message: MessageRecord
    conversation: ConversationRecord
    occurred_at: datetime
    customer: CustomerRecord | None = None


class AnswerPrepared(Struct, frozen=True, kw_only=True, tag="answer_prepared"):
    """The AI participant finished (or failed) an answer to a turn."""

    conversation_id: str
    turn: int
    generation: int
    occurred_at: datetime
    text: str | None
    confidence: float
    language: str
    citations: tuple[Raw, ...] = ()
    failure: str | None = None


class DeskActed(Struct, frozen=True, kw_only=True, tag="desk_acted"):
    """A person at the in-house desk did something with a hand-off."""

    conversation_id: str
    hand_off: int
    action: str
    agent: Person
    occurred_at: datetime
    text: str | None = None


Change = CustomerChanged | CustomersMerged | ConversationChanged | MessagePosted | AnswerPrepared | DeskActed


class Reply(Struct, frozen=True, kw_only=True, tag="reply"):
    """Say `text` to the customer, as the bot or as `person` (an in-house agent)."""

    key: str
    conversation_id: str
    text: str
    author: Author
    person: Person | None = None


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """Write `text` where only agents can read it."""

    key: str
    conversation_id: str
    text: str


class Assign(Struct, frozen=True, kw_only=True, tag="assign"):
    """Give the conversation to a person, a team, or (both `None`) nobody."""

    key: str
    conversation_id: str
    assignee_id: str | None = None
    team_id: str | None = None


class SetStatus(Struct, frozen=True, kw_only=True, tag="set_status"):
    """Move the conversation to `status`; setting the one it has is a no-op at every vendor."""

    key: str
    conversation_id: str
    status: Status


class ChangeTags(Struct, frozen=True, kw_only=True, tag="change_tags"):
    """Add and remove tags, leaving the others alone."""

    key: str
    conversation_id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class UpdateCustomer(Struct, frozen=True, kw_only=True, tag="update_customer"):
    """Write fields and custom attributes of a customer, leaving the others alone.

    `None` takes an attribute away. With `revision`, only if the record still has that one, where the
    manifest declares `conditional_update`; else the adapter raises `Outdated`.
    """

    key: str
    customer_id: str
    name: str | UnsetType = UNSET
    attributes: Raw = msgspec.field(default_factory=dict)
    revision: int | UnsetType = UNSET


class UpdateConversation(Struct, frozen=True, kw_only=True, tag="update_conversation"):
    """Write the subject and custom attributes of a conversation, leaving the others alone.

    `None` takes an attribute away; a subject is written where the manifest declares `set_subject`. With
    `updated_at`, only if the conversation bears that time still, where the manifest declares
    `conditional_conversation`; else the adapter raises `Outdated`. Only there `status` and `tags`, all of
    them, come along, so that one write does it all; elsewhere they are commands of their own.
    """

    key: str
    conversation_id: str
    subject: str | UnsetType = UNSET
    attributes: Raw = msgspec.field(default_factory=dict)
    status: Status | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


Command = Reply | Note | Assign | SetStatus | ChangeTags | UpdateCustomer | UpdateConversation


class FindMessage(Struct, frozen=True, kw_only=True, tag="find_message"):
    """Did our command `token` leave a message in this conversation?

    `text`, `private` and `since` let an adapter whose vendor keeps no token match by content.
    """

    conversation_id: str
    token: str
    text: str
    private: bool
    since: datetime


class FindCustomer(Struct, frozen=True, kw_only=True, tag="find_customer"):
    """The customer with this identity, if any."""

    identity: Identity


class FindConversation(Struct, frozen=True, kw_only=True, tag="find_conversation"):
    """A conversation as it is now."""

    conversation_id: str


Query = FindMessage | FindCustomer | FindConversation
Found = MessageRecord | CustomerRecord | ConversationRecord | None


class Pushed(Struct, frozen=True, kw_only=True):
    """What the vendor answered: the id of what was created, if anything was, and when, by its own clock.

    `customer` or `conversation` is the record after an update, where the vendor shows it.
    """

    id: str | None = None
    at: datetime | None = None
    customer: CustomerRecord | None = None
    conversation: ConversationRecord | None = None
    raw: Raw = msgspec.field(default_factory=dict)


class PullKind(StrEnum):
    """What a pull walks over."""

    CUSTOMERS = "customers"
    CONVERSATIONS = "conversations"
    MESSAGES = "messages"


class Page(Struct, frozen=True, kw_only=True):
    """One page, oldest first. `cursor` is stored with the page; `last` says that nothing follows it now.

    `total` is how many there are in all, where the vendor says.
    """

    changes: tuple[Change, ...]
    cursor: str | None
    last: bool
    total: int | None = None
