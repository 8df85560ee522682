"""The word lists: synonyms, stop words and the words that give a language away."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import msgspec


class Lexicon(msgspec.Struct, frozen=True):
    """What `words.yaml` holds; the first entry of a synonym group stands for the group."""

    stop: frozenset[str]
    grammar: Mapping[str, frozenset[str]]
    synonyms: Mapping[str, tuple[tuple[str, ...], ...]]


class _File(msgspec.Struct):
    stop: str
    grammar: dict[str, str]
    synonyms: dict[str, tuple[tuple[str, ...], ...]]


@cache
def lexicon() -> Lexicon:
    """The word lists, read once."""
    written = msgspec.yaml.decode(files("knowledge").joinpath("words.yaml").read_bytes(), type=_File)
    return Lexicon(
        stop=frozenset(written.stop.split()),
        grammar={language: frozenset(words.split()) for language, words in written.grammar.items()},
        synonyms=written.synonyms,
    )


class Substitution:
    """Replaces each synonym by its group's first word, the longest match first."""

    def __init__(self, groups: Iterable[tuple[str, ...]], *, whole_words: bool) -> None:
        self._heads = {word: group[0] for group in groups for word in group}
        longest_first = sorted(self._heads, key=len, reverse=True)
        pattern = "|".join(re.escape(word) for word in longest_first)
        self._pattern = re.compile(rf"(?<!\S)(?:{pattern})(?!\S)" if whole_words else pattern)

    def __call__(self, text: str) -> str:
        """`text` in the index's words, each replacement set off by spaces."""
        return self._pattern.sub(lambda match: f" {self._heads[match[0]]} ", text)
