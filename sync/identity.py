"""Who is who: what an address is compared by, and when two customers are one person. Pure.

A customer as stored is what one connection's record says. Customers that are one person count as one of them,
their *main* one; together they are a *party*. Conversations and addresses stay with their own customer, so a
merge moves nothing but that pointer, and undoing it is exact.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import phonenumbers
from msgspec import UNSET, Struct
from phonenumbers import NumberParseException, PhoneNumberFormat

from adapters.model import CustomerRecord, IdentityKind

Address = tuple[str, str, str]
"""Connection, kind, value as the vendor writes it."""
Key = tuple[str, str]
"""Kind and normalised value: what addresses of all connections are compared by."""
RECORD_ID = "id"
ATTRIBUTE = "attributes."


class LinkRules(Struct, frozen=True, kw_only=True):
    """By what customers are linked, and whom to believe."""

    link_by: tuple[str, ...] = ()
    trust: frozenset[str] = frozenset()
    """Connections whose addresses count as verified."""
    region: str | None = None
    """The country of phone numbers without a country code, as ISO 3166."""
    never: tuple[str, ...] = ()
    """Patterns of addresses that many people share."""
    shared_after: int = 5
    """An address that more customers have than this belongs to nobody."""
    ids: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Where else a connection keeps your id of a customer: `id` or `attributes.NAME`."""


class Mark(Struct, frozen=True):
    """What we know of an address: how it is looked up (`None`: no more, or never), and if it is proven."""

    normal: str | None
    verified: bool = False


class State(StrEnum):
    """What became of a merge."""

    MERGED = "merged"
    SUGGESTED = "suggested"
    UNDONE = "undone"
    DISMISSED = "dismissed"


class Party(Struct, frozen=True, kw_only=True):
    """Customers that count as one."""

    main_ref: int
    refs: frozenset[int]
    connections: frozenset[str]
    """Where they have a record."""
    keys: frozenset[Key]
    """Their addresses that may link."""
    apart: frozenset[int] = frozenset()
    """Customers that a person said are somebody else."""


class Nobody(Struct, frozen=True):
    """Nobody known has one of these addresses."""


class Linked(Struct, frozen=True):
    """It is this party: `rule` is the strongest kind of address that they share, `keys` all of them."""

    party: Party
    rule: str
    keys: tuple[Key, ...]


class Ambiguous(Struct, frozen=True):
    """It may be any of these: a person has to say."""

    parties: tuple[Linked, ...]


Decision = Nobody | Linked | Ambiguous


def decide(newcomer: Party, others: Iterable[Party], rules: LinkRules) -> Decision:
    """Whether a party with new addresses is one of `others`; one candidate links, several are never guessed.

    A candidate that contradicts (another record at the same connection, another id of yours) isn't guessed
    either. Which of several arrives first makes no difference: whatever shares an address ends up together.
    """
    found = [_shared(newcomer, other, rules) for other in others if not newcomer.apart & other.refs]
    candidates = [each for each in found if each.keys]
    match candidates:
        case []:
            return Nobody()
        case [one] if not _contradicts(newcomer, one.party):
            return one
        case _:
            return Ambiguous(tuple(sorted(candidates, key=lambda each: each.party.main_ref)))


def _shared(newcomer: Party, other: Party, rules: LinkRules) -> Linked:
    order = {kind: position for position, kind in enumerate(rules.link_by)}
    keys = sorted(newcomer.keys & other.keys, key=lambda key: (order[key[0]], key[1]))
    return Linked(other, keys[0][0] if keys else "", tuple(keys))


def _contradicts(newcomer: Party, other: Party) -> bool:
    ours, theirs = _externals(newcomer), _externals(other)
    return bool(newcomer.connections & other.connections) or bool(ours and theirs and not ours & theirs)


def _externals(party: Party) -> frozenset[Key]:
    return frozenset(key for key in party.keys if key[0] == IdentityKind.EXTERNAL)


def split(edges: Mapping[int, tuple[int, int]], cut: int, refs: Iterable[int]) -> frozenset[int]:
    """Who leaves a party when the merge `cut` is undone.

    `edges` are the party's merges, each between two of its customers. They form a tree, so each customer,
    even one that came later, goes with those that they were linked to.
    """
    _, start = edges[cut]
    reached, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for number, pair in edges.items():
            if number != cut and here in pair:
                there = pair[0] if pair[1] == here else pair[1]
                if there not in reached:
                    reached.add(there)
                    waiting.append(there)
    return frozenset(reached) & frozenset(refs)


def may_link(address: Address, mark: Mark, rules: LinkRules) -> Key | None:
    """What this address links by; `None` unless it is proven, of a chosen kind, not known to be shared."""
    connection, kind, _ = address
    if mark.normal is None or kind not in rules.link_by:
        return None
    if not mark.verified and connection not in rules.trust:
        return None
    if any(fnmatchcase(mark.normal, pattern) for pattern in rules.never):
        return None
    return (kind, mark.normal)


def addresses(record: CustomerRecord, connection: str, rules: LinkRules) -> dict[Address, Mark]:
    """The addresses that a record names, those in `rules.ids` included; the vendor's own id is verified."""
    told = [(str(each.kind), each.value, each.verified) for each in record.identities]
    told += [(IdentityKind.EXTERNAL.value, *each) for each in _ids(record, rules.ids.get(connection, ()))]
    found: dict[Address, Mark] = {}
    for kind, value, verified in told:
        address = (connection, kind, value)
        before = found.get(address)
        found[address] = Mark(
            normalise(kind, value, rules.region), verified or (before is not None and before.verified)
        )
    return found


def _ids(record: CustomerRecord, places: Sequence[str]) -> Iterable[tuple[str, bool]]:
    attributes: Mapping[str, Any] = {} if record.attributes is UNSET else record.attributes
    for place in places:
        if place == RECORD_ID:
            yield record.id, True
        else:
            value = attributes.get(place.removeprefix(ATTRIBUTE))
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
                yield str(value), False


@lru_cache(maxsize=8192)
def normalise(kind: str, value: str, region: str | None) -> str | None:
    """An address in the one way that all its spellings have in common; `None` for what can't be compared.

    E-mail: trimmed, case folded, the domain in IDNA; nothing else, for what a provider ignores is its own
    affair. Phone: E.164, of valid numbers without an extension. Ids: trimmed.
    """
    match kind:
        case "email":
            return _email(value)
        case "phone":
            return _phone(value, region)
        case "external":
            return value.strip() or None
        case _:
            return None


def _email(value: str) -> str | None:
    name, _, domain = unicodedata.normalize("NFC", value.strip()).rpartition("@")
    try:
        ascii_domain = domain.casefold().encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not name or "@" in name or "." not in ascii_domain or any(sign.isspace() for sign in value.strip()):
        return None
    return f"{name.casefold()}@{ascii_domain}"


def _phone(value: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(value, region)
    except NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
