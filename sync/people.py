"""The customers of a batch while its lanes are worked: who of them are one person. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

import msgspec
from msgspec import Struct

from adapters.model import CustomerRecord, IdentityKind
from sync.identity import (
    Address,
    Ambiguous,
    Key,
    Linked,
    LinkRules,
    Mark,
    Nobody,
    Party,
    State,
    addresses,
    decide,
    may_link,
    normalise,
)
from sync.mirror import apply_customer
from sync.thread import CustomerState

VendorId = tuple[str, str]
"""A record's id at a connection."""
BY_VENDOR = "vendor"
"""The rule by which customers are one when the vendor merged their records."""


class Cause(Struct, frozen=True, kw_only=True):
    """When a link was found, and in which event."""

    at: datetime
    event_ref: int | None


class Merge(Struct, frozen=True, kw_only=True):
    """A merge to record: `moved` count as `kept_ref` from now on, which counted as `gone_ref` before.

    A suggestion has the same shape, and moves nobody. `kept_record` and `gone_record` are the two customers
    that the evidence is about.
    """

    state: State
    kept_ref: int
    gone_ref: int
    kept_record: int
    gone_record: int
    rule: str
    evidence: tuple[dict[str, Any], ...] = ()
    moved: tuple[int, ...] = ()
    person: dict[str, Any] | None = None
    of_new: bool = False
    """Whether all who moved are stored in this very batch."""
    event_ref: int | None = None
    at: datetime


class People:
    """The customers that a batch may change or link, indexed by what they link by.

    `shared` are addresses that so many customers have that they say nothing about anyone.
    """

    def __init__(
        self, rules: LinkRules, customers: Iterable[CustomerState] = (), shared: Iterable[Key] = ()
    ) -> None:
        self.rules = rules
        self.merges: list[Merge] = []
        self._shared = frozenset(shared)
        self._parties: dict[int, list[CustomerState]] = {}
        self._holders: dict[Key, list[CustomerState]] = {}
        for customer in customers:
            self.add(customer)

    def add(self, customer: CustomerState) -> None:
        """Take a customer in."""
        self._parties.setdefault(customer.main_ref, []).append(customer)
        self._index(customer)

    def link(self, customer: CustomerState, cause: Cause) -> None:
        """Link a customer by addresses that are new, or note whom they may be."""
        self._index(customer)
        newcomer = self._party(customer.main_ref)
        mains = {
            holder.main_ref
            for key in newcomer.keys
            for holder in self._holders.get(key, ())
            if holder.main_ref != newcomer.main_ref
        }
        match decide(newcomer, [self._party(main) for main in mains], self.rules):
            case Nobody():
                return
            case Linked() as found:
                self._record(customer, found, State.MERGED, cause)
            case Ambiguous(parties):
                for found in parties:
                    self._record(customer, found, State.SUGGESTED, cause)
            case other:
                assert_never(other)

    def vendor_merged(self, kept: CustomerState, gone: CustomerState, cause: Cause) -> None:
        """The vendor made one record of two: they are one person, whatever the rules say."""
        if kept.main_ref != gone.main_ref:
            self._merge((kept, gone), BY_VENDOR, (), cause)

    def _index(self, customer: CustomerState) -> None:
        for key in self._keys(customer):
            holders = self._holders.setdefault(key, [])
            if customer not in holders:
                holders.append(customer)

    def _keys(self, customer: CustomerState) -> set[Key]:
        return keys_of(customer, self.rules) - self._shared

    def _party(self, main_ref: int) -> Party:
        members = self._parties[main_ref]
        return Party(
            main_ref=main_ref,
            refs=frozenset(each.ref for each in members),
            connections=frozenset(each.vendor_address[0] for each in members if not each.deleted),
            keys=frozenset(key for each in members for key in self._keys(each)),
            apart=frozenset(ref for each in members for ref in each.apart),
        )

    def _record(self, customer: CustomerState, found: Linked, state: State, cause: Cause) -> None:
        holder = next(each for each in self._holders[found.keys[0]] if each.main_ref == found.party.main_ref)
        if state is State.MERGED:
            self._merge((holder, customer), found.rule, found.keys, cause)
            return
        first, second = sorted((holder, customer), key=lambda each: each.ref)
        self.merges.append(
            Merge(
                state=state,
                kept_ref=first.main_ref,
                gone_ref=second.main_ref,
                kept_record=first.ref,
                gone_record=second.ref,
                rule=found.rule,
                evidence=_evidence(found.keys),
                event_ref=cause.event_ref,
                at=cause.at,
            )
        )

    def _merge(
        self, pair: tuple[CustomerState, CustomerState], rule: str, keys: Iterable[Key], cause: Cause
    ) -> None:
        kept, gone = sorted(pair, key=self._age)
        kept_ref, gone_ref = kept.main_ref, gone.main_ref
        moved = self._parties.pop(gone_ref)
        self.merges.append(
            Merge(
                state=State.MERGED,
                kept_ref=kept_ref,
                gone_ref=gone_ref,
                kept_record=kept.ref,
                gone_record=gone.ref,
                rule=rule,
                evidence=_evidence(keys),
                moved=tuple(sorted(each.ref for each in moved)),
                of_new=all(each.is_new for each in moved),
                event_ref=cause.event_ref,
                at=cause.at,
            )
        )
        members = self._parties[kept_ref]
        members += moved
        for each in members:
            each.main_ref = kept_ref
            each.kin = [kin for kin in members if kin is not each]

    def _age(self, customer: CustomerState) -> tuple[bool, int]:
        """Who has been here longer keeps their ref."""
        return all(each.is_new for each in self._parties[customer.main_ref]), customer.main_ref


