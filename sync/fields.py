"""Keeping fields of records equal at all connections: what is heard, what is to be written. Pure.

A person has a record at each connection, and so has a matter that several work on (`sync.cases`). What a
shared field should be is its golden value, kept on the main one; of each record we know what was last
agreed. A record is behind where the two differ, and is written to until they don't.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from config.fields import FieldSettings
from sync.copies import Closed, Copy, Dispute, Moved, Opened, SharedRecord, agreed
from sync.merge import (
    Conflict,
    Direction,
    Merge,
    Merged,
    Rule,
    Stamp,
    Version,
    canonical,
    decide,
    same,
)

ATTRIBUTE = "attributes."
LATE = timedelta(minutes=1)
"""How late a report from before our write may come where the vendor neither numbers nor times its records."""
NOBODYS = Version(None, None)


class FieldRules(Struct, frozen=True):
    """The rules of all shared fields, and the connections at which each can be written."""

    listed: Mapping[str, Rule]
    writable: Mapping[str, frozenset[str]]

    def written_to(self, connection: str) -> Iterator[str]:
        """The fields that are written to this connection."""
        for name, rule in self.listed.items():
            owned = rule.direction is Direction.OUT and rule.owner == connection
            if rule.direction is Direction.IN or owned or connection not in self.writable[name]:
                continue
            if takes_part(rule, connection):
                yield name

    def written(self) -> list[tuple[str, str]]:
        """Every connection with each field that is written to it."""
        connections = sorted(frozenset[str]().union(*self.writable.values()))
        return [(connection, name) for connection in connections for name in self.written_to(connection)]


def field_rules(listed: Mapping[str, FieldSettings], writable: Callable[[str], frozenset[str]]) -> FieldRules:
    """The rules that the configuration means; `writable` says where a field can be written."""
    return FieldRules(
        {name: _rule(chosen) for name, chosen in listed.items()}, {name: writable(name) for name in listed}
    )


def _rule(chosen: FieldSettings) -> Rule:
    return Rule(
        merge=Merge(chosen.merge),
        direction=Direction(chosen.direction),
        owner=chosen.owner,
        order=chosen.order,
        connections=chosen.connections,
    )


def takes_part(rule: Rule, connection: str) -> bool:
    """Whether the field is shared with this connection."""
    return rule.connections is None or connection in rule.connections


class News(Struct, frozen=True, kw_only=True):
    """The occasion of hearing of a record.

    `at` stands in for the vendor's time where the record bears none. `asked`: we have just read it.
    """

    at: datetime
    now: datetime
    new_ref: Callable[[], int]
    by: str = ""
    asked: bool = False


def main_of(customer: SharedRecord) -> SharedRecord:
    """The one of a person's records that bears the golden values."""
    return next(each for each in customer.everyone if each.ref == customer.main_ref)


def golden(customer: SharedRecord, name: str) -> Version:
    """What all records of this person should hold, and who wrote it."""
    return main_of(customer).golden.get(name, NOBODYS)


def value_of(customer: SharedRecord, name: str, rule: Rule) -> Any:
    """What this record holds, as far as we know."""
    if name.startswith(ATTRIBUTE):
        return canonical(rule, customer.attributes.get(name.removeprefix(ATTRIBUTE)))
    return canonical(rule, getattr(customer, name))


def hear(customer: SharedRecord, rules: FieldRules, news: News) -> None:
    """Merge what a record is known to hold now, which may be nothing new; the caller holds the person.

    Records that have come to this person, or left another, since they were last heard are merged with it.
    """
    if not rules.listed:
        return
    for each in sorted(customer.everyone, key=lambda one: one.ref != one.main_ref):
        if each is customer or not _belongs(each):
            _hear_one(each, rules, news if each is customer else msgspec.structs.replace(news, by=""))
    _reconsider(customer, rules, news.now)


def _belongs(customer: SharedRecord) -> bool:
    """Whether what was agreed about this record was agreed with the person it counts as now."""
    return bool(customer.shared) and all(copy.main == customer.main_ref for copy in customer.shared.values())


def _hear_one(customer: SharedRecord, rules: FieldRules, news: News) -> None:
    connection, record = customer.vendor_address
    if customer.shared and not _belongs(customer):
        for copy in customer.shared.values():
            _close(customer, copy, news.now)
        customer.shared, customer.dirty = {}, True
    if customer.golden and customer.ref != customer.main_ref:
        customer.golden, customer.dirty = {}, True
    at = customer.vendor_updated_at or news.at
    stamp = Stamp(connection=connection, record=record, at=at, revision=customer.revision, by=news.by)
    for name, rule in rules.listed.items():
        if takes_part(rule, connection):
            _merge(customer, name, rule, Version(value_of(customer, name, rule), stamp), news)


def copy_of(customer: SharedRecord, name: str) -> Copy:
    """The field as this record holds it."""
    return customer.shared.get(name) or Copy(main=customer.main_ref)


def _merge(customer: SharedRecord, name: str, rule: Rule, theirs: Version, news: News) -> None:
    copy = copy_of(customer, name)
    if _is_from_before_our_write(customer, copy, theirs, news) or _is_being_undone(copy, theirs):
        return
    _recognise(customer, copy, theirs.value)
    said = theirs
    if copy.meant is not UNSET and same(theirs.value, copy.held):
        said = Version(copy.meant, theirs.stamp)
    match decide(rule, base=agreed(copy), ours=golden(customer, name), theirs=said):
        case Merged(version):
            put(customer, name, version)
            _settle(customer, name, copy, theirs.value, news.now)
        case Conflict() as conflict:
            _dispute(customer, name, copy, conflict, news)


