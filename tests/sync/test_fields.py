"""Keeping fields equal: webhooks may be lost, doubled or late, and writes may fail; it ends equal."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from adapters.model import CustomerRecord
from config.fields import SharedFields
from sync import fields, writing
from sync.copies import Closed, Copy, Opened
from sync.identity import LinkRules
from sync.merge import Version, canonical, same
from sync.mirror import apply_customer
from sync.people import new_customer

START = datetime(2026, 1, 2, tzinfo=UTC)
SIDES = ("crm", "erp", "shop")
RULES = fields.field_rules(
    SharedFields.model_validate(
        {
            "customer": {
                "name": {"owner": "crm"},
                "attributes.city": {"merge": "newest"},
                "attributes.labels": {"merge": "union"},
                "attributes.stage": {"merge": "lattice", "order": ["lead", "trial", "paying"]},
                "attributes.notes": {"merge": "append"},
                "attributes.tier": {"owner": "erp", "direction": "out"},
                "attributes.vip": {"merge": "ask"},
                "attributes.local": {"merge": "newest", "connections": ["crm", "shop"]},
            }
        }
    ).customer,
    lambda _: frozenset(SIDES),
)
SHARED = tuple(name for name in RULES.listed if name != "attributes.local")
PLAIN = ("attributes.city", "attributes.vip", "attributes.tier", "attributes.local")
few = st.sampled_from(["a", "b", "c", None])


class Vendor(Struct):
    """One side: a record with revisions, which refuses a write that knows an older one."""

    name: str
    values: dict[str, Any]
    revision: int = 0
    changed_at: datetime = START

    def edit(self, values: dict[str, Any], at: datetime) -> bool:
        """Change the record; whether that made a difference."""
        new = {**self.values, **values}
        if same(new, self.values):
            return False
        self.values = {name: value for name, value in new.items() if value is not None}
        self.revision += 1
        self.changed_at = at
        return True

    def record(self) -> CustomerRecord:
        """The record as a webhook tells it."""
        return CustomerRecord(
            id=f"{self.name}-1",
            name=self.values.get("name", ""),
            attributes={
                name.removeprefix("attributes."): value
                for name, value in self.values.items()
                if name != "name"
            },
            updated_at=self.changed_at,
            revision=self.revision,
        )


class Write(Struct):
    """A write under way."""

    side: str
    values: dict[str, Any]
    revision: int


class Mirrored(RuleBasedStateMachine):
    """One customer at three connections; whatever hypothesis thinks of, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.refs = itertools.count(1)
        self.now = START
        self.sides = {name: Vendor(name, {}) for name in SIDES}
        self.webhooks: list[tuple[str, CustomerRecord]] = []
        self.ever: list[tuple[str, CustomerRecord]] = []
        self.writes: dict[str, Write] = {}
        self.open: set[int] = set()
        self.people = {
            name: new_customer(number, (name, f"{name}-1"), at=START)
            for number, name in enumerate(SIDES, start=1)
        }
        for person in self.people.values():
            person.main_ref = 1
            person.kin = [each for each in self.people.values() if each is not person]

    def tick(self) -> datetime:
        """A second later."""
        self.now += timedelta(seconds=1)
        return self.now

    def stored(self) -> None:
        """What a transaction's end does: all goes through JSON, conflicts are counted."""
        for person in self.people.values():
            for change in person.conflicts:
                if isinstance(change, Opened):
                    self.open.add(change.ref)
                elif isinstance(change, Closed):
                    self.open.remove(change.ref)
            person.conflicts.clear()
            person.shared = msgspec.convert(msgspec.to_builtins(person.shared), dict[str, Copy])
            person.golden = msgspec.convert(msgspec.to_builtins(person.golden), dict[str, Version])
            person.dirty = False

    def hear(self, side: str, record: CustomerRecord) -> None:
        """Let the engine hear of a record."""
        self.ever.append((side, record))
        apply_customer(self.people[side], record, connection=side, rules=LinkRules())
        news = fields.News(at=self.now, now=self.now, new_ref=lambda: next(self.refs))
        fields.hear(self.people[side], RULES, news)
        self.stored()

    def edited(self, side: str, values: dict[str, Any]) -> None:
        """A person edits, and the vendor says so."""
        if self.sides[side].edit(values, self.tick()):
            self.webhooks.append((side, self.sides[side].record()))

    @rule(side=st.sampled_from(SIDES), name=st.sampled_from(PLAIN), value=few)
    def edit(self, side: str, name: str, value: str | None) -> None:
        """A person sets a field."""
        self.edited(side, {name: value})

    @rule(side=st.sampled_from(SIDES), value=st.sampled_from(["Mei", "Lin", "Mei Lin"]))
    def rename(self, side: str, value: str) -> None:
        """A person corrects the name."""
        self.edited(side, {"name": value})

    @rule(side=st.sampled_from(SIDES), value=st.sampled_from(["lead", "trial", "paying", None]))
    def move(self, side: str, value: str | None) -> None:
        """A person moves the stage."""
        self.edited(side, {"attributes.stage": value})

    @rule(side=st.sampled_from(SIDES), value=st.lists(st.sampled_from("abc"), unique=True, max_size=3))
    def label(self, side: str, value: list[str]) -> None:
        """A person sets the labels, in whatever order."""
        self.edited(side, {"attributes.labels": value or None})

    @rule(side=st.sampled_from(SIDES))
    def note(self, side: str) -> None:
        """A person adds a note."""
        notes = self.sides[side].values.get("attributes.notes", [])
        self.edited(side, {"attributes.notes": [*notes, f"{side} {self.now:%M:%S}"]})

    @rule(data=st.data(), fate=st.sampled_from(["once", "twice", "lost"]))
    def deliver(self, data: st.DataObject, fate: str) -> None:
        """Any webhook comes, or never does, or will come once more."""
        if not self.webhooks:
            return
        index = data.draw(st.integers(0, len(self.webhooks) - 1))
        side, record = self.webhooks[index] if fate == "twice" else self.webhooks.pop(index)
        if fate != "lost":
            self.hear(side, record)

    @rule(side=st.sampled_from(SIDES))
    def begin(self, side: str) -> None:
        """The engine begins to write to a side that is behind."""
        if side in self.writes:
            return
        person = self.people[side]
        if person.revision is None:
            self.hear(side, self.sides[side].record())
        wanted = writing.begin(person, RULES)
        self.stored()
        if wanted:
            self.writes[side] = Write(side, wanted, person.revision or 0)

    @rule(side=st.sampled_from(SIDES), fate=st.sampled_from(["works", "lost", "unknown", "late answer"]))
    def push(self, side: str, fate: str) -> None:
        """A write reaches the vendor, or doesn't, or its answer doesn't reach us."""
        write = self.writes.pop(side, None)
        if write is None or fate == "lost":
            return
        vendor = self.sides[side]
        if write.revision != vendor.revision:
            self.hear(side, vendor.record())
            return
        if vendor.edit(write.values, self.tick()):
            self.webhooks.append((side, vendor.record()))
        answer, revision = vendor.record(), vendor.revision
        if fate == "late answer":  # somebody edits at once, and their webhook overtakes the answer
            self.edited(side, {"attributes.city": f"after {self.now:%M:%S}"})
            self.hear(side, vendor.record())
        if fate == "unknown":
            self.hear(side, vendor.record())
            return
        person = self.people[side]
        writing.confirm(person, write.values, now=self.now, overtaken=revision < (person.revision or 0))
        self.hear(side, answer)

    @invariant()
    def conflicts_are_known(self) -> None:
        """What is disputed at a replica is an open conflict, and the other way round."""
        disputed = {
            copy.dispute.ref
            for person in self.people.values()
            for copy in person.shared.values()
            if copy.dispute
        }
        assert disputed == self.open

    def teardown(self) -> None:
        """Faults stop: every record is told once more, writes work, and soon nothing is left to write."""
        for side in SIDES:
            self.hear(side, self.sides[side].record())
        for _ in range(12):
            behind = [person.vendor_address[0] for person in fields.behind(self.people["crm"], RULES)]
            if not behind:
                break
            for side in behind:
                self.begin(side)
                self.push(side, "works")
            while self.webhooks:
                self.hear(*self.webhooks.pop(0))
        assert fields.behind(self.people["crm"], RULES) == []
        self.all_comes_again()
        for name in SHARED:
            if not fields.is_disputed(self.people["crm"], name):
                rule_of = RULES.listed[name]
                held = [canonical(rule_of, each.values.get(name)) for each in self.sides.values()]
                assert all(same(value, held[0]) for value in held), (name, held)

    def all_comes_again(self) -> None:
        """Every report there ever was comes once more, late: it changes nothing and has nothing written."""
        before = {name: dict(person.golden) for name, person in self.people.items()}
        for side, record in list(self.ever):
            self.hear(side, record)
        assert {name: person.golden for name, person in self.people.items()} == before
        assert fields.behind(self.people["crm"], RULES) == []


