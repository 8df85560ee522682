"""Who is who: addresses in one spelling, who is linked, and what undoing leaves."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.model import CustomerRecord, Identity, IdentityKind
from sync.identity import LinkRules, State, normalise, split
from sync.mirror import apply_customer
from sync.people import Cause, People, new_customer
from sync.thread import CustomerState

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CAUSE = Cause(at=NOON, event_ref=None)
CONNECTIONS = ("shop", "crm", "mail", "app")
RULES = LinkRules(link_by=("external", "email", "phone"), region="CN", never=("info@*",))

Told = tuple[str, CustomerRecord]


class Town:
    """Customers as they arrive, each linked by what it brings."""

    def __init__(self, rules: LinkRules = RULES) -> None:
        self.people = People(rules)
        self.customers: dict[tuple[str, str], CustomerState] = {}
        self._refs = count(1)

    def tell(self, *told: Told) -> "Town":
        """Records come in, one after the other."""
        for home, record in told:
            address = (home, record.id)
            customer = self.customers.get(address)
            if customer is None:
                customer = self.customers[address] = new_customer(next(self._refs), address, at=NOON)
                self.people.add(customer)
            apply_customer(customer, record, connection=home, rules=self.people.rules)
            self.people.link(customer, CAUSE)
        return self

    def parties(self) -> set[frozenset[tuple[str, str]]]:
        """Who is one person."""
        mains = {customer.main_ref for customer in self.customers.values()}
        return {
            frozenset(a for a, customer in self.customers.items() if customer.main_ref == main)
            for main in mains
        }

    def states(self) -> list[State]:
        """What became of each pair that was looked at."""
        return [merge.state for merge in self.people.merges]


def record(name: str, *addresses: Identity) -> CustomerRecord:
    """A record with these addresses."""
    return CustomerRecord(id=name, identities=addresses)


def email(value: str, *, verified: bool = True) -> Identity:
    """An e-mail address."""
    return Identity(IdentityKind.EMAIL, value, verified)


def phone(value: str, *, verified: bool = True) -> Identity:
    """A phone number."""
    return Identity(IdentityKind.PHONE, value, verified)


def external(value: str, *, verified: bool = True) -> Identity:
    """An id of the shop's own."""
    return Identity(IdentityKind.EXTERNAL, value, verified)


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("email", " Ann.Lee+x@Example.COM ", "ann.lee+x@example.com"),
        ("email", "li@bücher.example", "li@xn--bcher-kva.example"),
        ("email", "li@例子.测试", "li@xn--fsqu00a.xn--0zwm56d"),
        ("email", "nobody", None),
        ("email", "a b@example.com", None),
        ("email", "a@b@example.com", None),
        ("email", "li@localhost", None),
        ("email", f"li@{'x' * 70}.example", None),
        ("phone", "138 0013 8000", "+8613800138000"),
        ("phone", "+86 138-0013-8000", "+8613800138000"),
        ("phone", "１３８００１３８０００", "+8613800138000"),
        ("phone", "+1 (415) 555-2671", "+14155552671"),
        ("phone", "+1 415 555 2671 ext. 12", None),
        ("phone", "12345", None),
        ("phone", "call me", None),
        ("external", " 88213 ", "88213"),
        ("external", "  ", None),
        ("vendor", "412", None),
    ],
)
def test_spellings_of_one_address_are_equal(kind: str, value: str, normal: str | None) -> None:
    """What can't be compared has no spelling at all, so it links nobody."""
    assert normalise(kind, value, "CN") == normal


def test_without_a_region_a_bare_number_is_no_number() -> None:
    """A number could be anyone's in another country."""
    assert normalise("phone", "13800138000", None) is None


@pytest.mark.parametrize(
    "addresses",
    [
        (email("Ann@example.com"), email("ann@EXAMPLE.com")),
        (phone("13800138000"), phone("+86 138 0013 8000")),
        (external("88213"), external("88213")),
    ],
)
def test_verified_addresses_link_over_connections(addresses: tuple[Identity, Identity]) -> None:
    """One person at two connections is one customer."""
    town = Town().tell(("shop", record("a", addresses[0])), ("crm", record("b", addresses[1])))
    assert town.parties() == {frozenset({("shop", "a"), ("crm", "b")})}
    (merge,) = town.people.merges
    assert (merge.rule, merge.kept_ref, merge.gone_ref) == (addresses[0].kind, 1, 2)
    assert merge.evidence[0]["kind"] == addresses[0].kind


@pytest.mark.parametrize("verified", [(False, True), (True, False), (False, False)])
def test_an_unverified_address_links_nobody(verified: tuple[bool, bool]) -> None:
    """Whoever types another's address into a chat doesn't become them."""
    town = Town().tell(
        ("shop", record("a", email("ann@example.com", verified=verified[0]))),
        ("crm", record("b", email("ann@example.com", verified=verified[1]))),
    )
    assert len(town.parties()) == 2
    assert town.states() == []


def test_a_trusted_connection_vouches_for_its_addresses() -> None:
    """What the CRM says is believed without the vendor's word."""
    rules = LinkRules(link_by=("email",), trust=frozenset({"crm"}))
    town = Town(rules).tell(
        ("shop", record("a", email("ann@example.com"))),
        ("crm", record("b", email("ann@example.com", verified=False))),
    )
    assert len(town.parties()) == 1


