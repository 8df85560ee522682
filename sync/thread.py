"""One conversation in memory while its lane is worked: what was stored, what is new."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from adapters.model import Command, IdentityKind, Person
from sync.copies import ConflictChange, Copy
from sync.echo import Guess, Sent
from sync.identity import Address, Mark
from sync.lease import Lease
from sync.merge import Version
from sync.tables import REFS_PER_BLOCK


class Refs:
    """Hands out the refs of one block; one lane batch never needs more than a block holds."""

    def __init__(self, start: int) -> None:
        self._numbers = iter(range(start, start + REFS_PER_BLOCK))

    def next(self) -> int:
        """The next ref; raises `StopIteration` when a batch was far larger than agreed."""
        return next(self._numbers)


class CustomerState(Struct, kw_only=True, eq=False):
    """A customer as stored, plus what this batch changes."""

    ref: int
    main_ref: int
    """The customer that this one counts as: itself, unless they were merged."""
    name: str = ""
    language: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    vendor_updated_at: datetime | None = None
    created_at: datetime
    dirty: bool = False
    is_new: bool = False
    known: dict[Address, Mark] = field(default_factory=dict)
    """Stored addresses."""
    identities: dict[Address, Mark] = field(default_factory=dict)
    """Addresses that are new, or of which something new is known."""
    kin: "list[CustomerState]" = field(default_factory=list)
    """The others that count as the same person."""
    apart: frozenset[int] = frozenset()
    """Those that a person said are somebody else."""
    held: bool = False
    """Whether its row is ours until the transaction ends."""
    deleted_at: datetime | None = None
    """Since when the vendor has its record no more: its addresses link nobody, and nothing is written."""
    was_deleted_at: datetime | None = None
    """The same as stored."""
    revision: int | None = None
    """The vendor's own number of this version."""
    shared: dict[str, Copy] = field(default_factory=dict)
    """The shared fields as this record holds them."""
    golden: dict[str, Version] = field(default_factory=dict)
    """Of the main one: what the shared fields should be everywhere."""
    conflicts: list[ConflictChange] = field(default_factory=list)
    """What this batch changed about conflicts over fields."""

    @property
    def deleted(self) -> bool:
        """Whether the vendor has its record no more."""
        return self.deleted_at is not None

    @property
    def addresses(self) -> dict[Address, Mark]:
        """All addresses, as they will be stored."""
        return self.known | self.identities

    @property
    def vendor_address(self) -> tuple[str, str]:
        """The connection of the record, and its id there."""
        return next((name, id_) for name, kind, id_ in self.addresses if kind == IdentityKind.VENDOR)

    @property
    def everyone(self) -> "list[CustomerState]":
        """This customer, then the main one, then the others."""
        return [self, *sorted(self.kin, key=lambda each: (each.ref != each.main_ref, each.ref))]

    @property
    def whole_name(self) -> str:
        """The first name that one of them has."""
        return next((each.name for each in self.everyone if each.name), "")

    @property
    def whole_attributes(self) -> dict[str, Any]:
        """The attributes of all: one that this customer lacks comes from the others."""
        return whole_attributes(each.attributes for each in self.everyone)