def test_a_conflict_ends_when_ours_is_again_what_theirs_was_edited_from() -> None:
    """Nothing is left to decide then; and whatever is told again decides nothing else."""
    machine = Mirrored()
    for side, value in (("crm", "lead"), ("erp", "trial")):
        machine.edited(side, {"attributes.stage": value})
        machine.hear(*machine.webhooks.pop())
    machine.edited("crm", {"attributes.stage": None})
    machine.hear(*machine.webhooks.pop())
    assert fields.is_disputed(machine.people["crm"], "attributes.stage")
    machine.edited("erp", {"attributes.stage": "lead"})
    machine.hear(*machine.webhooks.pop())
    assert not fields.is_disputed(machine.people["crm"], "attributes.stage")
    machine.teardown()
    assert [each.values.get("attributes.stage") for each in machine.sides.values()] == [None, None, None]


def test_our_write_told_back_is_no_edit_though_a_newer_edit_waits() -> None:
    """Its answer was lost, and it bears the vendor's time of a moment ago: it must not win all the same."""
    machine = Mirrored()
    for side in SIDES:
        machine.hear(side, machine.sides[side].record())
    machine.edited("shop", {"attributes.city": "Oslo"})
    machine.hear(*machine.webhooks.pop())
    written = writing.begin(machine.people["crm"], RULES)
    assert written == {"attributes.city": "Oslo"}
    machine.edited("shop", {"attributes.city": "Bergen"})
    machine.hear(*machine.webhooks.pop())
    assert machine.sides["crm"].edit(written, machine.tick())
    machine.hear("crm", machine.sides["crm"].record())
    assert fields.golden(machine.people["crm"], "attributes.city").value == "Bergen"
    assert fields.to_write(machine.people["crm"], RULES) == {"attributes.city": "Bergen"}


TestMirrored = Mirrored.TestCase
TestMirrored.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
