"""Hints at what a person may have meant."""

import difflib
from collections.abc import Sequence


def meant(word: str, known: Sequence[str]) -> str:
    """A hint at the known word that this one resembles, or nothing."""
    containing = [name for name in known if word in name.split("_")]
    close = containing or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def meant_or_all(word: str, known: Sequence[str]) -> str:
    """A hint at the known word that this one resembles, else all that are known."""
    return meant(word, known) or f"it is one of: {', '.join(known)}"
