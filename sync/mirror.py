"""Applying a change to a conversation's mirror: what is new, what is an echo, what it means. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET, Struct

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
    """Somebody else moved the conversation's status; `by` is who, when the vendor says."""

    old: Status
    new: Status
    by: Author


class WasResolved(Struct, frozen=True):
    """It was resolved, and that we are told only after what the customer said since (`unheard`)."""

    unheard: tuple[Spoken | MessageState, ...]


class AgentAssigned(Struct, frozen=True):
    """The helpdesk assigned the conversation to an agent."""

    person: Person


Meaning = CustomerSpoke | AgentSpoke | OtherBotSpoke | Echoed | StatusMoved | WasResolved | AgentAssigned


def was_over(thread: Thread, message: MessageRecord) -> bool:
    """Whether the conversation was resolved after this message was sent, as we know already.

    A person's word that we hear of so late takes nothing. Some vendors count in seconds: within one, it does.
    """
    conversation = thread.conversation
    known = conversation.vendor_updated_at
    if conversation.status != Status.RESOLVED or known is None:
        return False
    return message.sent_at + timedelta(seconds=1) <= known


def apply_message(thread: Thread, change: MessagePosted, seen: Seen, refs: Refs) -> tuple[Meaning, ...]:
    """Store a new message (or an edit) and say what it means; nothing when we knew it."""
    record = change.message
    own = None if record.author is Author.CUSTOMER else find_own(record, thread.ledger, tokens=thread.tokens)
    known = thread.known_messages.get(record.id)
    if known is not None:
        # A vendor may dress up what we wrote (a name in front, say): that is no edit.
        if known != record.text and own is None:
            thread.edited.append((record.id, record.text))
            thread.known_messages[record.id] = record.text
        return ()
    message = _store(thread, record, own, seen, refs)
    if own is not None:
        return (Echoed(own.sent),)
    return spoken(message, record.author, record.person)


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
        attachments=[
            {"id": item.id, "url": item.url, "name": item.name, "content_type": item.content_type}
            for item in record.attachments
        ],
        origin=seen.origin,
        sent_at=record.sent_at,
        seen_at=seen.now,
        event_ref=seen.event_ref,
        command_ref=ours.ref if ours else None,
    )
    if own is not None and own.by != "certain":
        doubts.hold(thread, own, record, message)
    thread.messages.append(message)
    thread.known_messages[record.id] = record.text
    conversation = thread.conversation
    if conversation.last_message_at is None or conversation.last_message_at < record.sent_at:
        conversation.last_message_at = record.sent_at
        conversation.dirty = True
    return message


def apply_conversation(
    thread: Thread, record: ConversationRecord, *, at: datetime, by: Author = Author.UNKNOWN
) -> tuple[Meaning, ...]:
    """Bring the mirror up to what the vendor says, unless we know something newer."""
    conversation = thread.conversation
    stamp = record.updated_at if record.updated_at is not UNSET else None
    if stamp and conversation.vendor_updated_at and stamp < conversation.vendor_updated_at:
        return _belated(thread, record, stamp)
    meanings = (*_status(thread, record, at, by), *_assignee(thread, record))
    for name in ("channel", "subject", "url", "attributes"):
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


def _belated(thread: Thread, record: ConversationRecord, at: datetime) -> tuple[Meaning, ...]:
    """What old news still means: it was resolved, unless anybody but the customer has come to it since."""
    if record.status != Status.RESOLVED:
        return ()
    if record.assignee is not UNSET and record.assignee != person_of(thread.conversation.assignee):
        return ()
    fresh = (message for message in thread.messages if not message.private)
    said: tuple[Spoken | MessageState, ...] = (*thread.recent, *fresh)
    since = tuple(message for message in said if message.sent_at > at)
    if any(message.author != Author.CUSTOMER for message in since):
        return ()
    return (WasResolved(since),)


def _status(thread: Thread, record: ConversationRecord, at: datetime, by: Author) -> tuple[Meaning, ...]:
    conversation = thread.conversation
    if record.status is UNSET:
        return ()
    latest, awaited = latest_status(thread.ledger), awaited_status(thread.ledger)
    if awaited is not None and awaited.text == record.status:
        thread.hear(awaited)
    echo = latest is not None and awaited is latest and awaited.text == record.status
    if not echo and is_own_status(record.status, at, thread.ledger):
        return ()
    if echo and record.status == Status.RESOLVED == conversation.status:
        return (WasResolved(()),)  # whoever spoke between our deciding it and its coming about
    if record.status == conversation.status:
        return ()
    old = Status(conversation.status)
    conversation.status = record.status
    conversation.dirty = True
    if thread.is_new or echo:
        return ()
    return (StatusMoved(old, record.status, by),)


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
