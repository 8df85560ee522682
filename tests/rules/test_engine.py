"""Rules decide on facts alone, explain themselves, and never bring a conversation down."""

import timeit
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.model import Origin
from rules.engine import Decided, Decision, Fired, Why, decide
from rules.facts import (
    VOCABULARY,
    AiFacts,
    ConversationFacts,
    CustomerFacts,
    Facts,
    Holder,
    LeaseFacts,
    MessageFacts,
    TurnFacts,
    variables,
)
from rules.policy import HandOff, Note, Once, Policy, Rule, Side, load_policies

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
DEFAULT = load_policies(Path(__file__).parents[2] / "config" / "policies")
NOTE = Note(text="seen")
DESK = HandOff(to=Side.DESK)


def rule(when: str, *actions: Note | HandOff, name: str = "r", once: Once = Once.LEASE) -> Rule:
    """A rule for a test."""
    return Rule(name=name, when=when, then=actions or (NOTE,), once=once)


def policy(*rules: Rule) -> Policy:
    """A policy for a test."""
    return Policy(name="p", revision="1", rules=rules)


def acted(decided: Decided) -> list[str]:
    """The rules that acted."""
    return [decision.rule for decision in decided.decisions]


def test_third_failed_turn_hands_off_with_an_apology() -> None:
    """The contract of the default policy."""
    decided = decide(Facts(now=NOW, ai=AiFacts(failed_turns=3)), DEFAULT)
    [decision] = decided.decisions
    assert decision.rule == "three-failed-ai-turns"
    assert decision.revision == DEFAULT[0].revision
    assert decision.inputs == {"ai.failed_turns": 3}
    [action] = decision.actions
    assert isinstance(action, HandOff)
    assert action.to is Side.DESK
    assert action.say == "handoff.sorry"


def test_inputs_are_json_ready() -> None:
    """They are stored beside the decision."""
    facts = Facts(now=NOW, waiting=timedelta(seconds=16), customer=CustomerFacts(vip=True))
    [decision] = decide(facts, DEFAULT).decisions
    assert decision.inputs == {"customer.vip": True, "waiting": "PT16S"}


def test_attribute_that_is_not_there_is_an_input_of_none() -> None:
    """The explanation says so instead of leaving it out."""
    decided = decide(Facts(now=NOW), [policy(rule("!has(customer.attributes.tier)"))])
    assert decided.decisions[0].inputs == {"customer.attributes.tier": None}


@pytest.mark.parametrize("origin", [Origin.BACKFILL, Origin.REPLAY])
def test_history_never_acts(origin: Origin) -> None:
    """Promise 5."""
    assert decide(Facts(now=NOW, origin=origin, ai=AiFacts(failed_turns=9)), DEFAULT) == Decided()


def test_history_acts_where_a_rule_names_it() -> None:
    """… unless a rule says so by name."""
    named = Rule(name="r", when="true", then=(NOTE,), origins=(Origin.BACKFILL,))
    assert acted(decide(Facts(now=NOW, origin=Origin.BACKFILL), [policy(named)])) == ["r"]
    assert acted(decide(Facts(now=NOW), [policy(named)])) == []


@pytest.mark.parametrize(
    ("once", "turn", "epoch", "again"),
    [
        (Once.TURN, 4, 2, False),
        (Once.TURN, 5, 2, True),
        (Once.LEASE, 5, 2, False),
        (Once.LEASE, 5, 3, True),
        (Once.CONVERSATION, 5, 3, False),
    ],
)
def test_rule_acts_once(once: Once, turn: int, epoch: int, again: bool) -> None:  # noqa: FBT001
    """Per turn, per lease or per conversation, as it says."""
    facts = Facts(now=NOW, turn=TurnFacts(number=turn), lease=LeaseFacts(epoch=epoch))
    decided = decide(facts, [policy(rule("true", once=once))], fired=[Fired("p", "r", turn=4, epoch=2)])
    assert acted(decided) == (["r"] if again else [])


def test_another_rules_act_does_not_count() -> None:
    """Only its own."""
    fired = [Fired("p", "other", turn=0, epoch=0), Fired("q", "r", turn=0, epoch=0)]
    assert acted(decide(Facts(now=NOW), [policy(rule("true"))], fired=fired)) == ["r"]


def test_all_rules_that_hold_act_in_order_but_only_the_first_hand_off() -> None:
    """Two hand-offs at once would be two people."""
    rules = [rule("true", name="a"), rule("true", DESK, name="b"), rule("true", DESK, NOTE, name="c")]
    decided = decide(Facts(now=NOW), [policy(*rules, rule("true", name="d"))])
    assert acted(decided) == ["a", "b", "d"]
    [withheld] = decided.withheld
    assert (withheld.rule, withheld.why) == ("c", Why.HANDED_OFF_ALREADY)
    assert "b" in withheld.detail


