"""The spans of a text that are stored and quoted, as offsets."""

from collections.abc import Sequence

from knowledge.retrieval import Rarity
from knowledge.sentences import Span, sentences, trimmed
from knowledge.tokens import content

SPAN_CHARS = 500


def windows(text: str, spans: Sequence[Span], *, limit: int = SPAN_CHARS) -> list[Span]:
    """Every longest run of neighbouring sentences within `limit`; one that is longer is cut."""
    runs: list[Span] = []
    for first, (start, end) in enumerate(spans):
        last = max((stop for _, stop in spans[first:] if stop - start <= limit), default=0)
        run = (start, last or start + limit)
        if not runs or run[1] > runs[-1][1]:
            runs.append(trimmed(text, run) if last else (start, min(end, start + limit)))
    return runs


def best_span(text: str, question: frozenset[str], rarity: Rarity, *, limit: int = SPAN_CHARS) -> Span:
    """The part of `text`, within `limit`, that has most of the question's words; the first of equals."""
    whole = trimmed(text, (0, len(text)))
    if whole[1] - whole[0] <= limit:
        return whole
    runs = windows(text, sentences(text), limit=limit)
    return max(runs, key=lambda run: rarity.weigh(question.intersection(content(text[run[0] : run[1]]))))


def packed(text: str, span: Span, *, limit: int) -> list[Span]:
    """`span` cut into neighbouring pieces of whole sentences, each at most `limit` long where it can be."""
    pieces: list[Span] = []
    start, end = span
    for first, last in sentences(text[start:end]):
        if pieces and start + last - pieces[-1][0] <= limit:
            pieces[-1] = (pieces[-1][0], start + last)
        else:
            pieces.append((start + first, start + last))
    return pieces
