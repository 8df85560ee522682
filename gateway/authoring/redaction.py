"""Taking people and secrets out of recorded traffic, so that it can be a fixture. Pure.

Shapes, ids, times and the vendor's own words stay; the same text becomes the same everywhere. What is left
must still be read by a person: no rule knows every vendor.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from gateway.export.redaction import EMAIL, PHONE, is_private, redact_text

_SECRET = re.compile(
    r"token|secret|password|passwd|signature|checksum|credential|cookie|session|hmac|api_?key|authorization|jwt"
    r"|(?:^|_)sign$"
)
_PASSWORD = re.compile(r"password|passwd|secret")
_PHONE = re.compile(r"(?:^|_)(?:phone|mobile|tel|telephone|cellphone)(?:_?(?:number|no))?$|电话|手机")
_NAME = re.compile(r"(?:^|_)(?:login|nick|alias|real_?name|contact)$|姓名|昵称")
_THING = re.compile(
    r"(?:^|_)(?:event|type|action|topic|status|state|channel|method|kind|object|field|category|tag|queue)_?name$"
)
_ABOUT = re.compile(
    r"(?:^|_)(?:address|street|city|province|district|zip|(?:zip|postal)_?code|birth\w*|id_?card\w*|identity_?card"
    r"|passport\w*|we_?chat\w*|weixin|qq|ip|ip_?address|latitude|longitude|lat|lng)$|身份证|地址|生日|微信"
)
_CHINESE_PHONE = re.compile(r"(?:00)?86[ -]?1[3-9]\d{9}|09\d{8}")
_PERSONAL_FORM = re.compile(
    r"[1-9]\d{5}(?:19|20)\d\d(?:0\d|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx]"  # a Chinese identity card's
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an IP address
)
_PLAIN = re.compile(r"[A-Za-z0-9_.:+/#=-]{0,64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?|\d{4}-\d\d-\d\d")
_ADDRESS = re.compile(r"[a-z]+://\S+", re.IGNORECASE)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Redactor:
    """Replaces what is private, alike wherever it stands; `secrets` are taken out of any text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(each for each in secrets if each)
        self._known: dict[tuple[str, str], str] = {}

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value without people and secrets."""
        match value:
            case dict():
                return {self._key(name): self.value(each, name) for name, each in value.items()}
            case list():
                return [self.value(each, key) for each in value]
            case str():
                return self.text(value, key)
            case bool() | None:
                return value
            case _:
                return self._number(value, key)

    def text(self, text: str, key: str = "") -> str:
        """A text, of that key; JSON in it stays JSON."""
        kind = self._kind(text, key) if text else ""
        if kind == "text" and isinstance(inner := _json(text), dict | list):
            return json.dumps(self.value(inner), ensure_ascii=False)
        return self._made_up(kind, text) if kind else text

    def told(self, text: str) -> str:
        """A text that was taken from a value, such as a part of a path: it became the same there."""
        known = (made for (_, each), made in self._known.items() if each == text)
        return next(known, None) or self.text(text)

    def path(self, path: str) -> str:
        """A path of an address."""
        return "/".join(self.told(each) for each in path.split("/"))

    def holds_secret(self, text: str) -> bool:
        """Whether a secret of the connection is in a text."""
        return any(secret in text for secret in self._secrets)

    def _key(self, name: str) -> str:
        """A name in an object: most are the vendor's words, but some are addresses."""
        kind = self._form(name) or ("secret" if self.holds_secret(name) else "")
        return self._made_up(kind, name) if kind else name

    def _number(self, number: float, key: str) -> Any:
        word = _snake(key)
        told = str(number)
        about = any(rule.search(word) for rule in (_PASSWORD, _PHONE, _ABOUT))
        if not about and not self.holds_secret(told):
            return number
        return int(self._made_up("number", told))

    def _kind(self, text: str, key: str) -> str:
        """What a text is, if it can't stay."""
        word = _snake(key)
        form = self._form(text)
        kinds = {
            "secret": _SECRET.search(word) or self.holds_secret(text),
            "email": form == "email",
            "phone": form == "phone" or (_PHONE.search(word) and any(each.isdecimal() for each in text)),
            "address": _ADDRESS.fullmatch(text),
            "name": (is_private(word) and not _THING.search(word)) or _NAME.search(word),
            "text": _ABOUT.search(word) or _PERSONAL_FORM.fullmatch(text),
            "": _TIME.fullmatch(text) or (_PLAIN.fullmatch(text) and redact_text(text) == text),
        }
        return next((kind for kind, fits in kinds.items() if fits), "text")

    def _form(self, text: str) -> str:
        """Whether a whole text is an address of somebody's."""
        masked = redact_text(text)
        if masked == EMAIL:
            return "email"
        return "phone" if masked == PHONE or _CHINESE_PHONE.fullmatch(text) else ""

    def _made_up(self, kind: str, text: str) -> str:
        known = self._known.get((kind, text))
        if known is None:
            number = sum(each == kind for each, _ in self._known) + 1
            known = self._known[kind, text] = _MADE_UP[kind].format(number)
        return known


def _snake(key: str) -> str:
    return _WORD.sub("_", key).lower()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


_MADE_UP = {
    "secret": "redacted-{}",
    "email": "person{}@example.com",
    "phone": "+1555010{:04}",
    "number": "1555010{:04}",
    "address": "https://example.com/{}",
    "name": "Person {}",
    "text": "Text {} 文字😀",
}
