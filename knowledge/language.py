"""Which language a customer writes; made for short, mixed messages."""

import re
from collections.abc import Mapping

from knowledge.lexicon import lexicon

UNDETERMINED = "und"

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_OTHER_SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}


def _by_script(text: str) -> str | None:
    counts = {language: len(pattern.findall(text)) for language, pattern in _OTHER_SCRIPTS.items()}
    language = max(counts, key=lambda key: counts[key])
    letters = sum(character.isalpha() for character in text)
    # Kana settles it even among many Han characters; the rest must carry the sentence.
    share = 0.1 if language == "ja" else 0.3
    return language if counts[language] > share * letters else None


def _by_words(words: list[str]) -> str:
    counts = {language: sum(word in known for word in words) for language, known in lexicon().grammar.items()}
    best = max(counts.values())
    return next(language for language, count in counts.items() if count == best)


def detect(text: str) -> str:
    """The language of `text` as an ISO 639-1 code, or `und` when it shows none.

    A sentence with English grammar and a Chinese name is English; Chinese with English words is Chinese.
    """
    if other := _by_script(text):
        return other
    han = len(_HAN.findall(text))
    words = _WORD.findall(_HAN.sub(" ", text).lower())
    if not han:
        return _by_words(words) if words else UNDETERMINED
    grammar = sum(word in lexicon().grammar["en"] for word in words)
    return "en" if grammar >= 2 and len(words) > han else "zh"  # noqa: PLR2004 - one may be a loan
