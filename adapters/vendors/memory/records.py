"""What the reference helpdesk stores and sends: its own vocabulary, not Deskbridge's."""

from datetime import datetime
from typing import Any

import msgspec

from adapters.signatures import Signature

SIGNATURE = Signature(
    header="X-Memory-Signature",
    prefix="sha256=",
    signed="{timestamp}.{body}",
    timestamp_header="X-Memory-Timestamp",
)


class Customer(msgspec.Struct, kw_only=True):
    """A person who writes."""

    id: str
    name: str
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    verified: list[str] = msgspec.field(default_factory=list)
    """Which of `email`, `phone` and `external_id` were proven to be theirs."""
    language: str | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    revision: int = 0
    updated_at: datetime


class Agent(msgspec.Struct, frozen=True):
    """A person who answers; `id` may be of another house when the API spoke for them."""

    id: str
    name: str


class Conversation(msgspec.Struct, kw_only=True):
    """A thread."""

    id: str
    customer_id: str
    channel: str = "chat"
    stream: str | None = None
    """The live broadcast in which it takes place."""
    status: str = "pending"
    subject: str | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    assignee: Agent | None = None
    team_id: str | None = None
    active: str | None = None
    """Who may speak, where there is a switchboard: `deskbridge`, `agents`, or nobody."""
    pending: str | None = None
    """To whom that is offered."""
    token: str | None = None
    """The key of the command that opened it."""
    revision: int = 0
    created_at: datetime
    updated_at: datetime


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside a message, fetched at `url` with the API token."""

    id: str
    name: str
    content_type: str
    size: int
    url: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance; `author` is customer, bot, agent or system."""

    id: str
    conversation_id: str
    author: str
    text: str
    private: bool = False
    agent: Agent | None = None
    token: str | None = None
    files: tuple[File, ...] = ()
    revision: int
    created_at: datetime


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One webhook body; `id` stays the same through retries and duplicates."""

    id: str
    type: str
    by: str
    occurred_at: datetime
    customer: Customer
    conversation: Conversation | None = None
    message: Message | None = None
    gone_id: str | None = None
    """Of two customers who were merged, the one that is no more."""
    reason: str | None = None
    """Why a message failed that had been accepted."""
    temporary: bool = False
    act: str | None = None
    """What was done at the switchboard: pass, offer, accept, release, refuse."""
    metadata: dict[str, Any] | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event told of, in the helpdesk's own order; `at` is real time, however wrong its clock is.

    `status` and `assignee_id` are the conversation's as they were then.
    """

    event: str
    type: str
    by: str
    customer_id: str
    conversation_id: str | None = None
    status: str | None = None
    assignee_id: str | None = None
    message: Message | None = None
    at: datetime


class RequestLog(msgspec.Struct, kw_only=True):
    """One API request as it arrived, and what became of it.

    `status` is 0 until, and unless, it is answered; `fault` names the misbehaviour it met.
    """

    method: str
    path: str
    body: Any
    fault: str | None
    at: datetime
    status: int = 0


class DeliveryLog(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a webhook; `status` is 0 where no answer came, `fault` names the misbehaviour."""

    event: str
    type: str
    attempt: int
    status: int
    fault: str | None
    at: datetime
