"""How sure we are of a hit."""

from math import exp

from knowledge.retrieval import Hit

# Fitted by logistic regression on development questions: see tests/benchmarks/retrieval.py.
# The offset is moved by 0.2 towards silence: a wrong answer costs more than a hand-over.
_AGREEMENT = 3.56
_STRENGTH = 4.94
_OFFSET = -4.14
_STRONG = 3.0


def features(hit: Hit) -> tuple[float, float]:
    """What the confidence rests on: how far question and article cover each other, and how strongly."""
    return hit.covered * hit.answered, min(hit.strength, _STRONG) / _STRONG


def confidence(hit: Hit) -> float:
    """The probability, between 0 and 1, that `hit` answers the question."""
    agreement, strength = features(hit)
    return 1 / (1 + exp(-(_OFFSET + _AGREEMENT * agreement + _STRENGTH * strength)))
