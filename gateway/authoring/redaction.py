"""Taking people and secrets out of recorded traffic, so that it can be a fixture. Pure.

Shapes, ids, times and the vendor's own words stay; the same text becomes the same everywhere. What is left
must still be read by a person: no rule knows every vendor.
"""

import re
from collections.abc import Iterable
from typing import Any

from gateway.export.redaction import EMAIL, PHONE, is_private, redact_text

_SECRET = re.compile(
    r"token|secret|password|passwd|signature|checksum|credential|cookie|session|hmac|api_?key|authorization|jwt",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z0-9_.:+/#=-]{0,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?|\d{4}-\d\d-\d\d")
_ADDRESS = re.compile(r"[a-z]+://\S+", re.IGNORECASE)


class Redactor:
    """Replaces what is private, alike wherever it stands; `secrets` are taken out of any text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(each for each in secrets if each)
        self._known: dict[tuple[str, str], str] = {}

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value without people and secrets."""
        match value:
            case dict():
                return {name: self.value(each, name) for name, each in value.items()}
            case list():
                return [self.value(each, key) for each in value]
            case str():
                return self.text(value, key)
            case _:
                return value

    def text(self, text: str, key: str = "") -> str:
        """A text, of that key."""
        kind = self._kind(text, key) if text else ""
        return self._made_up(kind, text) if kind else text

    def _kind(self, text: str, key: str) -> str:
        """What a text is, if it can't stay."""
        masked = redact_text(text)
        kinds = {
            "secret": _SECRET.search(key) or any(secret in text for secret in self._secrets),
            "email": masked == EMAIL,
            "phone": masked == PHONE,
            "address": _ADDRESS.fullmatch(text),
            "name": is_private(key),
            "": _TIME.fullmatch(text) or (_PLAIN.fullmatch(text) and masked == text),
        }
        return next((kind for kind, fits in kinds.items() if fits), "text")

    def _made_up(self, kind: str, text: str) -> str:
        known = self._known.get((kind, text))
        if known is None:
            number = sum(each == kind for each, _ in self._known) + 1
            known = self._known[kind, text] = _MADE_UP[kind].format(number)
        return known


_MADE_UP = {
    "secret": "redacted-{}",
    "email": "person{}@example.com",
    "phone": "+1555010{:04}",
    "address": "https://example.com/{}",
    "name": "Person {}",
    "text": "Text {} 文字😀",
}
