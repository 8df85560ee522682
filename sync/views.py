"""What others read of two-way state: the shapes of `sync.store.reading` and `sync.store.desk`.

They are also what the HTTP API answers with, so a field here is a promise: add, never rename.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from adapters.model import Person


class Identity(Struct, frozen=True, kw_only=True):
    """One address of a customer at a connection; `normal` is what it is compared by, if it still is."""

    connection: str
    kind: str
    value: str
    normal: str | None = None
    verified: bool = False
    deleted_at: datetime | None = None
    """Of the vendor's own id: since when it has that record no more."""


class Customer(Struct, frozen=True, kw_only=True):
    """A person who writes, with all their addresses; `refs` are the customers that were found to be them."""

    ref: int
    name: str
    language: str | None
    attributes: dict[str, Any]
    created_at: datetime
    identities: list[Identity] = field(default_factory=list)
    refs: list[int] = field(default_factory=list)


class CustomerMerge(Struct, frozen=True, kw_only=True):
    """Two customers that are one, may be one, or are not: `merged`, `suggested`, `undone` or `dismissed`.

    `kept_ref` and `gone_ref` were their refs; the evidence is about `kept_record` and `gone_record`.
    """

    ref: int
    state: str
    kept_ref: int
    gone_ref: int
    kept_record: int
    gone_record: int
    kept_name: str
    gone_name: str
    rule: str
    person: Person | None
    evidence: list[dict[str, Any]]
    event_ref: int | None
    at: datetime
    undone_at: datetime | None
    undone_by: Person | None


class Lease(Struct, frozen=True, kw_only=True):
    """Who may speak now; `epoch` grows with every change."""

    holder: str
    epoch: int
    since: datetime
    person: Person | None = None


class LastMessage(Struct, frozen=True, kw_only=True):
    """What was said last to or by the customer."""

    author: str
    text: str
    sent_at: datetime


class Conversation(Struct, frozen=True, kw_only=True):
    """A thread at a connection."""

    ref: int
    connection: str
    id: str
    customer_ref: int | None
    customer_name: str
    channel: str
    status: str
    tags: list[str]
    assignee: Person | None
    subject: str
    url: str
    language: str
    created_at: datetime
    last_message_at: datetime | None
    lease: Lease
    last_message: LastMessage | None = None
    deleted_at: datetime | None = None
    """Since when the vendor has it no more; nothing is said or done there."""


class HandOff(Struct, frozen=True, kw_only=True):
    """A conversation offered to people: `offered`, `claimed`, then `resolved`, `returned` or `taken`.

    `expired` is one that nobody claimed by `accept_by`; the next one `follows` it, and `cause` says so.
    `passed_on` is one that a bot of a desk elsewhere had until a rule asked for people; it is followed, too.
    `deleted` is one whose conversation the helpdesk has deleted.
    `to` names the built-in `desk`, the people of the helpdesk (`saas`), or a desk at another vendor, where
    `ticket` was opened for it; `position` is its place in a queue there.
    """

    ref: int
    conversation_ref: int
    state: str
    to: str
    queue: str
    priority: str
    rule: str
    decision_ref: int | None
    agent: Person | None
    meant_for: Person | None
    cause: str
    follows: int | None
    accept_by: datetime | None
    ticket: str | None
    position: int | None
    offered_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    connection: str
    conversation_id: str
    channel: str
    language: str
    customer_name: str
    goal: str


class FullHandOff(HandOff, frozen=True, kw_only=True):
    """A hand-off with the package that a person takes over with."""

    package: dict[str, Any]


class File(Struct, frozen=True, kw_only=True):
    """A file beside a message: its place there, from 1, and what is known of it; `size` in bytes.

    Where it lies is nobody's business; one that is `openable` can be asked for.
    """

    number: int
    name: str
    content_type: str
    size: int | None = None
    openable: bool = False


class DeskFile(Struct, frozen=True, kw_only=True):
    """A file that somebody at the built-in desk sends, until it was sent; name it in a reply by its `ref`."""

    ref: int
    hand_off_ref: int
    name: str
    content_type: str
    size: int
    created_at: datetime
    expires_at: datetime


class Message(Struct, frozen=True, kw_only=True):
    """One utterance; `private` ones are seen by agents only."""

    ref: int
    id: str
    author: str
    person: Person | None
    text: str
    private: bool
    attachments: list[File]
    origin: str
    sent_at: datetime
    seen_at: datetime
    event_ref: int | None
    command_ref: int | None


class LeaseChange(Struct, frozen=True, kw_only=True):
    """Who could speak from a moment on, and why that changed."""

    ref: int
    epoch: int
    holder: str
    person: Person | None
    cause: str
    event_ref: int | None
    at: datetime


class Overlap(Struct, frozen=True, kw_only=True):
    """A person and our AI spoke to the customer at the same moment.

    `while_sending`: the person's message (`message_ref`) reached us while the reply (`command_ref`) was on
    its way. `told_late`: the helpdesk told us of it only afterwards, though it was first.
    """

    ref: int
    conversation_ref: int
    command_ref: int
    message_ref: int
    person: Person | None
    kind: str
    spoke_at: datetime
    heard_at: datetime
    sent_at: datetime
    event_ref: int | None


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at a command, and what came of it."""

    number: int
    outcome: str
    status: int | None
    detail: str
    started_at: datetime
    ended_at: datetime

    @property
    def took(self) -> timedelta:
        """How long it took."""
        return self.ended_at - self.started_at


class Command(Struct, frozen=True, kw_only=True):
    """One thing to do at a connection, with every try at it."""

    ref: int
    connection: str
    kind: str
    body: dict[str, Any]
    key: str
    epoch: int | None
    turn: int | None
    decision_ref: int | None
    event_ref: int | None
    state: str
    reason: str | None
    remote_id: str | None
    created_at: datetime
    ready_at: datetime
    done_at: datetime | None
    attempts: list[Attempt] = field(default_factory=list)


class FirstReply(Struct, frozen=True, kw_only=True):
    """When a turn's reply was there."""

    conversation_ref: int
    turn: int
    at: datetime
