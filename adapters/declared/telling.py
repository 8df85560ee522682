"""What a description may say of records, of webhooks, and of the changes that they mean."""

from datetime import timedelta
from http import HTTPStatus

import msgspec

from adapters.declared.places import OfEvent, OfHandshake, OfHook, OfRecord, Part, ToHook
from adapters.signatures import Signature

_LAST = 599


class DeclaredSignature(Signature, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signature, no key of which may be misspelt; `minutes` is its tolerance."""

    minutes: float | None = 5.0

    def __post_init__(self) -> None:
        """Take the tolerance over."""
        super().__post_init__()
        if self.minutes is not None and self.minutes <= 0:
            raise ValueError("`minutes` is how old a webhook may be: more than 0, or null for any age")
        held = None if self.minutes is None else timedelta(minutes=self.minutes)
        msgspec.structs.force_setattr(self, "tolerance", held)


class Person(Part, frozen=True, kw_only=True):
    """A person inside a record."""

    id: OfRecord
    name: OfRecord | None = None


class Identities(Part, frozen=True, kw_only=True):
    """A customer's addresses; `verified` is a list of those that are proven, or of their kinds."""

    email: OfRecord | None = None
    phone: OfRecord | None = None
    external: OfRecord | None = None
    verified: OfRecord | None = None


class Customer(Part, frozen=True, kw_only=True):
    """How the vendor's customers are read."""

    id: OfRecord
    name: OfRecord | None = None
    identities: Identities = Identities()
    attributes: OfRecord | None = None
    language: OfRecord | None = None
    updated_at: OfRecord | None = None
    revision: OfRecord | None = None


class Conversation(Part, frozen=True, kw_only=True):
    """How its conversations are read."""

    id: OfRecord
    customer_id: OfRecord | None = None
    channel: OfRecord | None = None
    stream: OfRecord | None = None
    status: OfRecord | None = None
    tags: OfRecord | None = None
    assignee: Person | None = None
    subject: OfRecord | None = None
    url: OfRecord | None = None
    attributes: OfRecord | None = None
    updated_at: OfRecord | None = None


class Attachments(Part, frozen=True, kw_only=True):
    """How a message's files are read: `each` is their list, and `it` one of them in the rest.

    `credentials`: the vendor's own host gives them out only to those who may ask.
    """

    credentials: bool = False
    each: OfRecord
    id: OfRecord
    url: OfRecord
    name: OfRecord | None = None
    content_type: OfRecord | None = None
    size: OfRecord | None = None


class Message(Part, frozen=True, kw_only=True):
    """How its messages are read."""

    id: OfRecord
    author: OfRecord
    text: OfRecord
    sent_at: OfRecord | None = None
    person: Person | None = None
    private: OfRecord | None = None
    token: OfRecord | None = None
    attachments: Attachments | None = None


class Records(Part, frozen=True, kw_only=True):
    """How the vendor's objects are read, wherever they come from."""

    customer: Customer | None = None
    conversation: Conversation | None = None
    message: Message | None = None


class _Change(Part, frozen=True, kw_only=True):
    """A change that an event means, if `when` holds; for every thing of the list `each`, if there is one."""

    when: OfEvent | None = None
    each: OfEvent | None = None
    at: OfEvent | None = None


class MessagePosted(_Change, frozen=True, kw_only=True, tag="message_posted", tag_field="change"):
    """A message is new or edited."""

    message: OfEvent
    conversation: OfEvent
    customer: OfEvent | None = None


class ConversationChanged(_Change, frozen=True, kw_only=True, tag="conversation_changed", tag_field="change"):
    """A conversation is new or different."""

    conversation: OfEvent
    customer: OfEvent | None = None
    by: OfEvent | None = None


class CustomerChanged(_Change, frozen=True, kw_only=True, tag="customer_changed", tag_field="change"):
    """A customer is new or different."""

    customer: OfEvent
    by: OfEvent | None = None


class CustomersMerged(_Change, frozen=True, kw_only=True, tag="customers_merged", tag_field="change"):
    """One customer was made of two."""

    customer: OfEvent
    gone_id: OfEvent


class ConversationDeleted(_Change, frozen=True, kw_only=True, tag="conversation_deleted", tag_field="change"):
    """The vendor has a conversation no more."""

    conversation_id: OfEvent


class CustomerDeleted(_Change, frozen=True, kw_only=True, tag="customer_deleted", tag_field="change"):
    """The vendor has a customer's record no more."""

    customer_id: OfEvent


class MessageFailed(_Change, frozen=True, kw_only=True, tag="message_failed", tag_field="change"):
    """A message of ours was not delivered."""

    conversation_id: OfEvent
    message_id: OfEvent | None = None
    token: OfEvent | None = None
    reason: OfEvent | None = None
    temporary: OfEvent | None = None


class ControlChanged(_Change, frozen=True, kw_only=True, tag="control_changed", tag_field="change"):
    """The right to speak moved. `holder` gives an `id` and a `name`; `metadata` is an object."""

    conversation: OfEvent
    control: OfEvent
    holder: OfEvent | None = None
    customer: OfEvent | None = None
    metadata: OfEvent | None = None
    reason: OfEvent | None = None


class ThinEvent(_Change, frozen=True, kw_only=True, tag="thin_event", tag_field="change"):
    """Only an id is told: the conversation, customer or message is looked up."""

    conversation_id: OfEvent | None = None
    message_id: OfEvent | None = None
    customer_id: OfEvent | None = None
    by: OfEvent | None = None

    def __post_init__(self) -> None:
        """Refuse one that names nothing."""
        if (self.conversation_id is None) == (self.customer_id is None):
            raise ValueError(
                "a thin event names a `customer_id`, or a `conversation_id` (with its `message_id`)"
            )


Change = (
    MessagePosted
    | ConversationChanged
    | CustomerChanged
    | CustomersMerged
    | ConversationDeleted
    | CustomerDeleted
    | MessageFailed
    | ControlChanged
    | ThinEvent
)


class Reply(Part, frozen=True, kw_only=True):
    """What a webhook is answered."""

    status: int = 202
    body: ToHook | None = None
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        """Refuse what would be no acknowledgement."""
        if not HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES:
            raise ValueError("`status` says that a webhook was taken: 200 to 299")


class Handshake(Part, frozen=True, kw_only=True):
    """A request that only proves that we are there; it brings nothing."""

    when: OfHandshake
    reply: Reply


class Handshakes(Part, frozen=True, kw_only=True):
    """Handshakes by method; those with POST are signed like any webhook."""

    get: Handshake | None = None
    post: Handshake | None = None


class Hook(Part, frozen=True, kw_only=True):
    """How webhooks are verified, split, read and answered.

    `events` is the list of events in a body that holds several; `key` names one, where the vendor has names.
    """

    signature: DeclaredSignature | tuple[DeclaredSignature, ...] | None = None
    events: OfHook | None = None
    key: OfHook | None = None
    changes: tuple[Change, ...]
    reply: Reply = Reply()
    handshake: Handshakes = Handshakes()
    unavailable: int = 503

    def __post_init__(self) -> None:
        """Refuse what would lose webhooks."""
        if not HTTPStatus.BAD_REQUEST <= self.unavailable <= _LAST:
            raise ValueError("`unavailable` is a status after which the vendor sends again: 400 to 599")
