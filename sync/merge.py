"""Merging one field of a record that lives at several connections. Pure.

A three-way merge: what we hold against what a connection tells, each compared with what both last
agreed on. An edit on one side only is taken; when both sides were edited, the field's rule decides,
and where it can't, the edits are a `Conflict`, which loses neither.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

import msgspec
from msgspec import UNSET, Struct


class Merge(StrEnum):
    """Who wins when both sides were edited."""

    OWNER = "owner"
    NEWEST = "newest"
    UNION = "union"
    LATTICE = "lattice"
    APPEND = "append"
    ASK = "ask"


class Direction(StrEnum):
    """Which way edits flow: `in` is never written anywhere, `out` leaves the owner only."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Rule(Struct, frozen=True, kw_only=True):
    """How one field is kept equal. `order` is the lattice's, lowest first."""

    merge: Merge
    direction: Direction = Direction.BOTH
    owner: str | None = None
    order: tuple[str, ...] = ()
    connections: frozenset[str] | None = None
    """Those that take part; `None`: all."""


class Stamp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who wrote a value and when: `at` is the vendor's time, `revision` counts that one record's edits."""

    connection: str
    record: str
    at: datetime
    revision: int | None = None
    by: str = ""


class Version(Struct, frozen=True):
    """A value and its author; `None` is both empty and absent. A value nobody wrote has no stamp."""

    value: Any
    stamp: Stamp | None


class Merged(Struct, frozen=True):
    """What both sides should hold now."""

    version: Version


class Conflict(Struct, frozen=True, kw_only=True):
    """Two edits between which no rule decides; `base` is what they started from, `UNSET` if unknown."""

    base: Any
    ours: Version
    theirs: Version


Decision = Merged | Conflict


def canonical(rule: Rule, value: Any) -> Any:
    """The one form in which equal values are equal: sets sorted, empty and absent alike `None`."""
    if rule.merge is Merge.UNION and isinstance(value, list | tuple):
        value = [item for _, item in sorted((_text(item), item) for item in _distinct(value))]
    return None if value in ("", [], {}, ()) else value


def same(one: Any, other: Any) -> bool:
    """Whether two canonical values are equal as JSON (so `True` isn't 1)."""
    if type(one) is type(other) and isinstance(one, str | int | None):
        return bool(one == other)
    return _text(one) == _text(other)


def decide(rule: Rule, *, base: Any, ours: Version, theirs: Version) -> Decision:
    """What a field should hold, given canonical values; `base` is `UNSET` if nothing was ever agreed."""
    one_way = rule.direction is not Direction.BOTH and rule.owner is not None
    nothing = theirs.value is None is ours.value
    if (one_way and not _is_owners(rule, theirs)) or (nothing and not one_way):
        return Merged(ours)
    if ours.stamp is None:
        return Merged(theirs)
    if rule.merge is Merge.APPEND:
        return _append(base, ours, theirs)
    if _is_unedited(base, theirs) or same(ours.value, theirs.value):
        return Merged(ours)
    if _is_unedited(base, ours) or rule.direction is Direction.IN:
        return Merged(theirs)
    return _both_edited(rule, base, ours, theirs)


def _is_unedited(base: Any, version: Version) -> bool:
    """Whether it is what was agreed; somebody who never had a value hasn't removed it."""
    return version.value is None if base is UNSET else same(version.value, base)


def _both_edited(rule: Rule, base: Any, ours: Version, theirs: Version) -> Decision:
    match rule.merge:
        case Merge.OWNER if _is_owners(rule, ours) != _is_owners(rule, theirs):
            return Merged(ours if _is_owners(rule, ours) else theirs)
        case Merge.NEWEST:
            return Merged(theirs if _is_newer(theirs, ours) else ours)
        case Merge.UNION:
            return _unite(rule, base, ours, theirs)
        case Merge.LATTICE if ours.value in rule.order and theirs.value in rule.order:
            return Merged(max(ours, theirs, key=lambda version: rule.order.index(version.value)))
        case Merge.OWNER | Merge.LATTICE | Merge.ASK | Merge.APPEND:
            return Conflict(base=base, ours=ours, theirs=theirs)
        case _:
            assert_never(rule.merge)


def _is_owners(rule: Rule, version: Version) -> bool:
    return version.stamp is not None and version.stamp.connection == rule.owner


def _is_newer(one: Version, other: Version) -> bool:
    """By the record's own revisions where both are of one record, else by time; ties by the value."""
    first, second = one.stamp, other.stamp
    if first is None or second is None:
        return second is None
    if (first.connection, first.record) == (second.connection, second.record) and None not in (
        first.revision,
        second.revision,
    ):
        return (first.revision or 0) > (second.revision or 0)
    return (first.at, _text(one.value)) > (second.at, _text(other.value))


def _unite(rule: Rule, base: Any, ours: Version, theirs: Version) -> Decision:
    """What either side added, without what either side removed."""
    sides = [_items(None if base is UNSET else base), _items(ours.value), _items(theirs.value)]
    if None in sides:
        return Conflict(base=base, ours=ours, theirs=theirs)
    before, here, there = (side or [] for side in sides)
    old, mine, yours = ({_text(item) for item in side} for side in (before, here, there))
    kept = (old & mine & yours) | (mine - old) | (yours - old)
    united = canonical(rule, [item for item in (*here, *there) if _text(item) in kept])
    return Merged(_signed(united, ours, theirs))


def _append(base: Any, ours: Version, theirs: Version) -> Decision:
    """Ours, then what they added. Nothing that was there is ever taken away or moved."""
    sides = [_items(None if base is UNSET else base), _items(ours.value), _items(theirs.value)]
    if None in sides or (ours.value and theirs.value and type(ours.value) is not type(theirs.value)):
        return Conflict(base=base, ours=ours, theirs=theirs)
    before, here, there = (side or [] for side in sides)
    known = Counter(map(_text, here)) | Counter(map(_text, before))
    fresh = []
    for item in there:
        if known[_text(item)]:
            known[_text(item)] -= 1
        else:
            fresh.append(item)
    joined: Any = [*here, *fresh]
    if isinstance(ours.value or theirs.value, str):
        joined = "\n".join(joined)
    return Merged(_signed(joined or None, ours, theirs))


def _items(value: Any) -> list[Any] | None:
    """The items of a list, or the lines of a text; `None` for what has neither."""
    match value:
        case None:
            return []
        case list() | tuple():
            return list(value)
        case str():
            return value.split("\n")
        case _:
            return None


def _distinct(items: Sequence[Any]) -> list[Any]:
    return list({_text(item): item for item in items}.values())


def _signed(value: Any, ours: Version, theirs: Version) -> Version:
    """A merged value, under the name of the side that holds it already, else of the later one."""
    for version in (ours, theirs):
        if same(version.value, value):
            return version
    return Version(value, theirs.stamp if _is_newer(theirs, ours) else ours.stamp)


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