def test_an_address_that_is_verified_later_links_then() -> None:
    """The vendor's proof may come after the customer."""
    town = Town().tell(
        ("crm", record("b", email("ann@example.com"))),
        ("shop", record("a", email("ann@example.com", verified=False))),
    )
    assert len(town.parties()) == 2
    assert len(town.tell(("shop", record("a", email("ann@example.com")))).parties()) == 1


def test_two_candidates_are_suggested_and_not_guessed() -> None:
    """The id says one person, the address another."""
    town = Town().tell(
        ("shop", record("a", external("1"))),
        ("mail", record("b", email("ann@example.com"))),
        ("crm", record("c", external("1"), email("ann@example.com"))),
    )
    assert len(town.parties()) == 3
    assert town.states() == [State.SUGGESTED, State.SUGGESTED]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("shop", record("a", email("x@example.com"))), ("shop", record("b", email("x@example.com")))),
        (
            ("shop", record("a", email("x@example.com"), external("1"))),
            ("crm", record("b", email("x@example.com"), external("2"))),
        ),
    ],
    ids=["two records at one connection", "two ids of yours"],
)
def test_what_contradicts_is_suggested(first: Told, second: Told) -> None:
    """A family's address doesn't make one person of them."""
    town = Town().tell(first, second)
    assert len(town.parties()) == 2
    assert town.states() == [State.SUGGESTED]


def test_shared_addresses_link_nobody() -> None:
    """Everyone at the office reads info@."""
    town = Town().tell(
        ("shop", record("a", email("info@example.com"))), ("crm", record("b", email("INFO@example.com")))
    )
    assert town.states() == []


def test_an_address_given_up_links_no_more() -> None:
    """A number that somebody else has now doesn't bring them together."""
    town = Town().tell(
        ("shop", record("a", phone("13800138000"))),
        ("shop", record("a", phone("13900139000"))),
        ("crm", record("b", phone("13800138000"))),
    )
    assert len(town.parties()) == 2
    assert ("shop", "phone", "13800138000") in town.customers["shop", "a"].addresses


def test_ids_named_in_the_settings_link() -> None:
    """The CRM's own record id is what the shop calls its customer."""
    rules = LinkRules(
        link_by=("external",), ids={"crm": ("id",), "app": ("attributes.no",)}, trust=frozenset({"app"})
    )
    town = Town(rules).tell(
        ("shop", record("a", external("88213"))),
        ("crm", CustomerRecord(id="88213")),
        ("app", CustomerRecord(id="z", attributes={"no": 88213})),
    )
    assert len(town.parties()) == 1


def test_the_vendor_merges_its_own_records() -> None:
    """Two records at one connection become one person when their vendor says so."""
    town = Town().tell(("shop", record("a")), ("shop", record("b")))
    town.people.vendor_merged(town.customers["shop", "a"], town.customers["shop", "b"], CAUSE)
    assert len(town.parties()) == 1
    assert town.people.merges[0].rule == "vendor"


_VALUES = st.integers(0, 3)
_ADDRESS = st.builds(
    lambda kind, number, verified: {
        "email": email(f"p{number}@example.com", verified=verified),
        "phone": phone(f"1380013800{number}", verified=verified),
        "external": external(str(number), verified=verified),
    }[kind],
    st.sampled_from(("email", "phone", "external")),
    _VALUES,
    st.sampled_from((True, True, True, False)),
)
_TOLD = st.builds(
    lambda home, number, addresses: (home, record(f"r{number}", *addresses)),
    st.sampled_from(CONNECTIONS),
    st.integers(0, 40),
    st.lists(_ADDRESS, min_size=1, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_TOLD, max_size=7, unique_by=lambda told: (told[0], told[1].id)).flatmap(
        lambda told: st.tuples(st.just(told), st.permutations(told))
    )
)
def test_the_order_of_arrival_changes_nobody_who_is_linked(orders: tuple[list[Told], list[Told]]) -> None:
    """Where nothing had to be asked, the same people are one, whoever came first."""
    one, other = (Town().tell(*order) for order in orders)
    if State.SUGGESTED not in one.states() + other.states():
        assert one.parties() == other.parties()


@settings(max_examples=200, deadline=None)
@given(st.lists(_TOLD, max_size=8, unique_by=lambda told: (told[0], told[1].id)))
def test_only_shared_verified_addresses_link(told: list[Told]) -> None:
    """Every merge rests on an address that both sides have proven."""
    town = Town().tell(*told)
    proven = {
        (town.customers[home, each.id].ref, str(i.kind), normalise(i.kind, i.value, "CN"))
        for home, each in told
        for i in each.identities
        if i.verified
    }
    for merge in town.people.merges:
        for item in merge.evidence:
            holders = {ref for ref, *key in proven if key == [item["kind"], item["value"]]}
            assert len(holders) >= 2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14), st.data())
def test_undoing_a_merge_restores_who_was_one_before(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Without the undone one, the other merges make the same people."""
    edges: dict[int, tuple[int, int]] = {}
    for number, pair in enumerate(pairs):
        if pair[1] not in _reached(edges, pair[0]):
            edges[number] = pair
    if not edges:
        return
    cut = data.draw(st.sampled_from(sorted(edges)))
    party = _reached(edges, edges[cut][0])
    gone = split(edges, cut, party)
    rest = {number: pair for number, pair in edges.items() if number != cut}
    assert gone == _reached(rest, edges[cut][1])
    assert party - gone == _reached(rest, edges[cut][0])


def _reached(edges: dict[int, tuple[int, int]], start: int) -> set[int]:
    found = {start}
    while True:
        more = {ref for pair in edges.values() if found & set(pair) for ref in pair} - found
        if not more:
            return found
        found |= more