def _is_from_before_our_write(customer: SharedRecord, copy: Copy, theirs: Version, news: News) -> bool:
    """Whether a vendor that neither numbers nor times its records tells late what our write has replaced."""
    return (
        copy.written_at is not None
        and customer.revision is None
        and customer.vendor_updated_at is None
        and not news.asked
        and news.at < copy.written_at + LATE
        and copy.before is not UNSET
        and same(theirs.value, copy.before)
    )


def _is_being_undone(copy: Copy, theirs: Version) -> bool:
    """Whether they still hold what a resolution made them, and its undoing is under way."""
    return copy.restore is not None and same(theirs.value, copy.restore.instead)


def _recognise(customer: SharedRecord, copy: Copy, value: Any) -> None:
    """What we began to write and now hear of is no edit of theirs, but what they hold."""
    for position, sent in enumerate(copy.sent):
        if same(sent, value):
            if copy.dispute is None:
                copy.held, copy.meant = value, UNSET
            copy.sent = copy.sent[position + 1 :]
            customer.dirty = True
            return


def put(customer: SharedRecord, name: str, version: Version) -> None:
    """Make this the golden value."""
    main, known = main_of(customer), golden(customer, name)
    if version.stamp is not None and (known.stamp != version.stamp or not same(known.value, version.value)):
        main.golden[name] = version
        main.dirty = True


def _settle(customer: SharedRecord, name: str, copy: Copy, value: Any, now: datetime) -> None:
    """They hold `value`, and we have taken that into account."""
    if name not in customer.shared or not same(_json(copy.held), _json(value)) or copy.dispute is not None:
        _close(customer, copy, now)
        if not same(_json(copy.held), _json(value)):
            copy.held, copy.meant = value, UNSET
        customer.shared[name] = copy
        customer.dirty = True


def _json(value: Any) -> Any:
    return ["never agreed"] if value is UNSET else [[value]]


def _close(customer: SharedRecord, copy: Copy, now: datetime) -> None:
    if copy.dispute is not None:
        customer.conflicts.append(Closed(ref=copy.dispute.ref, at=now))
        copy.dispute = None


def _dispute(customer: SharedRecord, name: str, copy: Copy, conflict: Conflict, news: News) -> None:
    """Open a conflict, or note that they have changed their mind in an open one."""
    known = copy.dispute
    if known is not None and same(known.theirs.value, conflict.theirs.value):
        return
    customer.shared[name] = copy
    customer.dirty = True
    if known is not None:
        copy.dispute = Dispute(ref=known.ref, theirs=conflict.theirs)
        customer.conflicts.append(Moved(ref=known.ref, ours=conflict.ours, theirs=conflict.theirs))
        return
    copy.dispute = Dispute(ref=news.new_ref(), theirs=conflict.theirs)
    customer.conflicts.append(
        Opened(
            ref=copy.dispute.ref,
            record_ref=customer.ref,
            field=name,
            base=None if conflict.base is UNSET else conflict.base,
            ours=conflict.ours,
            theirs=conflict.theirs,
            at=news.now,
        )
    )


def _reconsider(customer: SharedRecord, rules: FieldRules, now: datetime) -> None:
    """Bring open conflicts up to the golden value, which another record may just have changed.

    Some end by that: both hold the same now, or ours is again what theirs was edited from.
    """
    moved = main_of(customer).dirty
    settled = True
    while settled:
        disputed = [
            (each, name, copy)
            for each in customer.everyone
            for name, copy in each.shared.items()
            if copy.dispute
        ]
        settled = any(_end_dispute(each, name, copy, rules, now) for each, name, copy in disputed)
    for each in customer.everyone if moved else ():
        for name, copy in each.shared.items():
            if copy.dispute is not None:
                ours, theirs = golden(customer, name), copy.dispute.theirs
                each.conflicts.append(Moved(ref=copy.dispute.ref, ours=ours, theirs=theirs))


def _end_dispute(each: SharedRecord, name: str, copy: Copy, rules: FieldRules, now: datetime) -> bool:
    """Whether what they were at odds about can be decided now, and is."""
    rule = rules.listed.get(name)
    if rule is None or copy.dispute is None:
        return False
    theirs = copy.dispute.theirs
    match decide(rule, base=copy.held, ours=golden(each, name), theirs=theirs):
        case Merged(version):
            put(each, name, version)
            _settle(each, name, copy, theirs.value, now)
            return True
        case Conflict():
            return False


def behind(customer: SharedRecord, rules: FieldRules) -> list[SharedRecord]:
    """The records of this person at which something is to be written."""
    return [each for each in customer.everyone if rules.listed and to_write(each, rules)]


def to_write(customer: SharedRecord, rules: FieldRules) -> dict[str, Any]:
    """The fields that this record should hold and isn't known to, with their values."""
    connection, _ = customer.vendor_address
    wanted: dict[str, Any] = {}
    if customer.deleted:
        return wanted
    for name in rules.written_to(connection):
        copy, version = copy_of(customer, name), golden(customer, name)
        if copy.restore is not None:
            wanted[name] = copy.restore.value
        elif version.stamp is None or is_disputed(customer, name):
            continue
        elif not same(version.value, None if copy.held is UNSET else agreed(copy)):
            wanted[name] = version.value
    return wanted


def is_disputed(customer: SharedRecord, name: str) -> bool:
    """Whether a conflict over the field is open: until it is resolved, no side is written to."""
    return any(name in each.shared and each.shared[name].dispute for each in customer.everyone)
