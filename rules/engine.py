"""Which rules act on these facts (see docs/decisions/0004-rules-evaluation.md)."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from msgspec import Struct

from adapters.model import Raw
from rules.facts import Facts
from rules.policy import Action, ExampleResult, Policy


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
    raise NotImplementedError


def run_examples(policy: Policy) -> list[ExampleResult]:
    """Run a policy's own examples."""
    raise NotImplementedError