@pytest.mark.parametrize("holder", [Holder.SAAS_AGENT, Holder.DESK_AGENT])
def test_nobody_is_taken_from_a_person(holder: Holder) -> None:
    """A person who has the conversation keeps it."""
    facts = Facts(now=NOW, turn=TurnFacts(asked_for_person=True), lease=LeaseFacts(holder=holder))
    decided = decide(facts, DEFAULT)
    assert decided.decisions == ()
    assert [item.why for item in decided.withheld] == [Why.WITH_A_PERSON]


def test_nobody_who_waits_in_a_queue_is_handed_off_again() -> None:
    """Asking twice makes one hand-off."""
    facts = Facts(
        now=NOW,
        turn=TurnFacts(asked_for_person=True),
        lease=LeaseFacts(holder=Holder.NOBODY),
        conversation=ConversationFacts(queue="general"),
    )
    assert decide(facts, DEFAULT).decisions == ()


@pytest.mark.parametrize(
    ("when", "detail"),
    [
        ('customer.attributes.tier == "gold"', "guard it with has"),
        ("1 / ai.turns > 0", "division by zero"),
        ("customer.attributes.n > 1", "there is no 'n'"),
        ("customer.attributes.text", "gave 'x' instead of true or false"),
        ("ai.nope > 1", "there is no fact"),
        ("not cel at all", "can't be read"),
    ],
)
def test_rule_that_cannot_be_evaluated_explains_itself_and_hinders_no_other(when: str, detail: str) -> None:
    """A poisoned rule is no poisoned conversation."""
    facts = Facts(now=NOW, customer=CustomerFacts(attributes={"text": "x"}))
    decided = decide(facts, [policy(rule(when, name="bad"), rule("true", name="good"))])
    assert acted(decided) == ["good"]
    [withheld] = decided.withheld
    assert (withheld.rule, withheld.why) == ("bad", Why.ERROR)
    assert detail in withheld.detail


def test_broken_text_costs_only_the_rules_that_read_it() -> None:
    """Half a surrogate pair from a vendor."""
    facts = Facts(now=NOW, message=MessageFacts(text="\ud83d"))
    rules = policy(rule('message.text == "x"', name="bad"), rule("ai.turns == 0", name="good"))
    decided = decide(facts, [rules])
    assert acted(decided) == ["good"]
    assert "message can't be read" in decided.withheld[0].detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
any_facts = st.builds(
    Facts,
    now=st.datetimes(timezones=st.just(UTC)),
    origin=st.sampled_from(Origin),
    waiting=st.timedeltas(),
    customer=st.builds(
        CustomerFacts,
        name=st.text(max_size=5),
        vip=st.booleans(),
        attributes=st.dictionaries(st.sampled_from(["tier", "n", "x"]), json_values, max_size=3),
    ),
    message=st.builds(MessageFacts, text=st.text(st.characters(), max_size=20), count=st.integers()),
    ai=st.builds(AiFacts, turns=st.integers(), failed_turns=st.integers(), confidence=st.floats()),
    lease=st.builds(LeaseFacts, holder=st.sampled_from(Holder), epoch=st.integers()),
)
ODD = policy(
    rule("ai.failed_turns / ai.turns > 1", name="divides"),
    rule('customer.attributes.tier.startsWith("g")', name="reads text"),
    rule("customer.attributes.n > 10", name="compares"),
    rule("customer.attributes.x", DESK, name="is a value"),
    rule("size(customer.attributes) > 1 && customer.attributes.exists(k, k == 'n')", name="walks"),
    rule('now + waiting > timestamp("2025-01-01T00:00:00Z")', name="adds times"),
    rule('message.text.matches("(a|b)+$") && int(message.text) > 1', name="converts"),
    rule("ai.confidence < 0.5 || ai.turns + 9223372036854775807 > 0", name="overflows"),
)


@given(any_facts)
def test_engine_never_raises(facts: Facts) -> None:
    """Whatever a vendor sends."""
    decided = decide(facts, [ODD, *DEFAULT])
    assert len(decided.decisions) + len(decided.withheld) <= len(ODD.rules) + len(DEFAULT[0].rules)
    assert all(isinstance(decision, Decision) for decision in decided.decisions)


@given(any_facts)
def test_same_facts_same_decision(facts: Facts) -> None:
    """Pure: replaying history shows what would have been decided."""
    assert acted(decide(facts, DEFAULT)) == acted(decide(facts, DEFAULT))


def test_vocabulary_is_what_conditions_can_read() -> None:
    """One declaration: each declared fact has a value, and each value is declared."""
    values = variables(Facts(now=NOW))
    paths = {
        f"{group}.{name}" if isinstance(value, dict) else group
        for group, value in values.items()
        for name in (value if isinstance(value, dict) else [""])
    }
    assert paths == set(VOCABULARY)
    assert all(fact.description for fact in VOCABULARY.values())


def test_deciding_is_fast() -> None:
    """About 50 µs on one core of a laptop; the bound leaves room for a busy machine."""
    facts = Facts(now=NOW, ai=AiFacts(failed_turns=3), message=MessageFacts(text="x" * 200))
    seconds = min(timeit.repeat(lambda: decide(facts, DEFAULT), number=200, repeat=5)) / 200
    assert seconds < 0.0005