def _evidence(keys: Iterable[Key]) -> tuple[dict[str, Any], ...]:
    return tuple({"kind": kind, "value": value} for kind, value in keys)


def reread(customer: CustomerState, rules: LinkRules) -> dict[Address, Mark]:
    """The addresses that these rules read otherwise than those under which they were stored.

    An address that was given up for another stays so: it alone of its kind was merely unreadable.
    """
    home, id_ = customer.vendor_address
    found = addresses(CustomerRecord(id=id_, attributes=customer.attributes), home, rules)
    count = Counter(kind for _, kind, _ in customer.known)
    for address, mark in customer.known.items():
        _, kind, value = address
        told = found.get(address)
        given_up = told is None and mark.normal is None and count[kind] > 1
        if kind != IdentityKind.VENDOR and not given_up:
            verified = mark.verified or (told is not None and told.verified)
            found[address] = Mark(normalise(kind, value, rules.region), verified)
    return {address: mark for address, mark in found.items() if customer.known.get(address) != mark}


def keys_of(customer: CustomerState, rules: LinkRules) -> set[Key]:
    """What a customer's addresses link by; nothing, once the vendor has the record no more."""
    if customer.deleted:
        return set()
    found = (may_link(address, mark, rules) for address, mark in customer.addresses.items())
    return {key for key in found if key is not None}


def news(
    told: Iterable[tuple[str, CustomerRecord]], stored: Mapping[VendorId, CustomerState], rules: LinkRules
) -> dict[VendorId, set[Key]]:
    """Of which records something new is told, each with the addresses that may link it now.

    The others need no lock: applying them changes nothing. One that was deleted may be there again.
    """
    found: dict[VendorId, set[Key]] = {}
    for home, record in told:
        known = stored.get((home, record.id))
        draft = _draft(known)
        apply_customer(draft, record, connection=home, rules=rules)
        if known is None or known.deleted or draft.dirty or draft.identities:
            keys = found.setdefault((home, record.id), set())
            links = (may_link(address, mark, rules) for address, mark in draft.identities.items())
            keys.update(key for key in links if key is not None)
    return found


def _draft(known: CustomerState | None) -> CustomerState:
    if known is None:
        return CustomerState(ref=0, main_ref=0, created_at=datetime.min)  # noqa: DTZ901 - never stored
    return msgspec.structs.replace(known, dirty=False, identities={})


def new_customer(ref: int, address: VendorId, *, at: datetime) -> CustomerState:
    """A customer of whom nothing is known but a record's id."""
    vendor: Address = (address[0], IdentityKind.VENDOR.value, address[1])
    return CustomerState(
        ref=ref, main_ref=ref, created_at=at, dirty=True, is_new=True, identities={vendor: Mark(None)}
    )
