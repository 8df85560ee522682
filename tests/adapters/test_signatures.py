"""Webhook signatures: what is refused, and that the reason is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapters.errors import BadSignature
from adapters.signatures import Signature, check_signature, sign
from adapters.webhook import Webhook

NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
BODY = '{"text": "繁體 😀"}'.encode()
SIGNATURE = Signature(
    header="X-Acme-Signature",
    prefix="sha256=",
    signed="{timestamp}.{body}",
    timestamp_header="X-Acme-Timestamp",
)
BARE = Webhook(
    method="POST", url="https://d.example/hooks/a", query={}, headers={"webhook-id": "w-1"}, body=BODY
)


def altered(webhook: Webhook, **headers: str | None) -> Webhook:
    """The webhook with some headers set, or taken away."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {**webhook.headers, **changed}
    return msgspec.structs.replace(webhook, headers={k: v for k, v in kept.items() if v is not None})


@pytest.fixture
def signed() -> Webhook:
    """A webhook signed just now with `secret`."""
    return sign(SIGNATURE, BARE, "secret", at=NOW)


def test_a_good_signature_passes(signed: Webhook) -> None:
    """Also at either end of the tolerance."""
    for late in (timedelta(), timedelta(minutes=5), timedelta(minutes=-5)):
        check_signature(SIGNATURE, signed, ["secret"], NOW + late)


def test_any_active_secret_passes(signed: Webhook) -> None:
    """While secrets are being rotated, old and new are valid."""
    check_signature(SIGNATURE, signed, ["new", "secret"], NOW)
    check_signature(SIGNATURE, signed, ["secret", "old"], NOW)


def test_a_retired_secret_is_refused(signed: Webhook) -> None:
    """Once it is no longer among the active ones."""
    with pytest.raises(BadSignature, match="none of the active secrets"):
        check_signature(SIGNATURE, signed, ["new", "newer"], NOW)


def test_without_a_secret_nothing_passes(signed: Webhook) -> None:
    """An empty list is no open door."""
    with pytest.raises(BadSignature, match="no signing secret"):
        check_signature(SIGNATURE, signed, [], NOW)


def test_a_tampered_body_is_refused(signed: Webhook) -> None:
    """Not a byte may differ, not even one that means the same."""
    for body in (BODY + b" ", BODY.replace(b'": "', b'":"'), b""):
        with pytest.raises(BadSignature):
            check_signature(SIGNATURE, msgspec.structs.replace(signed, body=body), ["secret"], NOW)


def test_a_tampered_timestamp_is_refused(signed: Webhook) -> None:
    """The time is signed, too, so an old webhook can't be made young."""
    later = NOW + timedelta(hours=1)
    fresh = altered(signed, x_acme_timestamp=str(int(later.timestamp())))
    with pytest.raises(BadSignature, match="none of the active secrets"):
        check_signature(SIGNATURE, fresh, ["secret"], later)


def test_a_stale_webhook_is_refused(signed: Webhook) -> None:
    """A replay outside the tolerance."""
    with pytest.raises(BadSignature, match="older than"):
        check_signature(SIGNATURE, signed, ["secret"], NOW + timedelta(minutes=5, seconds=1))


def test_a_webhook_from_the_future_is_refused(signed: Webhook) -> None:
    """One of the two clocks is wrong."""
    with pytest.raises(BadSignature, match="future"):
        check_signature(SIGNATURE, signed, ["secret"], NOW - timedelta(minutes=5, seconds=1))


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"x_acme_signature": None}, "X-Acme-Signature is missing"),
        ({"x_acme_signature": ""}, "X-Acme-Signature is missing"),
        ({"x_acme_signature": "md5=00"}, "does not start with"),
        ({"x_acme_signature": "sha256=zz"}, "is not hex"),
        ({"x_acme_signature": "sha256="}, "none of the active secrets"),
        ({"x_acme_timestamp": None}, "X-Acme-Timestamp is missing"),
        ({"x_acme_timestamp": "yesterday"}, "holds no time"),
        ({"x_acme_timestamp": "nan"}, "holds no time"),
        ({"x_acme_timestamp": "9" * 40}, "holds no time"),
    ],
)
def test_the_reason_is_said(signed: Webhook, headers: dict[str, Any], reason: str) -> None:
    """Whoever sets a hook up wrongly reads what is wrong."""
    with pytest.raises(BadSignature, match=reason):
        check_signature(SIGNATURE, altered(signed, **headers), ["secret"], NOW)


@pytest.mark.parametrize(
    "signature",
    [
        Signature(header="X-Hub-Signature", algorithm="sha1", prefix="sha1="),
        Signature(header="X-Sig", encoding="base64"),
        Signature(
            header="X-Sig",
            encoding="base64",
            signed="{timestamp}{body}",
            timestamp_header="X-Time",
            timestamp_unit="iso",
        ),
        Signature(
            header="X-Sig",
            algorithm="sha512",
            signed="{method}{url}{body}{timestamp}",
            timestamp_header="X-Time",
            timestamp_unit="ms",
        ),
        Signature(
            header="Webhook-Signature",
            encoding="base64",
            prefix="v1,",
            signed="{webhook-id}.{timestamp}.{body}",
            timestamp_header="Webhook-Timestamp",
        ),
    ],
    ids=["sha1", "base64", "iso-time", "method-and-url", "signed-id"],
)
def test_schemes_are_data(signature: Signature) -> None:
    """Whatever a vendor signs can be declared; both directions share the declaration."""
    signed = sign(signature, BARE, "geheim 密钥", at=NOW)
    check_signature(signature, signed, ["geheim 密钥"], NOW)
    with pytest.raises(BadSignature):
        check_signature(signature, msgspec.structs.replace(signed, body=BODY + b"x"), ["geheim 密钥"], NOW)


def test_the_digest_is_the_published_one() -> None:
    """HMAC-SHA256 of a known answer (RFC 4231, test case 2)."""
    plain = Signature(header="X-Sig")
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=b"what do ya want for nothing?")
    assert sign(plain, webhook, "Jefe", at=NOW).headers["x-sig"] == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_a_signed_url_is_covered() -> None:
    """Where a vendor signs the address, another address is refused."""
    signature = Signature(header="X-Sig", signed="{url}{body}")
    moved = msgspec.structs.replace(sign(signature, BARE, "s", at=NOW), url="https://d.example/hooks/b")
    with pytest.raises(BadSignature):
        check_signature(signature, moved, ["s"], NOW)
