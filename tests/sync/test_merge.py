"""Merging one field: who wins, what is kept, and what nobody can decide."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from sync.merge import (
    Conflict,
    Decision,
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

START = datetime(2026, 1, 2, tzinfo=UTC)
OWNED = Rule(merge=Merge.OWNER, owner="crm")
NEWEST = Rule(merge=Merge.NEWEST)
UNION = Rule(merge=Merge.UNION)
LATTICE = Rule(merge=Merge.LATTICE, order=("lead", "trial", "paying"))
APPEND = Rule(merge=Merge.APPEND)
ASK = Rule(merge=Merge.ASK)
RULES = (OWNED, NEWEST, UNION, LATTICE, APPEND, ASK)

words = st.sampled_from(["lead", "trial", "paying", "a", "b", "c"])
sets = st.lists(words, max_size=4)
moments = st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds))


def stamp(connection: str, seconds: int = 0, revision: int | None = None) -> Stamp:
    """An edit at a connection."""
    at = START + timedelta(seconds=seconds)
    return Stamp(connection=connection, record="1", at=at, revision=revision)


def crm(value: Any, seconds: int = 0, revision: int | None = None) -> Version:
    """What the CRM says."""
    return Version(value, stamp("crm", seconds, revision))


def shop(value: Any, seconds: int = 0, revision: int | None = None) -> Version:
    """What the shop's helpdesk says."""
    return Version(value, stamp("shop", seconds, revision))


def value(decision: Decision) -> Any:
    """The value that was settled on."""
    assert isinstance(decision, Merged), decision
    return decision.version.value


@st.composite
def versions(draw: st.DrawFn, connection: str, rule: Rule) -> Version:
    """Any version of a field under this rule."""
    values = sets if rule.merge in {Merge.UNION, Merge.APPEND} else words | st.none()
    written = Stamp(connection=connection, record="1", at=draw(moments))
    return Version(canonical(rule, draw(values)), written)


@st.composite
def edits(draw: st.DrawFn) -> tuple[Rule, Any, Version, Version]:
    """A rule, what was agreed, and what two connections say now."""
    rule = draw(st.sampled_from(RULES))
    base = draw(st.just(UNSET) | versions("erp", rule).map(lambda version: version.value))
    ours, theirs = draw(versions("crm", rule)), draw(versions("shop", rule))
    if rule.merge is Merge.APPEND:  # nobody takes away
        before = [] if base is UNSET else base or []
        ours, theirs = (Version(before + (each.value or []) or None, each.stamp) for each in (ours, theirs))
    return rule, base, ours, theirs


@given(edits())
def test_an_edit_on_one_side_is_taken(edit: tuple[Rule, Any, Version, Version]) -> None:
    """Whatever the rule: rules are for two edits. But what is only ever appended to loses nothing."""
    rule, _, ours, theirs = edit
    if rule.merge is not Merge.APPEND:
        assert same(value(decide(rule, base=ours.value, ours=ours, theirs=theirs)), theirs.value)
    assert same(value(decide(rule, base=theirs.value, ours=ours, theirs=theirs)), ours.value)


@given(edits())
def test_which_side_is_ours_makes_no_difference(edit: tuple[Rule, Any, Version, Version]) -> None:
    """But for the order of what both have appended."""
    rule, base, one, other = edit
    here = decide(rule, base=base, ours=one, theirs=other)
    there = decide(rule, base=base, ours=other, theirs=one)
    if rule.merge is Merge.APPEND:
        assert sorted(value(here) or []) == sorted(value(there) or [])
        return
    assert isinstance(here, Merged) == isinstance(there, Merged)
    if isinstance(here, Merged):
        assert same(value(here), value(there))


@given(edits())
def test_merging_again_changes_nothing(edit: tuple[Rule, Any, Version, Version]) -> None:
    """What was settled on, told once more, by either side, stays."""
    rule, base, ours, theirs = edit
    first = decide(rule, base=base, ours=ours, theirs=theirs)
    if isinstance(first, Merged):
        again = decide(rule, base=theirs.value, ours=first.version, theirs=theirs)
        assert same(value(again), first.version.value)


@given(edits())
def test_no_edit_is_lost_without_a_rule_that_says_so(edit: tuple[Rule, Any, Version, Version]) -> None:
    """Where a person is asked, both edits stand in the conflict; elsewhere one of them is settled on."""
    rule, base, ours, theirs = edit
    decision = decide(rule, base=base, ours=ours, theirs=theirs)
    if isinstance(decision, Conflict):
        assert (decision.ours, decision.theirs) == (ours, theirs)
    elif rule.merge is Merge.APPEND:
        joined = decision.version.value or []
        assert joined[: len(ours.value or [])] == (ours.value or [])
        assert set(joined) >= set(theirs.value or [])
    elif rule.merge is not Merge.UNION:
        assert any(same(decision.version.value, each.value) for each in (ours, theirs))


