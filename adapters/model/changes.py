"""What happened: the changes that webhooks and pages tell of."""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from adapters.model.queries import Query
from adapters.model.records import (
    Attachment,
    Author,
    Control,
    ConversationRecord,
    CustomerRecord,
    MessageRecord,
    Person,
    Raw,
)


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


class CustomerDeleted(Struct, frozen=True, kw_only=True, tag="customer_deleted"):
    """The vendor has this customer's record no more. Nothing that we hold is erased by it."""

    customer_id: str
    occurred_at: datetime


class ConversationChanged(Struct, frozen=True, kw_only=True, tag="conversation_changed"):
    """A conversation is new or different; `by` is who changed it, when the vendor says."""

    conversation: ConversationRecord
    occurred_at: datetime
    customer: CustomerRecord | None = None
    by: Author = Author.UNKNOWN


class ConversationDeleted(Struct, frozen=True, kw_only=True, tag="conversation_deleted"):
    """The vendor has this conversation no more. Nothing that we hold is erased by it.

    What is told of as of later (a message, a restored conversation) is there again.
    """

    conversation_id: str
    occurred_at: datetime


class MessagePosted(Struct, frozen=True, kw_only=True, tag="message_posted"):
    """A message is new or edited. The conversation and customer ride along where the vendor sends them."""

    message: MessageRecord
    conversation: ConversationRecord
    occurred_at: datetime
    customer: CustomerRecord | None = None


class MessageFailed(Struct, frozen=True, kw_only=True, tag="message_failed"):
    """A message that the vendor had accepted from us was not delivered after all.

    It is known by the vendor's id, by our `token`, or both; `reason` is for people. What the vendor
    calls `temporary` is sent again.
    """

    conversation_id: str
    occurred_at: datetime
    message_id: str | None = None
    token: str | None = None
    reason: str = ""
    temporary: bool = False


class ControlChanged(Struct, frozen=True, kw_only=True, tag="control_changed"):
    """The right to speak moved, or failed to, by the vendor's own switch.

    `holder` is who has it or is offered it, when the vendor says; `metadata` is the context that came along.
    """

    conversation: ConversationRecord
    control: Control
    occurred_at: datetime
    holder: Person | None = None
    customer: CustomerRecord | None = None
    metadata: Raw = msgspec.field(default_factory=dict)
    reason: str = ""


class ThinEvent(Struct, frozen=True, kw_only=True, tag="thin_event"):
    """Something changed and the vendor told only its id: the engine looks it up and takes in what it finds.

    `by` is who changed it, when the vendor says.
    """

    query: Query
    occurred_at: datetime
    by: Author = Author.UNKNOWN


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
    """A person did something with a hand-off: at our own desk, or in a `ticket` at the connection `desk`."""

    conversation_id: str
    hand_off: int
    action: str
    agent: Person
    occurred_at: datetime
    text: str | None = None
    desk: str | None = None
    ticket: str | None = None
    attachments: tuple[Attachment, ...] = ()


Change = (
    CustomerChanged
    | CustomersMerged
    | CustomerDeleted
    | ConversationChanged
    | ConversationDeleted
    | MessagePosted
    | MessageFailed
    | ControlChanged
    | ThinEvent
    | AnswerPrepared
    | DeskActed
)


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
