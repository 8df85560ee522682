"""Vendors that keep a value in a form of their own, and show that: it must not go on for ever."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.model import ConversationRecord
from config.fields import SharedFields
from sync import cases, fields, writing
from sync.cases import CaseRecord
from sync.fields import FieldRules, News

START = datetime(2026, 1, 2, tzinfo=UTC)
RULES: FieldRules = fields.field_rules(
    SharedFields.model_validate(
        {"conversation": {"attributes.size": {"merge": "newest"}, "tags": {"merge": "union"}}}
    ).conversation,
    lambda _: frozenset({"crm", "shop"}),
)
numbers = itertools.count(1)
FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "a number against a text": (str, lambda value: int(value) if str(value).isdigit() else value),
    "shouting against whispering": (lambda value: str(value).upper(), lambda value: str(value).lower()),
    "one cuts short": (lambda value: str(value)[:3], str),
}


class Side:
    """A vendor that stores attributes and tags in its own form, and shows what it has stored."""

    def __init__(self, case: CaseRecord, form: Callable[[Any], Any]) -> None:
        self.case, self.form = case, form
        self.values: dict[str, Any] = {}
        self.tags: list[str] = []
        self.writes = 0

    def edit(self, **values: Any) -> None:
        """A person edits; we are told."""
        self.values |= values
        self._told()

    def tag(self, *tags: str) -> None:
        """A person sets the tags; we are told."""
        self.tags = list(tags)
        self._told()

    def _told(self) -> None:
        record = self.record()
        cases.apply(self.case, record)
        fields.hear(self.case, RULES, news())

    def record(self) -> ConversationRecord:
        """As it shows itself; time goes on."""
        at = START + timedelta(seconds=next(numbers))
        return ConversationRecord(
            id=self.case.id, attributes=dict(self.values), tags=tuple(self.tags), updated_at=at
        )

    def write(self) -> None:
        """Bring it up to date as `CaseWriter` does: read, write, read."""
        before = self.record()
        cases.apply(self.case, before)
        fields.hear(self.case, RULES, news())
        wanted = writing.begin(self.case, RULES)
        if not wanted:
            return
        self.writes += 1
        if "attributes.size" in wanted:
            self.values["size"] = self.form(wanted["attributes.size"])
        if "tags" in wanted:
            self.tags = sorted({self.form(tag) for tag in wanted["tags"]})
        after = self.record()
        was, now = (writing.Shown(cases.shown(self.case, each), RULES) for each in (before, after))
        assert writing.ignored(self.case, wanted, before=was, after=now) == []
        writing.confirm(self.case, wanted, now=START, after=now)
        cases.apply(self.case, after)
        fields.hear(self.case, RULES, news())


def news() -> News:
    """An occasion."""
    return News(at=START, now=START, new_ref=lambda: next(numbers))


def two(form: Callable[[Any], Any], other: Callable[[Any], Any]) -> tuple[Side, Side]:
    """Two linked conversations at vendors of these forms."""
    one, two = (
        CaseRecord(ref=ref, main_ref=ref, connection=name, id=f"con-{ref}")
        for ref, name in ((1, "crm"), (2, "shop"))
    )
    cases.link(one, two)
    fields.hear(one, RULES, news())
    return Side(one, form), Side(two, other)


def settle(*sides: Side) -> int:
    """Write what is behind until nothing is; how many writes that took."""
    before = sum(side.writes for side in sides)
    for _ in range(30):
        behind = [side for side in sides if fields.to_write(side.case, RULES)]
        if not behind:
            return sum(side.writes for side in sides) - before
        for side in behind:
            side.write()
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("form", FORMS)
def test_two_forms_of_a_value_come_to_rest(form: str) -> None:
    """Each side keeps its own; nothing is written any more, also when all is told again."""
    crm, shop = two(*FORMS[form])
    for value in ("12", "3456", "12"):
        crm.edit(size=value)
        settle(crm, shop)
        there, here = crm.values["size"], shop.values["size"]
        assert here == shop.form(there) or there == crm.form(here)
        for side in (crm, shop, crm):
            side.edit()
        assert settle(crm, shop) == 0
    crm.tag("Vip", "late")
    settle(crm, shop)
    for side in (crm, shop, crm):
        side.edit()
    assert settle(crm, shop) == 0


@pytest.mark.parametrize("form", FORMS)
def test_edits_after_that_still_reach_the_other_side(form: str) -> None:
    """A form is no edit, an edit is no form: whoever edits, the other shows it in its own form."""
    crm, shop = two(*FORMS[form])
    crm.edit(size="77")
    settle(crm, shop)
    for number, side in enumerate((crm, shop, shop, crm, crm, shop)):
        value = side.form(f"{100 + number}x")
        side.edit(size=value)
        settle(crm, shop)
        other = shop if side is crm else crm
        assert str(other.values["size"]).lower()[:3] == str(value).lower()[:3]
        assert str(side.values["size"]).lower()[:3] == str(value).lower()[:3]


def test_an_edit_back_to_what_it_was_is_an_edit() -> None:
    """A person who sets again and again what we had overwritten is no vendor with a form of its own."""
    crm, shop = two(lambda value: value, lambda value: value)
    for _ in range(4):
        crm.edit(size="open")
        settle(crm, shop)
        assert shop.values["size"] == "open"
        shop.edit(size="waiting")
        settle(crm, shop)
        assert crm.values["size"] == "waiting"
