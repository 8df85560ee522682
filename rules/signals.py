"""What a customer's words say about the help they are getting; pure, Chinese and English.

Patterns, not a model: each hit is a quotable span, costs microseconds and can be argued with.
"""

import re
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from rules import phrases
from rules.similarity import alike, fold

REPHRASED_AT = 0.5
"""From this likeness on, the customer is asking the same again."""
INSISTING_AT = 0.3
"""The same, for one who says so ("I asked …", "我问的是…")."""


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


_LONGEST = 4000


def _found(name: SignalName, text: str, match: re.Match[str]) -> Signal:
    return Signal(name, text[match.start() : match.end()].strip(" \t\n,.;!?~，。、；！？"))


# Facts and verdicts ask about the same words in one go.
_JUST_ASKED = 256


@lru_cache(_JUST_ASKED)
def asked_for_person(text: str) -> Signal | None:
    """The customer wants a person, in so many words."""
    plain = fold(text)[:_LONGEST]
    match = next(filter(None, (_wish_en(plain), _wish_zh(plain))), None)
    return _found(SignalName.ASKED_FOR_PERSON, text, match) if match else None


def _wish_en(plain: str) -> re.Match[str] | None:
    for match in phrases.ASKS_FOR_PERSON_EN.finditer(plain):
        before = plain[: match.start()]
        taken_back = phrases.REFUSES_PERSON_EN.search(before) or phrases.ASKS_WHO_IT_IS.search(before)
        if not taken_back or phrases.ABOUT_MACHINES.search(match.group()):
            return match
    return None


def _wish_zh(plain: str) -> re.Match[str] | None:
    for match in phrases.ASKS_FOR_PERSON_ZH.finditer(plain):
        before = plain[: match.start()]
        taken_back = phrases.REFUSES_PERSON_ZH.search(before) or phrases.SPEAKS_OF_THE_PAST_ZH.search(before)
        if not taken_back or phrases.ABOUT_MACHINES.search(match.group()):
            return match
    return None


@lru_cache(_JUST_ASKED)
def did_not_help(text: str) -> Signal | None:
    """The customer says that the answer was no use."""
    plain = fold(text)[:_LONGEST]
    for match in phrases.SAYS_IT_DID_NOT_HELP.finditer(plain):
        if not phrases.ONLY_SUPPOSES.search(plain[: match.start()]):
            return _found(SignalName.DID_NOT_HELP, text, match)
    return None


def thanked(text: str) -> Signal | None:
    """The customer is satisfied; thanks that a "but" or a complaint takes back don't count."""
    plain = fold(text)[:_LONGEST]
    match = phrases.SAYS_THANKS.search(plain)
    if match is None or phrases.SAYS_BUT.search(plain, match.end()) or did_not_help(text):
        return None
    return _found(SignalName.THANKED, text, match)


def rephrased(earlier: str, now: str) -> Signal | None:
    """`now` asks again what `earlier` asked; the evidence is the earlier text."""
    threshold = INSISTING_AT if phrases.INSISTS.search(fold(now)) else REPHRASED_AT
    if alike(earlier, now) >= threshold:
        return Signal(SignalName.REPHRASED, earlier)
    return None
