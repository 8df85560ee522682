"""What the console says, in the reader's language."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).with_name("catalogue")
LANGUAGES = {"en": "English", "zh": "中文"}
FALLBACK = "en"


class Words:
    """The catalogue of one language: call it with a key, and with what the text leaves open."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: Any) -> str:
        """The text of `key`. Raises KeyError."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def name(self, group: str, value: str) -> str:
        """What a value of the vocabulary is called; the value itself where it has no name."""
        return self._texts.get(f"{group}.{value}", value)

    def keys(self) -> set[str]:
        """All keys, for the test that every language has them."""
        return set(self._texts)


@cache
def words(language: str) -> Words:
    """The catalogue of a language that the console speaks."""
    tree = yaml.safe_load((CATALOGUE / f"{language}.yaml").read_text(encoding="utf-8"))
    return Words(language, dict(_flat(tree)))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def choose(*, asked: str | None, remembered: str | None, accepted: str) -> str:
    """The reader's language: asked for just now, chosen earlier, or the browser's."""
    for wish in (asked, remembered):
        if wish in LANGUAGES:
            return str(wish)
    return next((found for found in _by_preference(accepted) if found in LANGUAGES), FALLBACK)


def _by_preference(header: str) -> list[str]:
    """The languages of an Accept-Language header, the dearest first."""
    ranked = []
    for position, part in enumerate(header.split(",")):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        ranked.append((-quality, position, tag.strip().split("-")[0].lower()))
    return [language for *_, language in sorted(ranked)]
