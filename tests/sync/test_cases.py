"""Cases: linking, unlinking and hearing conversations that are one matter. Pure."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.model import ConversationRecord, Status
from config.fields import STATUSES, SharedFields
from sync import cases, fields, writing
from sync.cases import CaseRecord, RefusedLinkError
from sync.copies import Closed, Opened
from sync.fields import FieldRules, News

START = datetime(2026, 1, 2, tzinfo=UTC)
SIDES = ("crm", "erp", "shop")
UNION_AND_LATTICE = {
    "tags": {"merge": "union"},
    "status": {"merge": "lattice", "order": ["pending", "open", "snoozed", "resolved"]},
}


def rules(conversation: dict[str, Any]) -> FieldRules:
    """Rules for conversations at sides that can all be written to."""
    chosen = SharedFields.model_validate({"conversation": conversation})
    return fields.field_rules(chosen.conversation, lambda _: frozenset(SIDES))


RULES = rules(UNION_AND_LATTICE)
numbers = itertools.count(100)


def news(at: datetime = START) -> News:
    """An occasion."""
    return News(at=at, now=at, new_ref=lambda: next(numbers))


def record(ref: int, *tags: str, status: str = "pending") -> CaseRecord:
    """An unlinked conversation; its connection goes by its ref."""
    return CaseRecord(
        ref=ref, main_ref=ref, connection=SIDES[ref - 1], id=f"con-{ref}", status=status, tags=sorted(tags)
    )


def linked(*records: CaseRecord, by: FieldRules = RULES) -> CaseRecord:
    """These as one case, brought up to date; the first of them."""
    first, *others = records
    for other in others:
        cases.link(first, other)
    fields.hear(first, by, news())
    write(first, by)
    return first


def write(case: CaseRecord, by: FieldRules = RULES) -> int:
    """Write what is behind until nothing is; how many writes that took."""
    count = 0
    while behind := fields.behind(case, by):
        count += 1
        writing.confirm(behind[0], writing.begin(behind[0], by), now=START)
        assert count < 10, "it never ends"
    return count


def held(case: CaseRecord) -> list[tuple[str, list[str]]]:
    """What each of the case holds."""
    return [(each.status, each.tags) for each in case.everyone]


def test_the_statuses_that_can_be_ordered_are_those_that_can_be_set() -> None:
    """The configuration knows them without knowing the adapters."""
    assert set(STATUSES) == {status.value for status in Status} - {"unknown"}


def test_linked_records_come_to_hold_the_same() -> None:
    """Nothing that either has is lost; the higher status wins."""
    case = linked(record(1, "a"), record(2, "b", status="resolved"), record(3))
    assert held(case) == [("resolved", ["a", "b"])] * 3


tags = st.lists(st.sampled_from("abc"), unique=True)
edits = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(STATUSES), tags), max_size=8)


@given(edits)
def test_whatever_is_edited_where_it_ends_equal_and_quiet(said: list[tuple[int, str, list[str]]]) -> None:
    """Each edit is heard of; then writes bring all to the same, and their echoes cause none."""
    case = linked(record(1), record(2), record(3))
    for step, (number, status, named) in enumerate(said, 1):
        at = START + timedelta(seconds=step)
        told = ConversationRecord(id="con", status=Status(status), tags=tuple(named), updated_at=at)
        side = case.everyone[number]
        assert cases.apply(side, told)
        fields.hear(side, RULES, news(at))
    write(case)
    assert len({str(each) for each in held(case)}) == 1
    for each in case.everyone:
        fields.hear(each, RULES, news(START + timedelta(minutes=5)))
    assert write(case) == 0


def test_what_is_told_late_changes_nothing() -> None:
    """By the vendor's own time; a status that we don't know neither."""
    case = linked(record(1), record(2))
    later = ConversationRecord(id="con", status=Status.OPEN, updated_at=START + timedelta(seconds=2))
    assert cases.apply(case, later)
    assert not cases.apply(case, ConversationRecord(id="con", status=Status.RESOLVED, updated_at=START))
    assert cases.apply(case, ConversationRecord(id="con", status=Status.UNKNOWN))
    assert case.status == "open"


def test_a_second_conversation_at_one_connection_is_refused() -> None:
    """A case has one at each, so that it is plain which is whose twin."""
    one, again = record(1), record(1)
    again.ref = again.main_ref = 9
    with pytest.raises(RefusedLinkError, match="1 and 9 are both at crm"):
        cases.link(one, again)


def test_the_case_goes_on_without_the_one_that_bore_it() -> None:
    """Its values and what was agreed move on: nobody is written to, and later edits still reach the rest."""
    case = linked(record(1, "a"), record(2), record(3))
    two, three = case.kin
    assert cases.unlink(case, at=START) == [case]
    assert (two.main_ref, three.main_ref, two.everyone, case.everyone) == (2, 2, [two, three], [case])
    fields.hear(two, RULES, news())
    assert write(two) == 0
    two.tags = ["a", "z"]
    fields.hear(two, RULES, news())
    assert write(two) == 1
    assert (three.tags, case.tags) == (["a", "z"], ["a"])


def test_unlinking_the_second_to_last_ends_the_case_and_its_conflicts() -> None:
    """There is nobody left to disagree with."""
    ask = rules({"status": {"merge": "ask"}})
    one, two = record(1), record(2)
    linked(one, two, by=ask)
    one.status, two.status = "open", "resolved"
    fields.hear(one, ask, news())
    fields.hear(two, ask, news())
    (opened,) = [change for change in two.conflicts if isinstance(change, Opened)]
    assert fields.behind(one, ask) == []
    assert cases.unlink(one, at=START) == [one, two]
    assert [change.ref for change in two.conflicts if isinstance(change, Closed)] == [opened.ref]


def test_an_answer_that_an_edit_has_overtaken_hides_nothing() -> None:
    """They edited right after our write, and we heard of it first: their value is what they hold."""
    one, two = record(1), record(2)
    linked(one, two)
    edit = ConversationRecord(id="con", status=Status.OPEN, updated_at=START + timedelta(seconds=1))
    cases.apply(one, edit)
    fields.hear(one, RULES, news())
    written = writing.begin(two, RULES)
    assert written == {"status": "open"}
    again = ConversationRecord(id="con", status=Status.SNOOZED, updated_at=START + timedelta(seconds=3))
    cases.apply(two, again)
    fields.hear(two, RULES, news())
    answer = ConversationRecord(id="con", status=Status.OPEN, updated_at=START + timedelta(seconds=2))
    writing.confirm(two, written, now=START, overtaken=cases.is_late(two, answer))
    assert (two.status, two.shared["status"].held) == ("snoozed", "snoozed")
    write(one)
    assert held(one) == [("snoozed", [])] * 2


@pytest.mark.parametrize("refused", [True, False])
def test_what_was_refused_and_is_then_chosen_there_is_an_edit(*, refused: bool) -> None:
    """Where it may have worked it is what we wrote; where it was refused somebody has chosen it."""
    one, two = record(1), record(2)
    linked(one, two)
    one.status = "snoozed"
    fields.hear(one, RULES, news())
    written = writing.begin(two, RULES)
    if refused:
        writing.withdraw(two, written)
    one.status = "open"
    fields.hear(one, RULES, news())
    two.status = "snoozed"
    fields.hear(two, RULES, news())
    assert fields.golden(one, "status").value == ("snoozed" if refused else "open")
