"""Masking e-mail addresses, phone numbers and names in exported rows. Pure.

Refs and vendor ids stay, so that redacted rows can still be joined.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

EMAIL, PHONE, NAME = "[email]", "[phone]", "[name]"
EMAIL_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_APART = r"(?<![0-9A-Za-z])"
_END = r"(?![0-9A-Za-z])"
PHONE_NUMBER = re.compile(
    rf"{_APART}(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,12}"  # +86 138 0013 8000, +1 (555) 010-0199
    r"|1[3-9]\d(?:[ -]?\d{4}){2}"  # 13800138000, 138-0013-8000
    r"|0\d{2,3}[ -]\d{7,8}"  # 021-55501234
    r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"  # 555-010-0199
    rf"){_END}"
)
_MANY_DIGITS = re.compile(r"\d(?:[ ().-]{0,3}\d){6}")
_PERSONS = frozenset({"person", "assignee", "lease_person", "agent"})
_PRIVATE_KEY = re.compile(
    r"(?:^|[._-])(?:e[-_]?mail|phone|mobile|telephone|tel|(?:first|last|full|given|family|nick|user)?[-_]?name)$"
    r"|姓名|昵称|电话|手机|邮箱",
    re.IGNORECASE,
)
_LATIN = re.compile(r"[A-Za-z]")
_SHORTEST_NAME = 2
Mask = Callable[[str], str]


def redact(table: str, row: Mapping[str, Any], *, name: str = "") -> dict[str, Any]:
    """A row without personal data; `name` is its customer's, and is masked wherever it is written."""
    mask = _mask_for(name)
    masked = {key: _cell(key, value, mask) for key, value in row.items()}
    if table == "customers":
        masked["name"] = NAME if row["name"] else ""
        masked["identities"] = [_identity(item, mask) for item in row["identities"]]
    if table == "messages":
        masked["attachments"] = [item | {"name": NAME} for item in masked["attachments"]]
    return masked


def redact_text(text: str) -> str:
    """A text without e-mail addresses and phone numbers."""
    return _mask_for("")(text)


def is_private(key: str) -> bool:
    """Whether a key names something about a person: their name, address or number."""
    return _PRIVATE_KEY.search(key) is not None


def _cell(key: str, value: Any, mask: Mask) -> Any:
    if key in _PERSONS and isinstance(value, dict):
        return value | {"name": NAME}
    # Signals have a `name` of their own: elsewhere the key tells what its value is.
    return _walk(value, mask, by_key=key in {"attributes", "inputs"})


def _identity(item: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    whole = {"email": EMAIL, "phone": PHONE}.get(item["kind"])
    return {**item, "value": whole or mask(item["value"])}


def _walk(value: Any, mask: Mask, *, by_key: bool) -> Any:
    match value:
        case str():
            return mask(value)
        case dict():
            return {
                key: "[private]"
                if by_key and item and _PRIVATE_KEY.search(key)
                else _walk(item, mask, by_key=by_key)
                for key, item in value.items()
            }
        case list():
            return [_walk(item, mask, by_key=by_key) for item in value]
        case _:
            return value


def _mask_for(name: str) -> Mask:
    words = _words_of(name)

    def mask(text: str) -> str:
        # The cheap looks first: most texts have none of it, and there are millions of them.
        if "@" in text:
            text = EMAIL_ADDRESS.sub(EMAIL, text)
        if _MANY_DIGITS.search(text):
            text = PHONE_NUMBER.sub(PHONE, text)
        if any(word in text for word in words):
            text = _names(words).sub(NAME, text)
        return text

    return mask


def _words_of(name: str) -> tuple[str, ...]:
    """The whole name and, of names in several words, each of them; the longest first."""
    words = {name.strip(), *name.split()}
    return tuple(sorted((word for word in words if len(word) >= _SHORTEST_NAME), key=len, reverse=True))


@lru_cache(maxsize=1024)
def _names(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_bounded(word) for word in words))


def _bounded(word: str) -> str:
    escaped = re.escape(word)
    return rf"{_APART}{escaped}{_END}" if _LATIN.search(word) else escaped
