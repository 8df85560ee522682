"""From a burst of messages to the queries worth trying, and the most certain finding among them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from knowledge.confidence import confidence
from knowledge.retrieval import Hit, LanguageIndex
from knowledge.sentences import sentences
from knowledge.smalltalk import recognise
from knowledge.tokens import content, normalise

_MOST_QUERIES = 6
_SHORT = 3
_FOLLOW_UP_WEIGHT = 0.9
_MOST_MATTERS = 3
_ASKS = re.compile(
    r"[?？]|吗|呢|怎么|怎样|如何|什么|多久|多少|几[天个时]|哪|能不能|可不可以|是否|有没有"
    r"|^(?:what|when|where|which|who|why|how|can|could|do|does|did|is|are|will|would|may|should)\b",
    re.IGNORECASE,
)
_FOLLOW_UP = re.compile(r"(?:and|what about|how about|also|or|then)\b|那|还有|如果|换成|要是|.*呢[?？]?$")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one query found, best first; a follow-up's query includes what was asked before it."""

    query: str
    hits: tuple[Hit, ...]
    weight: float = 1.0

    @property
    def article_id(self) -> str:
        """The article that it found first; empty if none."""
        return self.hits[0].revision.article_id if self.hits else ""

    @property
    def confidence(self) -> float:
        """How sure we are of the first hit."""
        return self.weight * confidence(self.hits[0]) if self.hits else 0.0

    def only(self, served: Collection[int]) -> "Finding":
        """This finding without the revisions that aren't served."""
        return replace(self, hits=tuple(hit for hit in self.hits if hit.revision.ref in served))


def look_up(
    texts: Sequence[str], earlier: Sequence[str], index: LanguageIndex, *, now: datetime
) -> list[Finding]:
    """What each query of a burst finds; the burst as a whole comes first, follow-ups last."""
    queries = _queries(texts)
    findings = [Finding(query, tuple(index.search(query, now=now))) for query in queries]
    if queries and earlier and _is_follow_up(queries[0]):
        findings += _follow_up(queries[0], earlier[-1], index, now=now)
    return [finding for finding in findings if finding.hits]


def most_certain(findings: Sequence[Finding], *, threshold: float) -> Finding:
    """The finding to answer with; follow-ups only count when nothing stands on its own."""
    alone = max((f for f in findings if f.weight == 1), key=lambda f: f.confidence, default=None)
    if alone is not None and alone.confidence >= threshold:
        return alone
    return max(findings, key=lambda f: f.confidence)


def each_matter(findings: Sequence[Finding], texts: Sequence[str], *, threshold: float) -> list[Finding]:
    """The findings to answer with, in the order asked: customers put several questions into one burst.

    The most certain one, and those of other messages or questions that would be answered if they had come
    alone, and lead to other articles.
    """
    best = most_certain(findings, threshold=threshold)
    alone = [each for each in findings if _stands_alone(each, texts) and each.confidence >= threshold]
    chosen = {best.article_id: best}
    if best.confidence >= threshold:
        for finding in sorted(alone, key=lambda each: -each.confidence):
            chosen.setdefault(finding.article_id, finding)
    asked = [finding.article_id for finding in alone]
    kept = list(chosen)[:_MOST_MATTERS]
    return [chosen[one] for one in sorted(kept, key=lambda one: asked.index(one) if one in asked else -1)]


def _stands_alone(finding: Finding, texts: Sequence[str]) -> bool:
    whole = any(finding.query.strip() == text.strip() for text in texts)
    return (
        finding.weight == 1
        and (whole or _ASKS.search(finding.query) is not None)
        and "\n" not in finding.query
    )


def _queries(texts: Sequence[str]) -> list[str]:
    said = [text for text in texts if text.strip() and recognise(text) is None]
    parts = [text[start:end] for text in said for start, end in sentences(text)]
    meant = [part for part in parts if content(part)]
    return list(dict.fromkeys(["\n".join(said), *meant[-_MOST_QUERIES:]])) if meant else []


def _is_follow_up(query: str) -> bool:
    return len(set(content(query))) <= _SHORT or _FOLLOW_UP.match(normalise(query)) is not None


def _follow_up(query: str, before: str, index: LanguageIndex, *, now: datetime) -> list[Finding]:
    """The query with the matter of the one before, where it adds something that the article knows."""
    joined = f"{before}\n{query}"
    added = frozenset(content(query)) - frozenset(content(before))
    hits = [hit for hit in index.search(joined, now=now) if added & hit.words]
    return [Finding(joined, tuple(hits), _FOLLOW_UP_WEIGHT)] if hits else []