@given(sets, sets, sets)
def test_a_union_knows_who_added_and_who_removed(base: list[str], one: list[str], other: list[str]) -> None:
    """Kept is what either side added and what neither removed."""
    before, here, there = (canonical(UNION, items) for items in (base, one, other))
    united = set(value(decide(UNION, base=before, ours=crm(here), theirs=shop(there))) or [])
    old, mine, yours = set(base), set(one), set(other)
    assert united == (old & mine & yours) | (mine - old) | (yours - old)


def test_the_owner_wins() -> None:
    """Whichever side it is on, however old its edit."""
    assert value(decide(OWNED, base="a", ours=crm("b", 0), theirs=shop("c", 9))) == "b"
    assert value(decide(OWNED, base="a", ours=shop("c", 9), theirs=crm("b", 0))) == "b"


def test_two_edits_that_are_both_not_the_owners_are_a_conflict() -> None:
    """Neither has more right than the other."""
    theirs = Version("c", stamp("erp"))
    assert isinstance(decide(OWNED, base="a", ours=shop("b"), theirs=theirs), Conflict)


def test_revisions_of_one_record_beat_its_clock() -> None:
    """A vendor's clock may be set back between two edits."""
    older, newer = shop("b", 9, revision=4), shop("c", 0, revision=5)
    assert value(decide(NEWEST, base="a", ours=older, theirs=newer)) == "c"
    assert value(decide(NEWEST, base="a", ours=newer, theirs=older)) == "c"


def test_between_vendors_the_later_edit_is_the_newer_one() -> None:
    """Their revisions count different things."""
    assert (
        value(decide(NEWEST, base="a", ours=crm("b", 1, revision=99), theirs=shop("c", 2, revision=3))) == "c"
    )


def test_the_status_moves_up_when_two_move_it() -> None:
    """One who moves it alone may move it down."""
    assert value(decide(LATTICE, base="lead", ours=crm("trial"), theirs=shop("paying"))) == "paying"
    assert value(decide(LATTICE, base="paying", ours=crm("paying"), theirs=shop("lead"))) == "lead"
    assert isinstance(decide(LATTICE, base="lead", ours=crm("trial"), theirs=shop("lost")), Conflict)


def test_notes_are_only_added_to() -> None:
    """Lines of a text as well as lists; what one side lost comes back, what both added comes once."""
    assert value(decide(APPEND, base="a", ours=crm("a\nb\nx"), theirs=shop("x\nc"))) == "a\nb\nx\nc"
    assert value(decide(APPEND, base=["a", "b"], ours=crm(["a", "b"]), theirs=shop(["b"]))) == ["a", "b"]


@pytest.mark.parametrize("rule", [UNION, APPEND])
def test_what_is_no_list_is_not_merged_as_one(rule: Rule) -> None:
    """A number against a list: somebody has to look."""
    assert isinstance(decide(rule, base=["a"], ours=crm(["b"]), theirs=shop(7)), Conflict)


def test_having_no_value_yet_is_not_removing_it() -> None:
    """A record that is new to us, and empty, takes what we have."""
    assert value(decide(NEWEST, base=UNSET, ours=crm("gold", 0), theirs=shop(None, 9))) == "gold"
    assert value(decide(NEWEST, base="gold", ours=crm("gold", 0), theirs=shop(None, 9))) is None


def test_only_the_owners_edits_go_out() -> None:
    """An edit elsewhere changes nothing; the owner's does."""
    rule = Rule(merge=Merge.OWNER, owner="crm", direction=Direction.OUT)
    assert value(decide(rule, base="a", ours=crm("a"), theirs=shop("b"))) == "a"
    assert value(decide(rule, base="a", ours=crm("a"), theirs=crm("b"))) == "b"


@given(edits())
def test_hearing_of_what_we_hold_doesnt_change_its_author(edit: tuple[Rule, Any, Version, Version]) -> None:
    """An echo is nobody's edit: whoever wrote the value stays its author."""
    rule, base, ours, theirs = edit
    echo = Version(ours.value, theirs.stamp)
    for agreed in (base, ours.value):
        assert decide(rule, base=agreed, ours=ours, theirs=echo) == Merged(ours)


def test_truth_is_not_the_number_one() -> None:
    """JSON tells them apart, so do we."""
    assert not same(True, 1)  # noqa: FBT003 - the point
    assert not same({"a": [1]}, {"a": [True]})
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
