"""How one speaks on a channel: how long, how often, and nothing personal where everybody reads. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

_SENTENCE = re.compile(r"(?<=[。！？!?…\n])|(?<=\.)(?=\s)")
_JOINER, _FIRST_TONE, _LAST_TONE = "\u200d", "\U0001f3fb", "\U0001f3ff"
_FLAGS = range(0x1F1E6, 0x1F200)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|(?<!\w)\+?\d[\d\s-]{5,}\d(?!\w)")
_SHORTEST_VALUE = 4
NUMBERED_FROM = 3
"""So many parts are numbered; of two everybody sees that they belong together."""
INVITATION: Mapping[str, str] = MappingProxyType(
    {
        "zh": "这个问题涉及您的个人信息，请私信我们，我们马上为您处理。",
        "en": "This is about your own data: please send us a direct message, and we'll help you there.",
    }
)


def parts(text: str, longest: int | None) -> list[str]:
    """The text in as few messages as the channel needs: cut between sentences, else words, else characters.

    What a reader sees as one character is never cut.
    """
    if longest is None or len(text) <= longest:
        return [text]
    whole = _cut(text, longest)
    if len(whole) < NUMBERED_FROM:
        return whole
    room = len(f" ({len(whole)}/{len(whole)})") + 2
    numbered = _cut(text, longest - room) if longest > 4 * room else whole
    return [f"{part} ({number}/{len(numbered)})" for number, part in enumerate(numbered, 1)]


def _cut(text: str, longest: int) -> list[str]:
    found: list[str] = []
    current = ""
    for piece in _pieces(text, longest):
        if current.strip() and len((current + piece).strip()) > longest:
            found.append(current.strip())
            current = ""
        current += piece
    return [*found, current.strip()] if current.strip() else found


def _pieces(text: str, longest: int) -> Iterator[str]:
    """Sentences; of one that is too long its words; of a word that is too long, runs of characters."""
    for sentence in _SENTENCE.split(text):
        if len(sentence.strip()) <= longest:
            yield sentence
            continue
        for word in re.split(r"(?<=\s)", sentence):
            yield from _runs(word, longest) if len(word.strip()) > longest else (word,)


def _runs(word: str, longest: int) -> Iterator[str]:
    run = ""
    for cluster in clusters(word):
        if run and len(run) + len(cluster) > longest:
            yield run
            run = ""
        run += cluster
    if run:
        yield run


def clusters(text: str) -> Iterator[str]:
    """What readers see as one character each: with its marks, a joined emoji, a flag."""
    current = ""
    for character in text:
        if current and not _belongs(current, character):
            yield current
            current = ""
        current += character
    if current:
        yield current


def _belongs(before: str, character: str) -> bool:
    if before[-1] == _JOINER or character == _JOINER or (before[-1], character) == ("\r", "\n"):
        return True
    if _FIRST_TONE <= character <= _LAST_TONE or unicodedata.category(character).startswith("M"):
        return True
    return ord(character) in _FLAGS and ord(before[-1]) in _FLAGS and len(before) % 2 == 1


def is_personal(text: str, *, known: Iterable[str], cited: bool) -> bool:
    """Whether a text tells what is nobody else's business: something we know of this customer.

    Addresses and numbers count, too, unless the text is `cited` from an article: then they are the shop's.
    """
    plain = text.casefold()
    told = (value.casefold() for value in known if len(value) >= _SHORTEST_VALUE)
    return any(value in plain for value in told) or (not cited and _ADDRESS.search(text) is not None)


def known_values(addresses: Iterable[str], attributes: Mapping[str, Any]) -> Iterator[str]:
    """What we know of a customer, as texts that may stand in an answer; their name everybody sees."""
    yield from addresses
    for value in attributes.values():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)


def invitation(messages: Mapping[str, str], language: str) -> str:
    """The words that lead from a public place to a private one, in the customer's language."""
    return messages.get(language) or messages.get("en") or next(iter(messages.values()))


def not_before(spoken: Iterable[datetime], every: timedelta, now: datetime) -> datetime:
    """When one may speak next, if one speaks only so often."""
    latest = max(spoken, default=None)
    return now if latest is None else max(now, latest + every)
