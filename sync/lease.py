"""Who may speak in a conversation: a lease and its epoch. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from adapters.model import Person


class Holder(StrEnum):
    """Who may speak now."""

    AI = "ai"
    SAAS_AGENT = "saas_agent"
    DESK_AGENT = "desk_agent"
    NOBODY = "nobody"


class Lease(Struct, frozen=True, kw_only=True):
    """The holder, and a number that grows with every change of holder."""

    holder: Holder
    epoch: int
    since: datetime
    person: Person | None = None


class PersonSpoke(Struct, frozen=True):
    """An agent wrote at the helpdesk, by whatever route."""

    person: Person | None


class Assigned(Struct, frozen=True):
    """The helpdesk gave the conversation to an agent."""

    person: Person


class PersonOpened(Struct, frozen=True):
    """An agent took the conversation out of the bot's hands without assigning it."""


class HandedOff(Struct, frozen=True):
    """A rule offered the conversation to people."""


class Claimed(Struct, frozen=True):
    """An agent of the in-house desk took it, or spoke in it."""

    person: Person


class Returned(Struct, frozen=True):
    """A person gave it back to the AI."""


class Closed(Struct, frozen=True):
    """The conversation was resolved: what comes next starts with the AI again."""


Happening = PersonSpoke | Assigned | PersonOpened | HandedOff | Claimed | Returned | Closed


def _target(lease: Lease, happening: Happening) -> tuple[Holder, Person | None]:
    match happening:
        case PersonSpoke(person):
            return Holder.SAAS_AGENT, person or lease.person
        case Assigned(person) if lease.holder is not Holder.DESK_AGENT:
            return Holder.SAAS_AGENT, person
        case PersonOpened() | HandedOff() if lease.holder is Holder.AI:
            return Holder.NOBODY, None
        case Claimed(person):
            return Holder.DESK_AGENT, person
        case Returned() | Closed():
            return Holder.AI, None
        case Assigned() | PersonOpened() | HandedOff():
            return lease.holder, lease.person
        case _:
            assert_never(happening)


def advance(lease: Lease, happening: Happening, *, now: datetime) -> Lease:
    """The lease after `happening`; the same object when nobody's right to speak changes."""
    holder, person = _target(lease, happening)
    if holder is lease.holder and (person is None or person == lease.person):
        return lease
    return Lease(holder=holder, person=person, epoch=lease.epoch + 1, since=now)


def first_lease(*, assignee: Person | None, ai: bool, now: datetime) -> Lease:
    """The lease of a conversation seen for the first time."""
    if assignee is not None:
        return Lease(holder=Holder.SAAS_AGENT, person=assignee, epoch=1, since=now)
    return Lease(holder=Holder.AI if ai else Holder.NOBODY, epoch=1, since=now)
