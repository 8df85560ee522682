"""Bodies as an operator may see them: never a secret, personal data only with the scope for it. Pure."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from gateway.export.redaction import is_private, redact_text

SECRET, PRIVATE = "[secret]", "[private]"
LONGEST = 20_000
_LONGEST_WORD = 64
_NAMES = (
    r"[\w-]*(?:token|secret|password|passwd|authorization|api[_-]?key|signature|cookie|credential|hmac)[\w-]*"
)
_SECRET_KEY = re.compile(_NAMES, re.IGNORECASE)
_SECRET_PAIR = re.compile(rf"(\b{_NAMES}\"?\s*[=:]\s*\"?(?:Bearer\s+)?)[^\s\"&,;}}]+", re.IGNORECASE)


class Shown(Struct, frozen=True, kw_only=True):
    """A body to look at; `note` says what is left out of it."""

    body: Any
    note: str


def show(body: bytes, *, personal: bool) -> Shown:
    """An event's body: as JSON where it is, as text otherwise."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return _show_text(body, personal=personal)
    note = "" if personal else "texts and personal data are left out: the scope read shows them"
    return Shown(body=clean(value, personal=personal), note=note)


def _show_text(body: bytes, *, personal: bool) -> Shown:
    if not personal:
        return Shown(body=None, note=f"{len(body)} bytes that are no JSON: the scope read shows them")
    text = body.decode("utf-8", errors="replace")
    cut = "" if len(text) <= LONGEST else f"; {len(text) - LONGEST} characters more"
    return Shown(body=_hide_pairs(text[:LONGEST]), note=f"it is no JSON{cut}")


def clean(value: Any, *, personal: bool, key: str = "") -> Any:
    """A JSON value without secrets and, unless `personal`, without texts and personal data."""
    if value and _SECRET_KEY.fullmatch(key):
        return SECRET
    match value:
        case dict():
            return {name: clean(item, personal=personal, key=str(name)) for name, item in value.items()}
        case list() | tuple():
            return [clean(item, personal=personal, key=key) for item in value]
        case str():
            text = _hide_pairs(value)
            return text if personal else _impersonal(text, key)
        case int() | float() if not personal and value and is_private(key):
            return PRIVATE
        case _:
            return value


def _impersonal(text: str, key: str) -> str:
    """What stays of a string: ids, words of a vocabulary, moments. What a person could have said goes."""
    if not text:
        return text
    if is_private(key):
        return PRIVATE
    if len(text) > _LONGEST_WORD or not text.isascii() or any(character.isspace() for character in text):
        return f"[{len(text)} characters]"
    return redact_text(text)


def clean_detail(detail: str, *, personal: bool) -> str:
    """An error's text, which may quote what it failed on."""
    text = _hide_pairs(detail)
    return text if personal else redact_text(text)


def _hide_pairs(text: str) -> str:
    return _SECRET_PAIR.sub(rf"\1{SECRET}", text)
