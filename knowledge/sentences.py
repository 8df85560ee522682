"""Sentences, as offsets into their text."""

import re

Span = tuple[int, int]

_SENTENCE = re.compile(r".+?(?:[。！？；]+[”」』）)]*|[.!?]+[\"')]*(?=\s|$)|\n+|$)", re.DOTALL)


def trimmed(text: str, span: Span) -> Span:
    """`span` without white space at its ends."""
    start, end = span
    piece = text[start:end]
    if not piece.strip():
        return start, start
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def sentences(text: str) -> list[Span]:
    """Where the sentences of `text` are; white space between them belongs to none."""
    spans = (trimmed(text, match.span()) for match in _SENTENCE.finditer(text))
    return [(start, end) for start, end in spans if start < end]
