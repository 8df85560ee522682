"""How well the knowledge answers a set of questions whose right articles are known."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from knowledge.index import Snapshot
from knowledge.language import detect
from knowledge.lookup import Finding, look_up, most_certain


class Labelled(msgspec.Struct, frozen=True):
    """A question and the ids of the articles that answer it; none when nothing should."""

    text: str
    right: frozenset[str]


class Judged(msgspec.Struct, frozen=True):
    """What a question got: the first article, and how sure we were of it."""

    question: Labelled
    article_id: str | None
    confidence: float

    @property
    def is_right(self) -> bool:
        """Whether the first article is one of the right ones."""
        return self.article_id in self.question.right


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares between 0 and 1.

    `found`: of the answerable questions, those whose first article is right.
    `answered` and `misled`: of the answerable ones, those answered rightly and wrongly.
    `refused`: of the unanswerable ones, those left alone.
    `separation`: how often a right answer is surer than an unanswerable question's (the AUC).
    `accuracy`: of all, those answered rightly, or refused where nothing is right.
    """

    questions: int
    found: float
    answered: float
    misled: float
    refused: float
    separation: float
    accuracy: float


def judge(snapshot: Snapshot, questions: Iterable[Labelled], *, now: datetime) -> list[Judged]:
    """Look every question up, without a database."""
    return [_judged(snapshot, question, now) for question in questions]


def _judged(snapshot: Snapshot, question: Labelled, now: datetime) -> Judged:
    finding = _find(snapshot, question.text, now)
    if finding is None:
        return Judged(question, None, 0.0)
    return Judged(question, finding.hits[0].revision.article_id, finding.confidence)


def _find(snapshot: Snapshot, text: str, now: datetime) -> Finding | None:
    index = snapshot.get(detect(text))
    findings = look_up([text], [], index, now=now) if index else []
    return most_certain(findings, threshold=1.0) if findings else None


def figures(judged: Sequence[Judged], *, threshold: float) -> Figures:
    """Sum up what was judged."""
    answerable = [each for each in judged if each.question.right]
    others = [each for each in judged if not each.question.right]
    sure = [each for each in answerable if each.confidence >= threshold]
    right = sum(each.is_right for each in sure)
    refused = sum(each.confidence < threshold for each in others)
    return Figures(
        questions=len(judged),
        found=_share(sum(each.is_right for each in answerable), len(answerable)),
        answered=_share(right, len(answerable)),
        misled=_share(len(sure) - right, len(answerable)),
        refused=_share(refused, len(others)),
        separation=_separation(
            [each.confidence for each in answerable if each.is_right], [each.confidence for each in others]
        ),
        accuracy=_share(right + refused, len(judged)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _separation(higher: Sequence[float], lower: Sequence[float]) -> float:
    pairs = len(higher) * len(lower)
    wins = sum((a > b) + 0.5 * (a == b) for a in higher for b in lower)
    return wins / pairs if pairs else 0.0
