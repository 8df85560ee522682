"""Resolving a conflict over a shared field, and undoing that. Pure; the caller holds the person."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

from adapters.model import Person
from config.fields import STATUSES
from sync.copies import Dispute, Restore, SharedRecord
from sync.fields import FieldRules, golden, put, takes_part, value_of
from sync.merge import Stamp, Version, canonical, same

PEOPLE = "deskbridge"
"""Where a resolution was made, as its author's stamp says."""


class Choice(StrEnum):
    """What a person decided: what we held, what the connection held, or neither."""

    OURS = "ours"
    THEIRS = "theirs"
    VALUE = "value"


class RefusedConflictError(RuntimeError):
    """This can't be done to the conflict now; the message says why."""


class Previous(Struct, frozen=True, kw_only=True):
    """What was before a resolution: the golden value, and what each record held, by its customer's ref."""

    golden: Version
    held: dict[str, Any]


class Resolution(Struct, frozen=True, kw_only=True):
    """A person's decision about the conflict `ref`."""

    ref: int
    choice: Choice
    value: Any
    person: Person
    at: datetime


def resolve(customer: SharedRecord, name: str, resolution: Resolution, rules: FieldRules) -> Previous:
    """Make the chosen value golden: it is written to whoever holds another. Raises RefusedConflictError."""
    copy, rule = customer.shared.get(name), rules.listed.get(name)
    if rule is None:
        raise RefusedConflictError(f"{name} is not a shared field any more: nothing would be written")
    if copy is None or copy.dispute is None or copy.dispute.ref != resolution.ref:
        raise RefusedConflictError(f"conflict {resolution.ref} is not open any more")
    if resolution.choice is Choice.VALUE and (needed := _needed(name, resolution.value)):
        raise RefusedConflictError(f"{resolution.value!r} can't be written as {name}: it takes {needed}")
    before, theirs = golden(customer, name), copy.dispute.theirs
    members = [each for each in customer.everyone if takes_part(rule, each.vendor_address[0])]
    previous = Previous(golden=before, held={str(each.ref): value_of(each, name, rule) for each in members})
    chosen = {Choice.OURS: before.value, Choice.THEIRS: theirs.value, Choice.VALUE: resolution.value}
    stamp = Stamp(connection=PEOPLE, record=str(resolution.ref), at=resolution.at, by=resolution.person.id)
    copy.dispute, copy.held, copy.meant, customer.dirty = None, theirs.value, UNSET, True
    put(customer, name, Version(canonical(rule, chosen[resolution.choice]), stamp))
    return previous


def _needed(name: str, value: Any) -> str | None:
    """What a field takes, if it isn't this; attributes take anything, and the vendor may still refuse it."""
    match name:
        case "status":
            return None if value in STATUSES else f"one of {', '.join(STATUSES)}"
        case "tags":
            fits = value is None or (isinstance(value, list) and all(isinstance(tag, str) for tag in value))
            return None if fits else "a list of texts"
        case "name" | "subject":
            return None if value is None or isinstance(value, str) else "a text"
        case _:
            return None


def undo(
    customer: SharedRecord, name: str, previous: Previous, *, conflict: Dispute, base: Any, rules: FieldRules
) -> None:
    """Open the conflict again and give every record back what it held. Raises RefusedConflictError."""
    now, rule = golden(customer, name), rules.listed.get(name)
    made = now.stamp is not None and (now.stamp.connection, now.stamp.record) == (PEOPLE, str(conflict.ref))
    if not made or rule is None:
        raise RefusedConflictError(f"{name} has been edited since: undoing would overwrite that")
    if any(name in each.shared and each.shared[name].dispute for each in customer.everyone):
        raise RefusedConflictError(f"another conflict over {name} is open: resolve that first")
    put(customer, name, previous.golden)
    for each in customer.everyone:
        copy = each.shared.get(name)
        if copy is None or str(each.ref) not in previous.held:
            continue
        before = previous.held[str(each.ref)]
        if copy.sent or copy.held is UNSET or not same(copy.held, before):
            copy.restore = Restore(value=before, instead=now.value)
            each.dirty = True
    copy = customer.shared[name]
    copy.held, copy.meant = UNSET if base is None else base, UNSET
    copy.dispute, customer.dirty = conflict, True
