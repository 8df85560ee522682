"""Applying a change to a conversation's mirror: what is new, what is an echo, what it means. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from adapters.attachments import safe_name
from adapters.model import (
    Author,
    ConversationRecord,
    CustomerRecord,
    MessagePosted,
    MessageRecord,
    Origin,
    Person,
    Status,
)
from sync import doubts, identity
from sync.echo import Own, Sent, awaited_status, find_own, is_own_status, latest_status
from sync.identity import Address, LinkRules, Mark
from sync.thread import CustomerState, MessageState, Refs, Spoken, Thread, person_json, person_of


class Seen(Struct, frozen=True, kw_only=True):
    """The event being applied: where it came from and when."""

    event_ref: int | None
    origin: Origin
    now: datetime


class CustomerSpoke(Struct, frozen=True):
    """A message of the customer that we hadn't seen."""

    message: MessageState


class AgentSpoke(Struct, frozen=True):
    """A person at the helpdesk wrote to the customer."""

    message: MessageState
    person: Person | None


class OtherBotSpoke(Struct, frozen=True):
    """A bot that isn't ours wrote to the customer."""

    message: MessageState


class Echoed(Struct, frozen=True):
    """What we wrote came back."""

    sent: Sent


class StatusMoved(Struct, frozen=True):
    """Somebody else moved the conversation's status, to anything but resolved; `by` is who, if told."""

    old: Status
    new: Status
    by: Author


class Resolved(Struct, frozen=True):
    """Somebody resolved it: just now, or some time ago, as we are told only now.

    `since` is what the customer has said after that, by the vendor's clock, and we were told before.
    """

    late: bool
    since: tuple[Spoken | MessageState, ...] = ()


class AgentAssigned(Struct, frozen=True):
    """The helpdesk assigned the conversation to an agent."""

    person: Person


Meaning = CustomerSpoke | AgentSpoke | OtherBotSpoke | Echoed | StatusMoved | Resolved | AgentAssigned


def was_over(thread: Thread, message: MessageRecord) -> bool:
    """Whether the conversation was resolved after this message was sent, as we know already.

    A person's word that we hear of so late takes nothing, a customer's asks nothing. Some vendors count in
    seconds: within one, nobody knows which was first, and the message counts.
    """
    resolved_at = thread.conversation.resolved_at
    if resolved_at is None:
        return False
    exact = message.sent_at.microsecond and resolved_at.microsecond
    return message.sent_at + (timedelta(0) if exact else timedelta(seconds=1)) <= resolved_at


def apply_message(thread: Thread, change: MessagePosted, seen: Seen, refs: Refs) -> tuple[Meaning, ...]:
    """Store a new message (or an edit) and say what it means; nothing when we knew it."""
    record = change.message
    own = find_own(record, _may_be(record, thread.ledger), tokens=thread.tokens)
    known = thread.known_messages.get(record.id)
    if known is not None:
        # A vendor may dress up what we wrote (a name in front, say): that is no edit.
        if known != record.text and own is None:
            thread.edited.append((record.id, record.text))
            thread.known_messages[record.id] = record.text
        if record.attachments:
            thread.attached.append((record.id, _files(record)))
        return ()
    message = _store(thread, record, own, seen, refs)
    if own is not None:
        return (Echoed(own.sent),)
    return spoken(message, record.author, record.person)


def _may_be(record: MessageRecord, ledger: Sequence[Sent]) -> Sequence[Sent]:
    """What we wrote that may come back as this: as the customer's words, only what we relayed of theirs."""
    if record.author is not Author.CUSTOMER:
        return ledger
    return [sent for sent in ledger if sent.author == Author.CUSTOMER]


def spoken(message: MessageState, author: Author, person: Person | None) -> tuple[Meaning, ...]:
    """What it means that somebody else wrote this; what only agents see means nothing."""
    if message.private:
        return ()
    match author:
        case Author.CUSTOMER:
            return (CustomerSpoke(message),)
        case Author.AGENT:
            return (AgentSpoke(message, person),)
        case Author.AI:
            return (OtherBotSpoke(message),)
        case _:
            return ()


def is_past(thread: Thread, meaning: Meaning) -> bool:
    """Whether what history tells is over: a bot's words, or a person's who doesn't have the last word."""
    match meaning:
        case OtherBotSpoke():
            return True
        case AgentSpoke(message):
            latest = thread.conversation.last_message_at
            answered = latest is not None and message.sent_at < latest
            return answered or thread.conversation.status == Status.RESOLVED
        case _:
            return False


def _store(thread: Thread, record: MessageRecord, own: Own | None, seen: Seen, refs: Refs) -> MessageState:
    ours = own.sent if own else None
    message = MessageState(
        ref=refs.next(),
        conversation_ref=thread.ref,
        id=record.id,
        author=ours.author if ours else record.author,
        person=person_json(ours.person if ours else record.person),
        text=ours.text if ours else record.text,
        private=record.private,
        attachments=_files(record),
        origin=seen.origin,
        sent_at=record.sent_at,
        seen_at=seen.now,
        event_ref=seen.event_ref,
        command_ref=ours.ref if ours else None,
    )
    if own is not None and own.by != "certain" and own.sent.conversation_ref == thread.ref:
        doubts.hold(thread, own, record, message)
    thread.messages.append(message)
    thread.known_messages[record.id] = record.text
    conversation = thread.conversation
    if conversation.last_message_at is None or conversation.last_message_at < record.sent_at:
        conversation.last_message_at = record.sent_at
        conversation.dirty = True
    return message


def _files(record: MessageRecord) -> list[dict[str, Any]]:
    return [
        {
            "id": item.id,
            "url": item.url,
            "name": safe_name(item.name),
            "content_type": item.content_type,
            "size": item.size,
        }
        for item in record.attachments
    ]


