"""Conditions that can't work are refused with line, column and cure before they serve."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.policies import problem_with

from rules.condition import ConditionError, compile_condition
from rules.facts import VOCABULARY


def test_unknown_fact_is_refused_naming_line_column_and_the_one_meant() -> None:
    """A typing mistake never becomes a rule that silently doesn't act."""
    problem = problem_with("customer.vip || ai.faild_turns >= 3")
    assert str(problem) == ("p.yaml:5:23: there is no fact ai.faild_turns (did you mean ai.failed_turns?)")


@given(st.from_regex(r"[a-z]{3,12}\.[a-z]{3,12}", fullmatch=True))
def test_any_unknown_fact_is_refused(path: str) -> None:
    """Whatever it is called."""
    if path not in VOCABULARY:
        assert problem_with(f"{path} == 3").line == 5


@pytest.mark.parametrize(
    ("when", "reason", "cure"),
    [
        ("failed_turns > 3", "there is no fact failed_turns", "did you mean ai.failed_turns?"),
        ("customer", "customer is a group", "customer.vip"),
        ("ai.failed_turns.x > 1", "nothing is inside it", ""),
        ("ai.failed_turns", "neither true nor false", "compare it"),
        ("customer.vip && ai.turns", "`ai.turns` is neither", "compare it"),
        ("waiting > 15", "mixes things of different kinds", 'duration("15s")'),
        ("customer.vip && waiting > 15", "`waiting > 15` mixes", 'duration("15s")'),
        ("waiting == 15", "never the number 15", 'duration("15s")'),
        ("ai.turns == 'x'", "never the text 'x'", ""),
        ("conversation.channel == 'liv'", "never 'liv'", "did you mean live?"),
        ("conversation.channel in ['chat', 'liv']", "never 'liv'", "did you mean live?"),
        ("'asked' in turn.signals", "never 'asked'", "did you mean asked_for_person?"),
        ("lease.holder == 'robot'", "never 'robot'", "saas_agent"),
        ("now.hours() > 3", "there is no function hours", "getHours"),
        ("waiting > duration('1d')", "can't work", ""),
        ("message.text.matches('[')", "can't work", ""),
        ("ai.turns = 3", "can't be read", "write == to compare"),
        ("customer.vip and ai.turns > 1", "can't be read", "write && for and"),
        ("ai.turns >", "can't be read: mismatched input the end", "conditions are CEL"),
        ("customer.vip &&", "can't be read", "conditions are CEL"),
    ],
)
def test_condition_that_cannot_work_is_refused_with_a_cure(when: str, reason: str, cure: str) -> None:
    """Before it serves, not when the customer waits."""
    problem = problem_with(when)
    assert reason in problem.reason
    assert cure in problem.cure


@pytest.mark.parametrize(
    "when",
    [
        "ai.failed_turns >= 3",
        'customer.vip && waiting > duration("15s")',
        'has(customer.attributes.tier) && customer.attributes.tier == "gold"',
        'customer.attributes["tier"] == "gold"',
        'turn.signals.exists(s, s == "rephrased")',
        'turn.signals.exists(s, s == "rephrased" && size(s) > 1)',
        '"vip" in conversation.tags',
        'lease.holder in ["ai", "nobody"]',
        "now.getHours() >= 1 && now.getHours() < 13",
        "ai.turns > 0 && ai.confidence < 0.4",
        'message.text.matches("退款|refund")',
        "customer.vip ? ai.failed_turns > 0 : ai.failed_turns > 2",
        "ai.failed_turns * 100 / ai.turns > 50",
        "!(customer.vip || turn.did_not_help)",
        "ai.failed_turns > 2 // more than the average",
    ],
)
def test_condition_that_can_work_is_accepted(when: str) -> None:
    """The checks are strict, not narrow."""
    assert compile_condition(when).reads


def test_condition_names_the_facts_that_it_reads() -> None:
    """So that a decision can say on what it rests."""
    condition = compile_condition(
        'customer.vip && size(conversation.tags.filter(t, t == "x")) > 0 && customer.vip'
    )
    assert condition.reads == ("customer.vip", "conversation.tags")


@given(st.text(max_size=60))
def test_any_condition_compiles_or_is_refused(source: str) -> None:
    """Never a third thing."""
    with suppress(ConditionError):
        assert compile_condition(source).source == source
