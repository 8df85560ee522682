"""Webhook signatures as declared data: an adapter says how its vendor signs, this module does the rest."""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from adapters.errors import BadSignature
from adapters.webhook import Webhook

_PART = re.compile(r"\{([^{}]+)\}")


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """How a vendor signs its webhooks.

    `signed` is a template of what the digest covers: `{body}`, `{timestamp}`, `{method}`, `{url}`,
    or the name of any header, such as `{webhook-id}`. `prefix` stands before the encoded digest.
    """

    header: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str | None = None
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    tolerance: timedelta = timedelta(minutes=5)


def check_signature(signature: Signature, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
    """Raise `BadSignature` unless one of the active `secrets` signed this webhook recently enough."""
    if not secrets:
        raise BadSignature("no signing secret is configured")
    presented = _presented(signature, webhook)
    if signature.timestamp_header is not None:
        _check_age(signature, webhook, signature.timestamp_header, now)
    # Every secret is tried, so that the time taken tells nothing about which one fits.
    matches = [hmac.compare_digest(presented, _digest(signature, webhook, secret)) for secret in secrets]
    if not any(matches):
        raise BadSignature("the signature fits none of the active secrets")


def sign(signature: Signature, webhook: Webhook, secret: str, *, at: datetime) -> Webhook:
    """The webhook as its vendor would have sent it `at` that time: with timestamp and signature headers."""
    headers = dict(webhook.headers)
    if signature.timestamp_header is not None:
        headers[signature.timestamp_header.lower()] = _write_time(signature, at)
    stamped = msgspec.structs.replace(webhook, headers=headers)
    digest = _digest(signature, stamped, secret)
    encoded = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
    return msgspec.structs.replace(
        stamped, headers={**headers, signature.header.lower(): signature.prefix + encoded}
    )


def _presented(signature: Signature, webhook: Webhook) -> bytes:
    value = webhook.headers.get(signature.header.lower())
    if not value:
        raise BadSignature(f"the header {signature.header} is missing")
    if not value.startswith(signature.prefix):
        raise BadSignature(f"the header {signature.header} does not start with {signature.prefix!r}")
    encoded = value.removeprefix(signature.prefix)
    try:
        if signature.encoding == "hex":
            return bytes.fromhex(encoded)
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadSignature(f"the header {signature.header} is not {signature.encoding}") from error


def _check_age(signature: Signature, webhook: Webhook, header: str, now: datetime) -> None:
    value = webhook.headers.get(header.lower())
    if not value:
        raise BadSignature(f"the header {header} is missing")
    try:
        sent_at = _read_time(signature, value)
    except (ValueError, OverflowError, OSError) as error:
        raise BadSignature(f"the header {header} holds no time") from error
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


def _digest(signature: Signature, webhook: Webhook, secret: str) -> bytes:
    # Assembled as bytes: decoding the body could change it.
    covered = bytearray()
    for literal, name in _pieces(signature.signed):
        covered += literal
        if name:
            covered += _part(signature, webhook, name)
    return hmac.digest(secret.encode(), bytes(covered), signature.algorithm)


@lru_cache
def _pieces(template: str) -> tuple[tuple[bytes, str], ...]:
    """The template as literal text, each followed by the name of a part (or nothing, at the end)."""
    pieces = [*_PART.split(template), ""]
    return tuple((literal.encode(), name) for literal, name in zip(pieces[::2], pieces[1::2], strict=True))


def _part(signature: Signature, webhook: Webhook, name: str) -> bytes:
    match name:
        case "body":
            return webhook.body
        case "timestamp":
            return webhook.headers.get((signature.timestamp_header or "").lower(), "").encode()
        case "method":
            return webhook.method.encode()
        case "url":
            return webhook.url.encode()
        case header:
            return webhook.headers.get(header.lower(), "").encode()