def apply_conversation(
    thread: Thread, record: ConversationRecord, *, at: datetime, by: Author = Author.UNKNOWN
) -> tuple[Meaning, ...]:
    """Bring the mirror up to what the vendor says, unless we know something newer."""
    conversation = thread.conversation
    stamp = record.updated_at if record.updated_at is not UNSET else None
    if stamp and conversation.vendor_updated_at and stamp < conversation.vendor_updated_at:
        return _resolved(thread, record, stamp, late=True)
    meanings = (*_status(thread, record, stamp or at, by), *_assignee(thread, record))
    for name in ("channel", "stream", "subject", "url", "attributes"):
        value = getattr(record, name)
        if value is not UNSET and value != getattr(conversation, name):
            setattr(conversation, name, value)
            conversation.dirty = True
    if record.tags is not UNSET and list(record.tags) != conversation.tags:
        conversation.tags = list(record.tags)
        conversation.dirty = True
    if stamp and stamp != conversation.vendor_updated_at:
        conversation.vendor_updated_at = stamp
        conversation.dirty = True
    return meanings


def _resolved(thread: Thread, record: ConversationRecord, at: datetime, *, late: bool) -> tuple[Meaning, ...]:
    """That it was resolved, if it was, unless a person has come to it since; or, told `late`, another bot.

    Not by what we wrote: it has its own way with the lease.
    """
    if record.status != Status.RESOLVED:
        return ()
    conversation = thread.conversation
    if conversation.resolved_at is None or conversation.resolved_at < at:
        conversation.resolved_at, conversation.dirty = at, True
    if late and record.assignee not in {UNSET, person_of(conversation.assignee)}:
        return ()
    fresh = (message for message in thread.messages if not message.private)
    said: tuple[Spoken | MessageState, ...] = (*thread.recent, *fresh)
    since = tuple(message for message in said if message.sent_at > at)
    come = {Author.AGENT, Author.AI} if late else {Author.AGENT}
    if any(message.author in come and message.command_ref is None for message in since):
        return ()
    return (Resolved(late, tuple(message for message in since if message.author == Author.CUSTOMER)),)


def _status(thread: Thread, record: ConversationRecord, at: datetime, by: Author) -> tuple[Meaning, ...]:
    conversation = thread.conversation
    if record.status is UNSET:
        return ()
    latest, awaited = latest_status(thread.ledger), awaited_status(thread.ledger)
    if awaited is not None and awaited.text == record.status:
        thread.hear(awaited)
    echo = latest is not None and awaited is latest and awaited.text == record.status
    if not echo and is_own_status(record.status, at, thread.ledger):
        # Whose doing it was: who has spoken before it came about has let go.
        return _resolved(thread, record, at, late=True)
    if record.status == conversation.status:
        return _resolved(thread, record, at, late=True) if echo else ()
    old = Status(conversation.status)
    conversation.status = record.status
    conversation.dirty = True
    resolved = _resolved(thread, record, at, late=thread.is_new or echo)
    if thread.is_new or echo:
        return ()
    return resolved if record.status is Status.RESOLVED else (StatusMoved(old, record.status, by),)


def _assignee(thread: Thread, record: ConversationRecord) -> tuple[Meaning, ...]:
    conversation = thread.conversation
    if record.assignee is UNSET or record.assignee == person_of(conversation.assignee):
        return ()
    conversation.assignee = person_json(record.assignee)
    conversation.dirty = True
    # Some helpdesks assign a conversation to whoever resolves it; nobody is at work there.
    if thread.is_new or record.assignee is None or record.status is Status.RESOLVED:
        return ()
    return (AgentAssigned(record.assignee),)


def apply_customer(
    customer: CustomerState, record: CustomerRecord, *, connection: str, rules: LinkRules
) -> None:
    """Bring a customer up to what the vendor says, unless we know something newer."""
    if is_late(customer, record):
        return
    stamp = record.updated_at if record.updated_at is not UNSET else None
    for name in ("name", "attributes", "language", "revision"):
        value = getattr(record, name)
        if value is not UNSET and value != getattr(customer, name):
            setattr(customer, name, value)
            customer.dirty = True
    if stamp and stamp != customer.vendor_updated_at:
        customer.vendor_updated_at = stamp
        customer.dirty = True
    _apply_addresses(customer, identity.addresses(record, connection, rules))


def is_late(customer: CustomerState, record: CustomerRecord) -> bool:
    """Whether we know a newer version: by its number, where the vendor counts, else by its time."""
    if record.revision not in {UNSET, customer.revision} and customer.revision is not None:
        return record.revision < customer.revision
    known = customer.vendor_updated_at
    return record.updated_at is not UNSET and known is not None and record.updated_at < known


def shown(customer: CustomerState, record: CustomerRecord) -> CustomerState:
    """The same customer as a vendor's answer shows them, to compare."""
    said = {name: getattr(record, name) for name in ("name", "attributes")}
    told = {name: value for name, value in said.items() if value is not UNSET}
    return msgspec.structs.replace(customer, **told)


def _apply_addresses(customer: CustomerState, named: Mapping[Address, Mark]) -> None:
    """Keep what is new. An address that another of its kind has replaced stays, but links no more."""
    stored = customer.addresses
    for address, mark in named.items():
        before = stored.get(address)
        # What was verified once stays so: not every event of a vendor tells.
        told = Mark(mark.normal, mark.verified or (before is not None and before.verified))
        if told != before:
            customer.identities[address] = told
    kinds = {address[:2] for address in named}
    for address, mark in stored.items():
        if address[:2] in kinds and address not in named and mark.normal is not None:
            customer.identities[address] = Mark(None)
