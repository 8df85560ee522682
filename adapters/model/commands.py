"""What an adapter is asked to do, and what the vendor answered."""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import UNSET, Struct, UnsetType

from adapters.model.records import (
    Attachment,
    Author,
    Channel,
    ConversationRecord,
    CustomerRecord,
    Identity,
    Person,
    Raw,
    Status,
)


class Reply(Struct, frozen=True, kw_only=True, tag="reply"):
    """Say `text` to the customer, as the bot or as `person` (an in-house agent).

    With the author `customer`, only where the manifest declares `relay`: what the customer said elsewhere.
    """

    key: str
    conversation_id: str
    text: str
    author: Author
    person: Person | None = None
    attachments: tuple[Attachment, ...] = ()


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """Write `text` where only agents can read it."""

    key: str
    conversation_id: str
    text: str
    attachments: tuple[Attachment, ...] = ()


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


class OpenConversation(Struct, frozen=True, kw_only=True, tag="open_conversation"):
    """Begin a conversation (a ticket) in the customer's name; `Pushed.id` is its id.

    `identities` say who the customer is. `text` is its first message; with `private`, only agents read it.
    """

    key: str
    subject: str
    text: str
    customer_name: str = ""
    identities: tuple[Identity, ...] = ()
    channel: Channel = Channel.OTHER
    tags: tuple[str, ...] = ()
    private: bool = False


class HandOver(Struct, frozen=True, kw_only=True, tag="hand_over"):
    """Give the right to speak away by the vendor's own switch, with the context.

    `to` is a team, group or integration in the vendor's words, `None` the default one. With `offer` it stays
    open until the other side takes it. `package` is the whole context; where the vendor takes less, what fits
    is passed and `url` leads to the rest.
    """

    key: str
    conversation_id: str
    summary: str
    to: str | None = None
    assignee_id: str | None = None
    offer: bool = False
    package: Raw = msgspec.field(default_factory=dict)
    url: str = ""


class TakeControl(Struct, frozen=True, kw_only=True, tag="take_control"):
    """Take the right to speak: accept what is offered."""

    key: str
    conversation_id: str


class ReleaseControl(Struct, frozen=True, kw_only=True, tag="release_control"):
    """Give the right to speak back to whoever has it by default."""

    key: str
    conversation_id: str
    reason: str = ""


ThreadCommand = (
    Reply
    | Note
    | Assign
    | SetStatus
    | ChangeTags
    | UpdateConversation
    | HandOver
    | TakeControl
    | ReleaseControl
)
"""Those about one conversation that exists."""
Command = ThreadCommand | UpdateCustomer | OpenConversation


class Reception(StrEnum):
    """How the other side took a hand-over."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    NOBODY = "nobody"
    """Nobody is there; the conversation is still ours."""
    BOT = "bot"
    """A bot of theirs answers there; it can be handed over to a person later."""


class Pushed(Struct, frozen=True, kw_only=True):
    """What the vendor answered: the id of what was created, if anything was, and when, by its own clock.

    `customer` or `conversation` is the record after an update, where the vendor shows it. After a `HandOver`,
    `reception` and the `position` in the queue (from 1), where the vendor says.
    """

    id: str | None = None
    at: datetime | None = None
    customer: CustomerRecord | None = None
    conversation: ConversationRecord | None = None
    reception: Reception | None = None
    position: int | None = None
    raw: Raw = msgspec.field(default_factory=dict)
