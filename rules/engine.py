"""Which rules act on these facts (see docs/decisions/0004-rules-evaluation.md)."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, assert_never

import cel
import msgspec
from msgspec import Struct

from adapters.model import Raw
from rules.condition import Condition, ConditionError, UndecidedError, compile_condition
from rules.facts import Facts, Holder, variables
from rules.policy import Action, ExampleResult, HandOff, Once, Policy, Rule


class Fired(Struct, frozen=True):
    """That a rule has acted in this conversation before; from the stored decisions."""

    policy: str
    rule: str
    turn: int
    epoch: int


class Decision(Struct, frozen=True, kw_only=True):
    """A rule acts. `inputs` are the facts that its condition names, JSON-ready."""

    policy: str
    revision: str
    rule: str
    actions: tuple[Action, ...]
    inputs: Raw


class Why(StrEnum):
    """Why a rule that was asked did not act, though it might have been expected to."""

    ERROR = "error"
    WITH_A_PERSON = "with_a_person"
    HANDED_OFF_ALREADY = "handed_off_already"


class Withheld(Struct, frozen=True, kw_only=True):
    """A rule that did not act, and why."""

    policy: str
    revision: str
    rule: str
    why: Why
    detail: str


class Decided(Struct, frozen=True, kw_only=True):
    """What came of one evaluation."""

    decisions: tuple[Decision, ...] = ()
    withheld: tuple[Withheld, ...] = ()


def decide(facts: Facts, policies: Sequence[Policy], *, fired: Collection[Fired] = ()) -> Decided:
    """Ask every rule, in order. Never raises."""
    values = _Values(facts)
    decisions: list[Decision] = []
    withheld: list[Withheld] = []
    handed_off = ""
    for policy in policies:
        for rule in policy.rules:
            if facts.origin not in rule.origins or _has_fired(policy, rule, facts, fired):
                continue
            try:
                condition = compile_condition(rule.when)
                if not values.satisfy(condition):
                    continue
            except (UndecidedError, ConditionError) as error:
                withheld.append(_withheld(policy, rule, Why.ERROR, str(error)))
                continue
            if _hands_off(rule) and (obstacle := _obstacle(facts, handed_off)):
                withheld.append(_withheld(policy, rule, *obstacle))
                continue
            handed_off = handed_off or (rule.name if _hands_off(rule) else "")
            decisions.append(_decision(policy, rule, values.named_by(condition)))
    return Decided(decisions=tuple(decisions), withheld=tuple(withheld))


class _Values:
    """The facts of one evaluation; each group is converted for CEL when the first rule reads it."""

    def __init__(self, facts: Facts) -> None:
        self._values = variables(facts)
        self._context = cel.Context()
        self._known: set[str] = set()

    def satisfy(self, condition: Condition) -> bool:
        """Whether the condition holds. Raises UndecidedError."""
        for path in condition.reads:
            self._convert(path.partition(".")[0])
        return condition.holds(self._context)

    def _convert(self, name: str) -> None:
        if name in self._known:
            return
        try:
            self._context.add_variable(name, self._values[name])
        except Exception as error:  # a vendor's odd value costs only the rules that read it
            raise UndecidedError(f"{name} can't be read: {error}") from error
        self._known.add(name)

    def named_by(self, condition: Condition) -> Raw:
        """The facts that a condition names, JSON-ready; an attribute that isn't there is `None`."""
        return {path: msgspec.to_builtins(self._at(path)) for path in condition.reads}

    def _at(self, path: str) -> Any:
        value: Any = self._values
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value


def _has_fired(policy: Policy, rule: Rule, facts: Facts, fired: Collection[Fired]) -> bool:
    earlier = [past for past in fired if (past.policy, past.rule) == (policy.name, rule.name)]
    match rule.once:
        case Once.TURN:
            return any(past.turn == facts.turn.number for past in earlier)
        case Once.LEASE:
            return any(past.epoch == facts.lease.epoch for past in earlier)
        case Once.CONVERSATION:
            return bool(earlier)
        case _:
            assert_never(rule.once)


def _hands_off(rule: Rule) -> bool:
    return any(isinstance(action, HandOff) for action in rule.then)


def _obstacle(facts: Facts, handed_off: str) -> tuple[Why, str] | None:
    if handed_off:
        return Why.HANDED_OFF_ALREADY, f"{handed_off} hands the conversation off already"
    if facts.conversation.queue:
        return Why.HANDED_OFF_ALREADY, f"it waits in the queue {facts.conversation.queue}"
    if facts.lease.holder in {Holder.SAAS_AGENT, Holder.DESK_AGENT}:
        return Why.WITH_A_PERSON, f"the lease is with {facts.lease.holder}"
    return None


def _withheld(policy: Policy, rule: Rule, why: Why, detail: str) -> Withheld:
    return Withheld(policy=policy.name, revision=policy.revision, rule=rule.name, why=why, detail=detail)


def _decision(policy: Policy, rule: Rule, inputs: Raw) -> Decision:
    return Decision(
        policy=policy.name, revision=policy.revision, rule=rule.name, actions=rule.then, inputs=inputs
    )


def run_examples(policy: Policy) -> list[ExampleResult]:
    """Run a policy's own examples."""
    results = []
    for example in policy.examples:
        decided = decide(example.facts, [policy])
        errors = (item for item in decided.withheld if item.why is Why.ERROR)
        results.append(
            ExampleResult(
                example=example,
                fired=tuple(decision.rule for decision in decided.decisions),
                problems=tuple(f"{item.rule}: {item.detail}" for item in errors),
            )
        )
    return results
