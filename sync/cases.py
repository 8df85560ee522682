"""Conversations at several connections that are about one matter: a case. Pure.

Each stays the record of its own connection, with its messages and its lease; only fields are kept equal,
by `sync.fields`. What is kept here is what the vendor said last, whatever the mirror made of it: for a lease,
a status that we set is nobody's doing, but it is what they hold.
"""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, field

from adapters.model import ConversationRecord, Status
from sync.copies import Closed, ConflictChange, Copy
from sync.merge import Version


class RefusedLinkError(RuntimeError):
    """These can't be linked; the message says why."""


class UnknownConversationError(LookupError):
    """No conversation has this ref."""


class CaseRecord(Struct, kw_only=True, eq=False):
    """A linked conversation as its connection says it is; `main_ref` names the one that bears the case."""

    ref: int
    main_ref: int
    connection: str
    id: str
    status: str = ""
    subject: str = ""
    tags: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    vendor_updated_at: datetime | None = None
    revision: int | None = None
    deleted: bool = False
    """Whether nothing is to be written there: the vendor has it no more, or the hand-off that it was opened
    for has ended. A ticket that is done with must not be opened again because its customer writes."""
    shared: dict[str, Copy] = field(default_factory=dict)
    golden: dict[str, Version] = field(default_factory=dict)
    conflicts: list[ConflictChange] = field(default_factory=list)
    dirty: bool = False
    kin: "list[CaseRecord]" = field(default_factory=list)

    @property
    def everyone(self) -> "list[CaseRecord]":
        """This record, then the case's others."""
        return [self, *self.kin]

    @property
    def vendor_address(self) -> tuple[str, str]:
        """Its connection, and its id there."""
        return self.connection, self.id


def says_anything(record: ConversationRecord) -> bool:
    """Whether a vendor's word mentions a field that may be shared."""
    told = (record.status, record.tags, record.subject, record.attributes)
    return any(value is not UNSET for value in told)


def is_late(case: CaseRecord, record: ConversationRecord) -> bool:
    """Whether we know something newer."""
    known = case.vendor_updated_at
    return record.updated_at is not UNSET and known is not None and record.updated_at < known


def apply(case: CaseRecord, record: ConversationRecord) -> bool:
    """Take in what the vendor says, unless we know something newer; whether that was so."""
    if is_late(case, record):
        return False
    if record.updated_at is not UNSET:
        case.dirty = case.dirty or record.updated_at != case.vendor_updated_at
        case.vendor_updated_at = record.updated_at
    if record.status not in {UNSET, Status.UNKNOWN, case.status}:
        case.status, case.dirty = str(record.status), True
    if record.tags is not UNSET and (tags := sorted(set(record.tags))) != case.tags:
        case.tags, case.dirty = tags, True
    if record.subject not in {UNSET, case.subject}:
        case.subject, case.dirty = record.subject, True
    if record.attributes is not UNSET and record.attributes != case.attributes:
        case.attributes, case.dirty = record.attributes, True
    return True


def shown(case: CaseRecord, record: ConversationRecord) -> CaseRecord:
    """The same case as a vendor's answer shows it, to compare."""
    bare = CaseRecord(ref=case.ref, main_ref=case.main_ref, connection=case.connection, id=case.id)
    apply(bare, record)
    return bare


def link(one: CaseRecord, other: CaseRecord) -> None:
    """Make one case of two. Raises RefusedLinkError when both have a conversation at one connection."""
    if one.main_ref == other.main_ref:
        return
    at = {each.connection: each for each in one.everyone}
    for each in other.everyone:
        if (twin := at.get(each.connection)) is not None:
            raise RefusedLinkError(
                f"{twin.ref} and {each.ref} are both at {each.connection}: a case has one conversation"
                " at each connection; unlink one of them first"
            )
    everyone = [*one.everyone, *other.everyone]
    for each in everyone:
        each.main_ref, each.dirty = one.main_ref, True
        each.kin = [kin for kin in everyone if kin is not each]


def unlink(case: CaseRecord, *, at: datetime) -> list[CaseRecord]:
    """Let a conversation go its own way; returns the records that are no part of any case now.

    The case goes on between the others with what was agreed; open conflicts with the one that goes end.
    """
    rest = case.kin
    for each in rest:
        each.kin = [kin for kin in each.kin if kin is not case]
    gone = [case, *rest] if len(rest) < 2 else [case]  # noqa: PLR2004 - a case of one is none
    for each in gone:
        each.kin = []
        each.conflicts += [Closed(ref=c.dispute.ref, at=at) for c in each.shared.values() if c.dispute]
    if len(gone) == 1 and case.ref == case.main_ref:
        _move_main(case, rest)
    return gone


def _move_main(leaving: CaseRecord, rest: list[CaseRecord]) -> None:
    """The case's values go to the first of those who stay, and what was agreed with them stays agreed."""
    main = min(rest, key=lambda each: each.ref)
    main.golden = leaving.golden
    for each in rest:
        each.main_ref, each.dirty = main.ref, True
        for copy in each.shared.values():
            copy.main = main.ref
