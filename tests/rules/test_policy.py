"""Policies are refused with line, column and cure, or serve as they are written."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.policies import RULE, problems_of

from adapters.model import Origin, Status
from rules.engine import run_examples
from rules.policy import (
    Assign,
    Fallback,
    HandOff,
    Message,
    Note,
    Once,
    PolicyError,
    Priority,
    Receiver,
    Say,
    SetStatus,
    Side,
    Tag,
    load_policies,
    measures,
    parse_policy,
)

POLICIES = Path(__file__).parents[2] / "config" / "policies"


def test_default_policy_passes_its_own_examples() -> None:
    """What ships does what it says."""
    [policy] = load_policies(POLICIES)
    results = run_examples(policy)
    assert len(results) >= 8
    assert [result.example.name for result in results if not result.passed] == []


def test_default_policy_speaks_both_languages() -> None:
    """Every message is there in Chinese and English."""
    [policy] = load_policies(POLICIES)
    for key, message in policy.messages.items():
        assert "\u4e00" <= message.zh[0] <= "\u9fff", key
        assert message.en.isascii(), key


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", "好"),
        ("zh-Hant", "好"),
        ("ZH_cn", "好"),
        ("en", "ok"),
        ("en-GB", "ok"),
        ("de", "ok"),
        ("", "ok"),
    ],
)
def test_customer_reads_their_own_language(language: str, said: str) -> None:
    """Chinese in all its tags; English for everyone else."""
    assert Message(zh="好", en="ok").render(language) == said


def test_every_action_can_be_written() -> None:
    """The whole language of actions, long and short."""
    policy = parse_policy(
        """policy: all
rules:
  - name: everything
    when: customer.vip
    origins: [live, backfill]
    once: turn
    then:
      - hand_off: {to: saas, queue: q, priority: urgent, say: hello, reason: because}
      - hand_off: desk
      - say: hello
      - note: look here
      - tag: {add: [a], remove: [b]}
      - set_status: resolved
      - assign: {team: "12"}
messages:
  hello: {zh: 您好, en: Hello}
""",
        file="p.yaml",
    )
    [rule] = policy.rules
    assert rule.origins == (Origin.LIVE, Origin.BACKFILL)
    assert rule.once is Once.TURN
    assert rule.then == (
        HandOff(to=Side.SAAS, queue="q", priority=Priority.URGENT, say="hello", reason="because"),
        HandOff(to=Side.DESK),
        Say(message="hello"),
        Note(text="look here"),
        Tag(add=("a",), remove=("b",)),
        SetStatus(status=Status.RESOLVED),
        Assign(team="12"),
    )
    assert policy.message("hello", "zh-CN") == "您好"


def test_rule_acts_live_only_and_once_per_lease_unless_it_says_otherwise() -> None:
    """Promise 5 holds by default."""
    [rule] = parse_policy(RULE.format(when="customer.vip"), file="p.yaml").rules
    assert rule.origins == (Origin.LIVE,)
    assert rule.once is Once.LEASE


def test_revision_follows_the_text() -> None:
    """Another text is another revision; the same text is the same."""
    one, same, other = (
        parse_policy(RULE.format(when=when), file="p.yaml").revision
        for when in ("customer.vip", "customer.vip", "!customer.vip")
    )
    assert one == same != other
    assert len(one) == 12


MISTAKES = """policy: p
rulez: []
rules:
  - name: a
    when: ai.faild_turns >= 3
    then: [{hand_off: {to: dsk, queu: x, say: handoff.sory}}]
  - name: a
    when: >-
      customer.vip &&
      waiting > 15
    then:
      - hand_of: {to: desk}
      - tag: {add: vip}
      - say: nope
      - {note: a, say: b}
  - name: c
    when: "ai.turns = 3"
    then: []
  - then: [{assign: {team: 12}}, {set_status: resolvd}]
messages:
  handoff.sorry: {zh: 1, en: ok, fr: x}
  handoff.vip: {zh: 好}
verdicts: {silence_after: 4, weights: {rephrasd: 1, thanked: yes}}
examples:
  - name: x
    facts: {ai: {faild_turns: 3}, waiting: 1x, conversation: {channel: liv}}
    expect: [b]
