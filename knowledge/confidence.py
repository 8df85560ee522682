"""How sure we are of the first of several hits."""

from collections.abc import Sequence
from math import exp

from knowledge.retrieval import Hit

# Fitted by logistic regression on tests/knowledge/questions/dev.tsv (tests/benchmarks/retrieval.py --fit).
_COVERED = 1.39
_ANSWERED = 2.71
_LEAD = 9.69
_OFFSET = -6.51
_DAMPING = 1.5


def features(hits: Sequence[Hit]) -> tuple[float, float, float]:
    """What the confidence in `hits[0]` rests on: two coverages, and its lead over the next article."""
    first = hits[0]
    second = hits[1].merit if len(hits) > 1 else 0.0
    # The damping keeps a lone hit on a stray word from looking like a clear winner.
    return first.covered, first.answered, first.merit / (first.merit + second + _DAMPING)


def confidence(hits: Sequence[Hit]) -> float:
    """The probability, between 0 and 1, that `hits[0]` answers the question."""
    if not hits:
        return 0.0
    covered, answered, lead = features(hits)
    return 1 / (1 + exp(-(_OFFSET + _COVERED * covered + _ANSWERED * answered + _LEAD * lead)))
