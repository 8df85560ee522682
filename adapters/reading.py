"""What a vendor wrote as what we expect: a number where a text was promised is a text, all else is missing.

A vendor that answers another shape than it documents must cost us that field, never the event around it.
"""

from collections.abc import Iterable
from typing import Any


def words(value: Any) -> str:
    """A text, or a number as one; empty for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def table(value: Any) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list | tuple) else []


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list; none for anything else."""
    held: Iterable[Any] = value if isinstance(value, list | tuple) else ()
    return tuple(filter(None, map(words, held)))


def whole(value: Any) -> int | None:
    """A whole number that isn't negative, or a text of its digits; none for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
