"""Retrieval: BM25 over the questions and the texts of one language's passages. Pure; no I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from math import log

import bm25s
import numpy as np
from numpy.typing import NDArray

from knowledge.sentences import sentences
from knowledge.tokens import content

Scores = NDArray[np.float32]

QUESTION_WEIGHT = 2.0
TEXT_WEIGHT = 1.0
_K1 = 1.2
_B = 0.75
_RERANKED = 8
# In a knowledge base of a few articles every word looks common; it is judged as if it had this many.
_FEWEST = 50


@dataclass(frozen=True, slots=True)
class IndexedPassage:
    """A retrievable piece of a revision; offsets are into the revision's body."""

    ref: int
    start: int
    end: int
    text: str
    heading: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedRevision:
    """A revision that is served from `served_from` up to `served_until`."""

    ref: int
    number: int
    article_id: str
    title: str
    language: str
    url: str | None
    questions: tuple[str, ...]
    passages: tuple[IndexedPassage, ...]
    is_question_answer: bool = False
    served_from: datetime | None = None
    served_until: datetime | None = None

    def is_served(self, now: datetime) -> bool:
        """Whether this is what its article says at `now`."""
        started = self.served_from is None or self.served_from <= now
        return started and (self.served_until is None or now < self.served_until)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: its score, and how well its article and the question cover each other.

    `covered` is the share of the customer's words, weighted by rarity, that are among the article's `words`;
    `answered` the share of the article's closest question (or title, or sentence) that the customer used;
    `matched` the weight of what both use, in units of the rarest word.
    """

    revision: IndexedRevision
    passage: IndexedPassage
    score: float
    covered: float
    answered: float
    matched: float
    words: frozenset[str]

    @property
    def fit(self) -> float:
        """How well question and article cover each other; a factor."""
        return (0.3 + self.covered) * (0.5 + self.answered)

    @property
    def merit(self) -> float:
        """What hits are ranked by: a high score counts for less when the question is only brushed."""
        return self.score * self.fit

    @property
    def strength(self) -> float:
        """As `merit`, but the same in a small and a large knowledge base."""
        return self.matched * self.fit


class _Field:
    """BM25 over one kind of text."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._count = len(texts)
        self._bm25 = bm25s.BM25(k1=_K1, b=_B)
        self._vocabulary: Mapping[str, int] = {}
        if any(texts):  # the library can't index texts without a single term
            self._bm25.index([list(terms) for terms in texts], show_progress=False)
            self._vocabulary = self._bm25.vocab_dict

    def scores(self, terms: Iterable[str]) -> Scores:
        known = [term for term in terms if term in self._vocabulary]
        if not known:
            return np.zeros(self._count, dtype=np.float32)
        found: Scores = self._bm25.get_scores(known)
        return found


class Rarity:
    """How much each term says: the more, the fewer articles have it."""

    def __init__(self, vocabularies: Sequence[Iterable[str]]) -> None:
        frequency = Counter(chain.from_iterable(vocabularies))
        count = max(len(vocabularies), _FEWEST)
        self._weights = {term: log(1 + count / df) for term, df in frequency.items()}
        self.most = log(1 + 2 * count)

    def weigh(self, terms: Iterable[str]) -> float:
        """The weight of all `terms` together; one that no article has weighs most."""
        return sum(self._weights.get(term, self.most) for term in terms)


class LanguageIndex:
    """All passages of one language. Immutable once built."""

    def __init__(self, revisions: Sequence[IndexedRevision]) -> None:
        self._revisions = tuple(revisions)
        self._asked = [[content(text) for text in (r.title, *r.questions)] for r in self._revisions]
        self._passages = [(n, p) for n, r in enumerate(self._revisions) for p in r.passages]
        self._said = [self._words_of(n, p) for n, p in self._passages]
        self._owner = np.array([n for n, _ in self._passages], dtype=np.int64)
        self._first_question = np.cumsum([0, *(len(each) for each in self._asked[:-1])])
        self._questions = _Field(list(chain.from_iterable(self._asked)))
        self._texts = _Field(self._said)
        self.rarity = Rarity(self._vocabularies())

    def _words_of(self, owner: int, passage: IndexedPassage) -> tuple[str, ...]:
        return self._asked[owner][0] + content(passage.heading or "") + content(passage.text)

    def _vocabularies(self) -> list[set[str]]:
        vocabularies = [set(chain.from_iterable(each)) for each in self._asked]
        for owner, terms in zip(self._owner, self._said, strict=True):
            vocabularies[owner].update(terms)
        return vocabularies

    def search(self, text: str, *, now: datetime, limit: int = 5) -> list[Hit]:
        """The best passage of each of the `limit` best articles that are served at `now`."""
        terms = frozenset(content(text))
        best = islice(self._ranked(terms, now), _RERANKED)
        hits = [self._hit(position, score, terms) for position, score in best]
        return sorted(hits, key=lambda hit: hit.merit, reverse=True)[:limit]

    def ranking(self, text: str, *, now: datetime) -> Iterator[IndexedRevision]:
        """All that has anything to do with `text`, by score alone."""
        for position, _ in self._ranked(frozenset(content(text)), now):
            yield self._revisions[self._owner[position]]

    def _ranked(self, terms: frozenset[str], now: datetime) -> Iterator[tuple[int, float]]:
        scores = self._scores(terms)
        seen: set[int] = set()
        for position in _descending(scores):
            if scores[position] <= 0:
                return
            owner = int(self._owner[position])
            if owner not in seen and self._revisions[owner].is_served(now):
                seen.add(owner)
                yield position, float(scores[position])

    def _scores(self, terms: frozenset[str]) -> Scores:
        asked = np.maximum.reduceat(self._questions.scores(terms), self._first_question)
        total: Scores = QUESTION_WEIGHT * asked[self._owner] + TEXT_WEIGHT * self._texts.scores(terms)
        return total

    def _hit(self, position: int, score: float, terms: frozenset[str]) -> Hit:
        owner, passage = self._passages[position]
        weigh = self.rarity.weigh
        questions = [frozenset(asked) for asked in self._asked[owner]]
        # Where nobody wrote down what is asked, the sentences stand in for it.
        statements = _statements(passage) if not self._revisions[owner].questions else ()
        closest = self._closest([*questions, *statements], terms)
        said = terms.intersection(self._said[position])
        whole = closest.union(self._said[position], *questions)
        return Hit(
            self._revisions[owner],
            passage,
            score,
            covered=weigh(terms & whole) / (weigh(terms) or 1.0),
            answered=weigh(terms & closest) / (weigh(closest) or 1.0),
            matched=(2 * weigh(terms & closest) + weigh(said)) / self.rarity.most,
            words=whole,
        )

    def _closest(self, candidates: Iterable[frozenset[str]], terms: frozenset[str]) -> frozenset[str]:
        weigh = self.rarity.weigh
        return max(candidates, key=lambda known: weigh(known & terms) / (weigh(known | terms) or 1.0))


def _statements(passage: IndexedPassage) -> Iterator[frozenset[str]]:
    if passage.heading:
        yield frozenset(content(passage.heading))
    for start, end in sentences(passage.text):
        yield frozenset(content(passage.text[start:end]))


def _descending(scores: Scores) -> Iterator[int]:
    """Positions by falling score; the whole order is only made when the top doesn't suffice."""
    top = min(64, len(scores))
    best = np.argpartition(-scores, top - 1)[:top]
    first = best[np.lexsort((best, -scores[best]))]
    yield from first.tolist()
    if top < len(scores):
        seen = set(first.tolist())
        yield from (n for n in np.argsort(-scores, kind="stable").tolist() if n not in seen)
