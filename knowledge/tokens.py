"""Text as the index sees it: normalised, its synonyms joined, segmented, stemmed."""

import re
import unicodedata
from functools import cache, lru_cache
from sys import intern

import opencc
import rjieba
import Stemmer  # type: ignore[import-not-found]

from knowledge.lexicon import Substitution, lexicon

_TO_SIMPLIFIED = opencc.OpenCC("t2s")
_STEMMER = Stemmer.Stemmer("english")
_HAN_CLASS = "\u3400-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"[{_HAN_CLASS}]+|[^\W_{_HAN_CLASS}]+(?:'[a-z]+)?")
_HAN = re.compile(f"[{_HAN_CLASS}]")
_MEASURE = re.compile(r"\d+(?:\.\d+)?\s*(cm|厘米|公分|kg|公斤|千克|斤)(?![a-z])")
_UNITS = {"厘米": "cm", "公分": "cm", "公斤": "kg", "千克": "kg", "斤": "kg"}
_CONTRACTION = re.compile(r"(?:n't|'(?:s|m|re|ve|ll|d))$")


def normalise(text: str) -> str:
    """Half-width, lower-case, straight apostrophes, simplified characters."""
    folded = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return _TO_SIMPLIFIED.convert(folded) if _HAN.search(folded) else folded


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(_CONTRACTION.sub("", word)))


def _stemmed(phrase: str) -> str:
    return " ".join(_stem(word) for word in _PIECE.findall(normalise(phrase)))


@cache
def _english() -> Substitution:
    groups = [tuple(_stemmed(phrase) for phrase in group) for group in lexicon().synonyms["en"]]
    # A phrase's words are joined, so that it counts as one term.
    joined = [(group[0].replace(" ", "_"), *group) for group in groups]
    return Substitution(joined, whole_words=True)


@cache
def _chinese() -> Substitution:
    return Substitution(lexicon().synonyms["zh"], whole_words=False)


@cache
def _segmenter() -> rjieba.Jieba:
    segmenter = rjieba.Jieba()
    for group in lexicon().synonyms["zh"]:
        segmenter.add_word(group[0], None, None)
    return segmenter


@lru_cache(maxsize=65_536)
def _words(run: str) -> tuple[str, ...]:
    # Without the guessing of new words, which glues pronouns and verbs together.
    return tuple(
        word for part in _chinese()(run).split() for word in _segmenter().cut_for_search(part, hmm=False)
    )


def _runs(text: str) -> list[tuple[bool, str]]:
    """Alternating runs: Han characters, and stemmed words in one string."""
    runs: list[tuple[bool, str]] = []
    # What is measured matters, not how much: no article lists every height.
    measured = _MEASURE.sub(lambda match: f" {_UNITS.get(match[1], match[1])} ", normalise(text))
    for piece in _PIECE.findall(measured):
        han = _HAN.match(piece) is not None
        word = piece if han else _stem(piece)
        if not han and runs and not runs[-1][0]:
            runs[-1] = (False, f"{runs[-1][1]} {word}")
        else:
            runs.append((han, word))
    return runs


@lru_cache(maxsize=4_096)
def content(text: str) -> tuple[str, ...]:
    """The words that carry the meaning of `text`, in order and with repetitions."""
    stop = lexicon().stop
    words: list[str] = []
    for han, run in _runs(text):
        found = _words(run) if han else _english()(run).split()
        words.extend(intern(word) for word in found if word not in stop)
    return tuple(words)
