"""Who may speak in a conversation: a lease and its epoch. Pure."""

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from adapters.model import Person


class Holder(StrEnum):
    """Who may speak now."""

    AI = "ai"
    OTHER_BOT = "other_bot"
    NOBODY = "nobody"
    SAAS_AGENT = "saas_agent"
    DESK_AGENT = "desk_agent"


class Lease(Struct, frozen=True, kw_only=True):
    """The holder, and a number that grows with every change of holder."""

    holder: Holder
    epoch: int
    since: datetime
    person: Person | None = None


class PersonSpoke(Struct, frozen=True):
    """An agent wrote to the customer by any route: the helpdesk's window or API, a phone, another app."""

    person: Person | None


class OtherBotSpoke(Struct, frozen=True):
    """A bot that isn't ours wrote to the customer."""


class DeskBotTook(Struct, frozen=True):
    """What was offered to people at a desk elsewhere is with a bot there."""


class OtherBotFellSilent(Struct, frozen=True):
    """The bot that has the conversation has said nothing for as long as the settings allow."""


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
    """A person gave it back, or nobody came for it in time: to whoever answers first there."""

    to: Holder = Holder.AI


class Closed(Struct, frozen=True):
    """The conversation was resolved: what comes next starts with whoever answers first there."""

    to: Holder = Holder.AI


Happening = (
    PersonSpoke
    | OtherBotSpoke
    | DeskBotTook
    | OtherBotFellSilent
    | Assigned
    | PersonOpened
    | HandedOff
    | Claimed
    | Returned
    | Closed
)

_AI, _BOT, _NONE, _SAAS, _DESK = Holder
_COLUMN = {holder: number for number, holder in enumerate(Holder)}
# Every pair is decided here. A person who speaks gets it from anyone; a bot only from our AI, or at the desk
# to which it was offered; what a bot, a rule or a vendor's status does never takes it from a person. What is
# returned or closed goes to whoever it names, from anyone.
_TABLE: MappingProxyType[type[Happening], tuple[Holder, Holder, Holder, Holder, Holder]] = MappingProxyType(
    {
        # held by:            AI     BOT    NONE   SAAS   DESK
        PersonSpoke:         (_SAAS, _SAAS, _SAAS, _SAAS, _SAAS),
        OtherBotSpoke:       (_BOT,  _BOT,  _NONE, _SAAS, _DESK),
        DeskBotTook:         (_BOT,  _BOT,  _BOT,  _SAAS, _DESK),
        OtherBotFellSilent:  (_AI,   _AI,   _NONE, _SAAS, _DESK),
        Assigned:            (_SAAS, _SAAS, _SAAS, _SAAS, _DESK),
        PersonOpened:        (_NONE, _NONE, _NONE, _SAAS, _DESK),
        HandedOff:           (_NONE, _NONE, _NONE, _SAAS, _DESK),
        Claimed:             (_DESK, _DESK, _DESK, _DESK, _DESK),
    }
)  # fmt: skip


def advance(lease: Lease, happening: Happening, *, now: datetime) -> Lease:
    """The lease after `happening`; the same object when nobody's right to speak changes."""
    if isinstance(happening, Returned | Closed):
        holder = happening.to
    else:
        holder = _TABLE[type(happening)][_COLUMN[lease.holder]]
    person = _person(lease, happening, holder)
    if holder is lease.holder and person == lease.person:
        return lease
    return Lease(holder=holder, person=person, epoch=lease.epoch + 1, since=now)


def _person(lease: Lease, happening: Happening, holder: Holder) -> Person | None:
    """Who it is by name; one whose name isn't told is taken for the one who has it."""
    kept = lease.person if holder is lease.holder else None
    match happening:
        case PersonSpoke(person) if person is not None:
            return person
        case Assigned(person) if holder is Holder.SAAS_AGENT:
            return person
        case Claimed(person):
            return person
        case _:
            return kept


def first_lease(*, assignee: Person | None, voice: Holder, now: datetime) -> Lease:
    """The lease of a conversation seen for the first time; `voice` is who answers first there."""
    if assignee is not None:
        return Lease(holder=Holder.SAAS_AGENT, person=assignee, epoch=1, since=now)
    return Lease(holder=voice, epoch=1, since=now)
