"""Webhook signatures as declared data: an adapter says how its vendor signs, this module does the rest."""

import base64
import binascii
import difflib
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import msgspec

from adapters.errors import BadSignature
from adapters.webhook import Webhook

_PART = re.compile(r"\{([^{}]+)\}")


_COVERED = ("body", "md5_body", "timestamp", "method", "url", "secret")


def _resembling(name: str) -> str:
    """The part of a webhook that somebody may have meant who wrote this name; empty if none."""
    return next(iter(difflib.get_close_matches(name.lower(), _COVERED, n=1, cutoff=0.8)), "")


class Values(Protocol):
    """Settings by name, for `{setting:NAME}`."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of one."""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """How a vendor signs its webhooks, or its requests are to be signed.

    It stands in a `header` or in a query `parameter`, after `prefix`. By `method` it is an HMAC, a plain
    `digest` (whose template names `{secret}` itself), or `shared`: the secret is simply sent along.

    `signed` is the template of what is covered: `{body}`, `{md5_body}` (lower-case hex), `{timestamp}`,
    `{method}`, `{url}`, `{secret}`, `{setting:NAME}` (of the connection), `{query:NAME}`, or the name of any
    header, such as `{webhook-id}`. The default is `{body}`, of a shared secret `{secret}`.

    `base64_hex` is base64 over the hex text; `plain` the text itself, the default of a shared secret.
    Without a `tolerance` the timestamp's age is not looked at. `secret_field` names the setting that holds
    the secrets.
    """

    header: str | None = None
    parameter: str | None = None
    method: Literal["hmac", "digest", "shared"] = "hmac"
    algorithm: Literal["md5", "sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64", "base64_hex", "plain"] | None = None
    prefix: str = ""
    signed: str = ""
    timestamp_header: str | None = None
    timestamp_parameter: str | None = None
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    tolerance: timedelta | None = timedelta(minutes=5)
    secret_field: str = "webhook_secret"  # noqa: S105 - the name of a setting

    def __post_init__(self) -> None:
        """Refuse a declaration that can't be meant."""
        if (self.header is None) == (self.parameter is None):
            raise ValueError("a signature stands either in a header or in a query parameter: name one")
        if self.timestamp_header and self.timestamp_parameter:
            raise ValueError("a timestamp stands either in a header or in a query parameter: name one")
        if self.method != "hmac" and "{secret}" not in self.template:
            raise ValueError(f"without {{secret}} in what it covers, anybody can make a {self.method}")
        if "{timestamp}" in self.template and not self.timestamp_place:
            raise ValueError("say where the {timestamp} stands: timestamp_header or timestamp_parameter")
        if self.method != "shared" and self.encoding == "plain":
            raise ValueError("a digest is bytes: encode it as hex, base64 or base64_hex")
        covered = _PART.findall(self.template)
        if not covered:
            raise ValueError("`signed` covers nothing: name the parts in braces, such as {body}")
        for name in covered:
            if "-" not in name and name not in _COVERED and (close := _resembling(name)):
                raise ValueError(f"{{{name}}} would be a header's name; did you mean {{{close}}}?")

    @property
    def place(self) -> str:
        """Where the signature stands, in words."""
        return f"header {self.header}" if self.header else f"query parameter {self.parameter}"

    @property
    def timestamp_place(self) -> str:
        """Where the timestamp stands, in words; empty where there is none."""
        if self.timestamp_header:
            return f"header {self.timestamp_header}"
        return f"query parameter {self.timestamp_parameter}" if self.timestamp_parameter else ""

    @property
    def template(self) -> str:
        """What is covered."""
        return self.signed or ("{secret}" if self.method == "shared" else "{body}")

    def presented(self, webhook: Webhook) -> str:
        """The signature that a webhook bears; empty if none."""
        return _at(webhook, self.header, self.parameter)


def check_signature(
    signature: Signature | Sequence[Signature],
    webhook: Webhook,
    secrets: Sequence[str] | Callable[[Signature], Sequence[str]],
    now: datetime,
    *,
    values: Values | None = None,
) -> None:
    """Raise `BadSignature` unless one of the active `secrets` signed this webhook recently enough.

    Of several alternatives the first that the webhook bears decides: it can't be avoided by adding a weaker.
    """
    chosen = _chosen(signature, webhook)
    active = secrets(chosen) if callable(secrets) else secrets
    if not active:
        raise BadSignature("no signing secret is configured")
    presented = _decoded(chosen, chosen.presented(webhook))
    _check_age(chosen, webhook, now)
    # Every secret is tried, so that the time taken tells nothing about which one fits.
    known = values or {}
    matches = [hmac.compare_digest(presented, _digest(chosen, webhook, each, known)) for each in active]
    if not any(matches):
        raise BadSignature("the signature fits none of the active secrets")


def sign(
    signature: Signature, webhook: Webhook, secret: str, *, at: datetime, values: Values | None = None
) -> Webhook:
    """The webhook as its vendor would have sent it `at` that time: with timestamp and signature."""
    stamped = webhook
    if signature.timestamp_place:
        stamp = _write_time(signature, at)
        stamped = _with(webhook, signature.timestamp_header, signature.timestamp_parameter, stamp)
    digest = _digest(signature, stamped, secret, values or {})
    encoded = signature.prefix + _encoded(signature, digest)
    return _with(stamped, signature.header, signature.parameter, encoded)