def whole_attributes(all_of_them: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of one person's customers in one: the first value that says something counts."""
    found: dict[str, Any] = {}
    for attributes in all_of_them:
        found |= {name: value for name, value in attributes.items() if _lacks(found, name)}
    return found


def _lacks(attributes: dict[str, Any], name: str) -> bool:
    value = attributes.get(name)
    return value is None or value == ""


class ConversationState(Struct, kw_only=True):
    """A conversation as stored, plus what this batch changes."""

    ref: int
    connection: str
    id: str
    customer_ref: int | None = None
    channel: str = "unknown"
    stream: str = ""
    status: str = "unknown"
    tags: list[str] = field(default_factory=list)
    assignee: dict[str, Any] | None = None
    subject: str = ""
    url: str = ""
    language: str = "und"
    attributes: dict[str, Any] = field(default_factory=dict)
    vendor_updated_at: datetime | None = None
    resolved_at: datetime | None = None
    """When it was last resolved, as far as we know, by the vendor's clock."""
    created_at: datetime
    last_message_at: datetime | None = None
    control: str | None = None
    """Who may speak by the vendor's own switch, where it has one: a `Control`."""
    deleted_at: datetime | None = None
    """Since when the vendor has it no more: nothing is said or done there."""
    dirty: bool = False


class MessageState(Struct, kw_only=True):
    """A message to store."""

    ref: int
    conversation_ref: int
    id: str
    author: str
    person: dict[str, Any] | None
    text: str
    private: bool
    attachments: list[Any]
    origin: str
    sent_at: datetime
    seen_at: datetime
    event_ref: int | None
    command_ref: int | None = None


class LeaseMove(Struct, kw_only=True):
    """A change of lease to record."""

    ref: int
    lease: Lease
    cause: str
    event_ref: int | None


class NewCommand(Struct, kw_only=True):
    """A command for the outbox. `epoch` is set on everything that speaks or acts for the AI."""

    ref: int
    connection: str
    command: Command | Struct
    kind: str
    key: str
    created_at: datetime
    ready_at: datetime
    priority: int = 5
    epoch: int | None = None
    turn: int | None = None
    decision_ref: int | None = None
    event_ref: int | None = None
    hand_off: int | None = None
    """The hand-off that it belongs to."""
    held_back: str | None = None
    """Why it is kept on record but never sent."""


class HandOffState(Struct, kw_only=True):
    """A hand-off, open or just ended."""

    ref: int
    conversation_ref: int
    state: str
    to: str
    queue: str
    priority: str
    rule: str
    decision_ref: int | None
    package: dict[str, Any]
    agent: dict[str, Any] | None = None
    meant_for: dict[str, Any] | None = None
    """Who had the conversation before, if this goes back to them; anybody may claim it."""
    cause: str = "rule"
    """Why it was offered: a `rule`, or what became of the offer that it `follows`."""
    follows: int | None = None
    accept_by: datetime | None = None
    otherwise: dict[str, Any] | None = None
    """What happens when nobody has claimed it by then; of the shape of a policy's `otherwise`."""
    ticket: str | None = None
    """The conversation that was opened for it, at a desk at another vendor."""
    position: int | None = None
    """Its place in a queue of theirs, from 1."""
    offered_at: datetime
    claimed_at: datetime | None = None
    ended_at: datetime | None = None
    dirty: bool = False


class Overlap(Struct, frozen=True, kw_only=True):
    """A person's message and a reply of our AI that may have crossed it; confirmed once that was sent."""

    ref: int
    conversation_ref: int
    command_ref: int
    message_ref: int
    person: dict[str, Any] | None
    kind: str
    """`while_sending`: we heard of the person before the reply was out. `told_late`: only afterwards."""
    spoke_at: datetime
    heard_at: datetime
    event_ref: int | None
    state: str = "possible"
    sent_at: datetime | None = None


class Failed(Struct, frozen=True, kw_only=True):
    """A command that had been carried out, as it seemed: the vendor told later that it failed."""

    ref: int
    reason: str
    at: datetime
    again: bool
    """Whether it is worth another try."""


class Spoken(Struct, frozen=True, kw_only=True):
    """A message that was stored before, as far as it is needed to hear it."""

    id: str
    author: str
    text: str
    sent_at: datetime
    command_ref: int | None = None
    """The command that wrote it, if it is ours."""


class PeoplePast(Struct, frozen=True, kw_only=True):
    """What people had to do with a conversation since it was last resolved."""

    returns: int = 0
    """How often it went back to the AI from them, or from a queue in which nobody came."""
    queue: str = ""
    agent: dict[str, Any] | None = None
    words: tuple[str, ...] = ()
    """What was said last while they had it, by them and by the customer."""


class Thread(Struct, kw_only=True):
    """All of sync's state of one conversation, and what this batch adds to it."""

    conversation: ConversationState
    lease: Lease
    customer: CustomerState | None = None
    is_new: bool = False
    hand_off: HandOffState | None = None
    people: PeoplePast = PeoplePast()
    bots_since: int = 1
    """The epoch in which it last came to bots, or left them: from bot to bot it stays the same."""
    known_messages: dict[str, str] = field(default_factory=dict)
    """Texts of the messages of this batch that were stored before, by vendor id."""
    recent: list[Spoken] = field(default_factory=list)
    """What customer and people said last, where a batch tells that it was resolved."""
    ledger: list[Sent] = field(default_factory=list)
    messages: list[MessageState] = field(default_factory=list)
    edited: list[tuple[str, str]] = field(default_factory=list)
    attached: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    """Files of known messages, by vendor id: some vendors tell of them later."""
    lease_moves: list[LeaseMove] = field(default_factory=list)
    commands: list[NewCommand] = field(default_factory=list)
    ended_hand_offs: list[HandOffState] = field(default_factory=list)
    silenced: list[str] = field(default_factory=list)
    """Connections whose waiting commands of the AI are to be superseded."""
    withdrawn: list[int] = field(default_factory=list)
    """Hand-offs that ended before anything was opened for them elsewhere: what waits for it is withdrawn."""

    tokens: bool = False
    """Whether its helpdesk tells our token with each message that we wrote."""
    merges: bool = False
    """Whether its passing to another customer tells that the vendor made one of the two."""
    doubts: dict[int, Sent] = field(default_factory=dict)
    """Commands of which this batch changes what is held for their echo, by ref."""
    given_back: list[Guess] = field(default_factory=list)
    """Messages that turned out to be no echoes of ours."""
    overlaps: list[Overlap] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)
    """Commands whose status was told back in this batch."""
    deleted: bool | None = None
    """Whether this batch tells that the vendor has it no more; false: that it has it again."""

    def hear(self, sent: Sent) -> None:
        """Note that a status of ours was told back."""
        self.heard.append(sent.ref)
        self.note(msgspec.structs.replace(sent, heard=True))

    def note(self, sent: Sent) -> None:
        """Keep what is known now of a command in the ledger."""
        self.ledger = [sent if known.ref == sent.ref else known for known in self.ledger]

    @property
    def ref(self) -> int:
        """The conversation's ref."""
        return self.conversation.ref


def person_json(person: Person | None) -> dict[str, Any] | None:
    """A person as stored."""
    return None if person is None else {"id": person.id, "name": person.name}


def person_of(stored: dict[str, Any] | None) -> Person | None:
    """The person a stored value means."""
    return None if stored is None else Person(id=stored["id"], name=stored["name"])