"""


def test_every_problem_of_a_policy_is_listed_with_its_place() -> None:
    """One round of corrections, not twenty."""
    places = [(problem.line, problem.column) for problem in problems_of(MISTAKES)]
    assert places == [
        (2, 1), (5, 11), (6, 28), (6, 33), (6, 47), (7, 11), (10, 7), (12, 9), (13, 20), (14, 14), (15, 9),
        (17, 21), (18, 11), (19, 5), (19, 5), (19, 28), (19, 47), (21, 23), (21, 34), (22, 16),
        (23, 27), (23, 40), (23, 62), (26, 18), (26, 44), (26, 72), (27, 14),
    ]  # fmt: skip


def test_two_rules_of_one_name_are_refused() -> None:
    """A decision names its rule, so the name must be one rule's."""
    reasons = [problem.reason for problem in problems_of(MISTAKES)]
    assert "there are two rules named a" in reasons


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "- x",
        '"x"',
        "policy: &a [*a]",
        "? [a]\n: 1",
        "\0",
        "policy: p",
        "policy: p\npolicy: q\nrules: []",
        "policy: !!python/object:os.system x\nrules: []",
        "policy: p\nrules: &r\n  - *r",
        "policy: p\nrules: 3",
    ],
)
def test_text_that_is_no_policy_is_refused(text: str) -> None:
    """Nothing that an editor can save brings the loader down."""
    assert problems_of(text)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    """Likewise for anything else."""
    with pytest.raises(PolicyError):
        parse_policy(text, file="p.yaml")


def test_verdicts_section_sets_the_measures() -> None:
    """Weights and thresholds are the operator's."""
    policy = parse_policy(
        "policy: p\nrules: []\nverdicts: {silence_after: 1h30m, weights: {rephrased: 0.5}}\n", file="p.yaml"
    )
    set_by_policy = measures([policy])
    assert set_by_policy.silence_after.total_seconds() == 5400
    assert set_by_policy.weights.rephrased == 0.5
    assert set_by_policy.weights.did_not_help == 1.0


def test_folder_is_loaded_whole_or_refused_whole(tmp_path: Path) -> None:
    """Problems of all its files come together, and names are unique across them."""
    (tmp_path / "a.yaml").write_text("policy: same\nrules: []\nverdicts: {}\n")
    (tmp_path / "b.yaml").write_text("policy: same\nrules: []\nverdicts: {}\n")
    (tmp_path / "c.yaml").write_bytes(b"policy: \xff")
    (tmp_path / "d.yaml").write_text("policy: d\n")
    with pytest.raises(PolicyError) as refused:
        load_policies(tmp_path)
    reasons = " ".join(problem.reason for problem in refused.value.problems)
    assert "two policies named same" in reasons
    assert "`verdicts:` section too" in reasons
    assert "can't be read" in reasons
    assert "lacks `rules`" in reasons


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    """A gateway without rules would never hand off."""
    with pytest.raises(PolicyError, match="no policy here"):
        load_policies(tmp_path)


def test_example_that_expects_something_else_fails() -> None:
    """An example is a test, not a comment."""
    policy = parse_policy(
        RULE.format(when="customer.vip")
        + "examples: [{name: e, facts: {customer: {vip: true}}, expect: []}]\n",
        file="p.yaml",
    )
    [result] = run_examples(policy)
    assert not result.passed
    assert result.fired == ("r",)


OFFER = """policy: p
rules:
  - name: r
    when: "true"
    then:
      - hand_off: {offer}
messages:
  nobody: {{zh: 没有人, en: Nobody is free.}}
"""


def test_a_hand_off_says_what_happens_when_nobody_comes() -> None:
    """A chain of queues, each with its time, and in the end the AI."""
    chain = (
        "{to: desk, queue: a, accept_within: 60s, otherwise:"
        " {to: desk, queue: b, priority: urgent, accept_within: 2m, otherwise: {to: ai, say: nobody}}}"
    )
    [rule] = parse_policy(OFFER.format(offer=chain), file="p.yaml").rules
    last = Fallback(to=Receiver.AI, say="nobody")
    then = Fallback(
        to=Receiver.DESK,
        queue="b",
        priority=Priority.URGENT,
        accept_within=timedelta(minutes=2),
        otherwise=last,
    )
    assert rule.then == (
        HandOff(to=Side.DESK, queue="a", accept_within=timedelta(minutes=1), otherwise=then),
    )


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ("{to: desk, accept_within: 60s}", "nothing is said to happen after `accept_within`"),
        ("{to: desk, otherwise: {to: ai}}", "`otherwise` would never happen"),
        (
            "{to: desk, accept_within: 1m, otherwise: {to: ai, queue: x}}",
            "the AI takes it at once, from no queue",
        ),
        ("{to: desk, accept_within: 1m, otherwise: {to: ai, say: nobdy}}", "there is no message `nobdy`"),
        ("{to: desk, accept_within: soon, otherwise: {to: ai}}", "`accept_within` should be a duration"),
        ("{to: desk, accept_within: 1m, otherwise: {queue: x}}", "`otherwise` lacks `to`"),
        (
            "{to: desk, accept_within: 1m, otherwise: {to: desk, accept_within: 1m}}",
            "nothing is said to happen after `accept_within`",
        ),
    ],
)
def test_a_hand_off_that_leads_nowhere_is_refused(offer: str, reason: str) -> None:
    """With the place and a cure, before it serves."""
    [problem] = problems_of(OFFER.format(offer=offer))
    assert problem.reason == reason
    assert problem.line == 6