def _chosen(signature: Signature | Sequence[Signature], webhook: Webhook) -> Signature:
    alternatives = (signature,) if isinstance(signature, Signature) else signature
    chosen = next((each for each in alternatives if each.presented(webhook)), None)
    if chosen is None:
        raise BadSignature(f"the {' or '.join(each.place for each in alternatives)} is missing")
    return chosen


def _at(webhook: Webhook, header: str | None, parameter: str | None) -> str:
    if header is not None:
        return webhook.headers.get(header.lower(), "")
    return webhook.query.get(parameter or "", "")


def _with(webhook: Webhook, header: str | None, parameter: str | None, value: str) -> Webhook:
    if header is not None:
        return msgspec.structs.replace(webhook, headers={**webhook.headers, header.lower(): value})
    query = {**webhook.query, parameter or "": value}
    url = f"{webhook.url.partition('?')[0]}?{urlencode(query)}"
    return msgspec.structs.replace(webhook, query=query, url=url)


def _encoding(signature: Signature) -> str:
    return signature.encoding or ("plain" if signature.method == "shared" else "hex")


def _encoded(signature: Signature, digest: bytes) -> str:
    match _encoding(signature):
        case "hex":
            return digest.hex()
        case "base64":
            return base64.b64encode(digest).decode()
        case "base64_hex":
            return base64.b64encode(digest.hex().encode()).decode()
        case _:
            return digest.decode()


def _decoded(signature: Signature, value: str) -> bytes:
    if not value.startswith(signature.prefix):
        raise BadSignature(f"the {signature.place} does not start with {signature.prefix!r}")
    encoded = value.removeprefix(signature.prefix)
    encoding = _encoding(signature)
    try:
        match encoding:
            case "hex":
                return bytes.fromhex(encoded)
            case "base64":
                return base64.b64decode(encoded, validate=True)
            case "base64_hex":
                return bytes.fromhex(base64.b64decode(encoded, validate=True).decode())
            case _:
                return encoded.encode()
    except (ValueError, binascii.Error) as error:
        raise BadSignature(f"the {signature.place} is not {encoding}") from error


def _check_age(signature: Signature, webhook: Webhook, now: datetime) -> None:
    place = signature.timestamp_place
    if not place:
        return
    value = _at(webhook, signature.timestamp_header, signature.timestamp_parameter)
    if not value:
        raise BadSignature(f"the {place} is missing")
    try:
        sent_at = _read_time(signature, value)
    except (ValueError, OverflowError, OSError) as error:
        raise BadSignature(f"the {place} holds no time") from error
    if signature.tolerance is None:
        return
    if now - sent_at > signature.tolerance:
        raise BadSignature(f"the webhook is older than {signature.tolerance}: replayed, or a clock is wrong")
    if sent_at - now > signature.tolerance:
        raise BadSignature("the webhook comes from the future: a clock is wrong")


def _read_time(signature: Signature, value: str) -> datetime:
    match signature.timestamp_unit:
        case "s":
            return datetime.fromtimestamp(float(value), UTC)
        case "ms":
            return datetime.fromtimestamp(float(value) / 1000, UTC)
        case "iso":
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write_time(signature: Signature, at: datetime) -> str:
    match signature.timestamp_unit:
        case "s":
            return str(int(at.timestamp()))
        case "ms":
            return str(int(at.timestamp() * 1000))
        case "iso":
            return at.isoformat()


def _digest(signature: Signature, webhook: Webhook, secret: str, values: Values | Mapping[str, Any]) -> bytes:
    # Assembled as bytes: decoding the body could change it.
    covered = bytearray()
    for literal, name in _pieces(signature.template):
        covered += literal
        if name:
            covered += secret.encode() if name == "secret" else _part(signature, webhook, name, values)
    match signature.method:
        case "hmac":
            return hmac.digest(secret.encode(), bytes(covered), signature.algorithm)
        case "digest":
            return hashlib.new(signature.algorithm, bytes(covered), usedforsecurity=False).digest()
        case "shared":
            return bytes(covered)


@lru_cache
def _pieces(template: str) -> tuple[tuple[bytes, str], ...]:
    """The template as literal text, each followed by the name of a part (or nothing, at the end)."""
    pieces = [*_PART.split(template), ""]
    return tuple((literal.encode(), name) for literal, name in zip(pieces[::2], pieces[1::2], strict=True))


_OF_WEBHOOK: Mapping[str, Callable[[Webhook], bytes]] = {
    "body": lambda webhook: webhook.body,
    "md5_body": lambda webhook: hashlib.md5(webhook.body, usedforsecurity=False).hexdigest().encode(),
    "method": lambda webhook: webhook.method.encode(),
    "url": lambda webhook: webhook.url.encode(),
}


def _part(signature: Signature, webhook: Webhook, name: str, values: Values | Mapping[str, Any]) -> bytes:
    if name in _OF_WEBHOOK:
        return _OF_WEBHOOK[name](webhook)
    match name.partition(":"):
        case ("timestamp", _, _):
            return _at(webhook, signature.timestamp_header, signature.timestamp_parameter).encode()
        case ("setting", ":", setting):
            return str(values[setting]).encode()
        case ("query", ":", parameter):
            return webhook.query.get(parameter, "").encode()
        case _:
            return webhook.headers.get(name.lower(), "").encode()
