"""What a customer's words say about the help they are getting; pure, Chinese and English."""

from enum import StrEnum

from msgspec import Struct


class SignalName(StrEnum):
    """Everything that a verdict may rest on: first the failures, then the successes."""

    ASKED_FOR_PERSON = "asked_for_person"
    DID_NOT_HELP = "did_not_help"
    REPHRASED = "rephrased"
    NOTHING_FOUND = "nothing_found"
    WEAK_GROUNDING = "weak_grounding"
    ANSWER_FAILED = "answer_failed"
    TOOL_FAILED = "tool_failed"
    RETURNED_WITHIN_A_DAY = "returned_within_a_day"
    THANKED = "thanked"
    MOVED_ON = "moved_on"
    CLOSED = "closed"
    SILENCE = "silence"


class Signal(Struct, frozen=True):
    """One sign, with the exact words or event that show it, and how much it weighs (0 to 2)."""

    name: SignalName
    evidence: str
    weight: float = 1.0


def asked_for_person(text: str) -> Signal | None:
    """The customer wants a person, in so many words."""
    raise NotImplementedError


def did_not_help(text: str) -> Signal | None:
    """The customer says that the answer was no use."""
    raise NotImplementedError


def thanked(text: str) -> Signal | None:
    """The customer is satisfied."""
    raise NotImplementedError


def rephrased(earlier: str, now: str) -> Signal | None:
    """`now` asks again what `earlier` asked; the evidence is the earlier text."""
    raise NotImplementedError
