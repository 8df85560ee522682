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
        Signature(
            parameter="checksum",
            method="digest",
            algorithm="sha1",
            signed="{secret}{md5_body}{timestamp}",
            timestamp_parameter="time",
        ),
        Signature(header="X-Sig", method="digest", signed="{secret}{body}"),
        Signature(
            header="event-sign", method="digest", algorithm="md5", signed="{setting:app_key}{body}{secret}"
        ),
        Signature(header="Authorization", algorithm="sha1", encoding="base64_hex", prefix="vendor_sign:"),
        Signature(header="X-Sig", signed="{query:nonce}{body}"),
    ],
    ids=[
        "sha1",
        "base64",
        "iso-time",
        "method-and-url",
        "signed-id",
        "in-the-query",
        "plain-digest",
        "setting",
        "base64-of-hex",
        "parameter",
    ],
)
def test_schemes_are_data(signature: Signature) -> None:
    """Whatever a vendor signs can be declared; both directions share the declaration."""
    values = {"app_key": "k-1"}
    signed = sign(signature, BARE, "geheim 密钥", at=NOW, values=values)
    check_signature(signature, signed, ["geheim 密钥"], NOW, values=values)
    tampered = msgspec.structs.replace(signed, body=BODY + b"x")
    with pytest.raises(BadSignature):
        check_signature(signature, tampered, ["geheim 密钥"], NOW, values=values)
    with pytest.raises(BadSignature):
        check_signature(signature, signed, ["another"], NOW, values=values)


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


@pytest.mark.parametrize(
    ("signature", "header", "secret"),
    [
        (Signature(header="X-API-Key", method="shared"), "s3cret", "s3cret"),
        (Signature(header="Authorization", method="shared", prefix="Bearer "), "Bearer t-1", "t-1"),
        (
            Signature(
                header="Authorization",
                method="shared",
                prefix="Basic ",
                encoding="base64",
                signed="{setting:user}:{secret}",
            ),
            "Basic aG9vazpwYXNz",
            "pass",
        ),
    ],
    ids=["key", "bearer", "basic"],
)
def test_a_secret_may_be_sent_along(signature: Signature, header: str, secret: str) -> None:
    """Some vendors sign nothing: then the secret itself is compared."""
    values = {"user": "hook"}
    assert signature.header is not None
    webhook = altered(BARE, **{signature.header.lower(): header})
    check_signature(signature, webhook, ["old", secret], NOW, values=values)
    for wrong in ("other", secret + "x", secret[:-1]):
        with pytest.raises(BadSignature, match="none of the active secrets"):
            check_signature(signature, webhook, [wrong], NOW, values=values)
    with pytest.raises(BadSignature, match="is missing"):
        check_signature(signature, BARE, [secret], NOW, values=values)


def test_known_answers() -> None:
    """Made with other tools (openssl, base64), not with this code."""
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=b'{"text":"hi"}')
    checksum = Signature(
        parameter="checksum",
        method="digest",
        algorithm="sha1",
        signed="{secret}{md5_body}{timestamp}",
        timestamp_parameter="time",
    )
    signed = sign(checksum, webhook, "s", at=datetime.fromtimestamp(1700000000, UTC))
    assert signed.query == {"time": "1700000000", "checksum": "90bd5d8951bcb38396ebb2cd72b2dcf9d4dcb568"}
    assert signed.url == "?time=1700000000&checksum=90bd5d8951bcb38396ebb2cd72b2dcf9d4dcb568"
    over_hex = Signature(header="A", algorithm="sha1", encoding="base64_hex", prefix="v:")
    assert (
        sign(over_hex, webhook, "s", at=NOW).headers["a"]
        == "v:ZTA5NGM4MzIxNTcwNTAzNzY0NWMwNmUzODBiMzU0NmUyZDU5NTRiNQ=="
    )


STRONG = Signature(header="X-Sig-3", signed="{timestamp}{body}", timestamp_header="X-Time")
WEAK = Signature(header="X-Sig-1", method="digest", signed="{secret}{body}")


def test_the_first_alternative_that_is_borne_decides() -> None:
    """A good weak signature beside a bad strong one opens nothing."""
    strong, weak = sign(STRONG, BARE, "s", at=NOW), sign(WEAK, BARE, "s", at=NOW)
    for webhook in (strong, weak, sign(WEAK, strong, "s", at=NOW)):
        check_signature((STRONG, WEAK), webhook, ["s"], NOW)
    forged = altered(weak, x_sig_3="00" * 32, x_time=str(int(NOW.timestamp())))
    with pytest.raises(BadSignature, match="none of the active secrets"):
        check_signature((STRONG, WEAK), forged, ["s"], NOW)
    with pytest.raises(BadSignature, match="X-Sig-3 or header X-Sig-1 is missing"):
        check_signature((STRONG, WEAK), BARE, ["s"], NOW)


def test_each_alternative_may_have_secrets_of_its_own() -> None:
    """They are asked for by declaration."""
    active = {STRONG: ["new"], WEAK: ["old"]}
    check_signature((STRONG, WEAK), sign(WEAK, BARE, "old", at=NOW), active.__getitem__, NOW)
    with pytest.raises(BadSignature):
        check_signature((STRONG, WEAK), sign(STRONG, BARE, "old", at=NOW), active.__getitem__, NOW)


def test_an_age_may_be_left_unjudged() -> None:
    """Where a vendor's timestamp is signed, but may be of any age."""
    ageless = msgspec.structs.replace(SIGNATURE, tolerance=None)
    check_signature(ageless, sign(ageless, BARE, "s", at=NOW), ["s"], NOW + timedelta(days=9))


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({}, "either in a header or in a query parameter"),
        ({"header": "A", "parameter": "b"}, "either in a header or in a query parameter"),
        ({"header": "A", "method": "digest"}, "anybody can make a digest"),
        ({"header": "A", "method": "shared", "signed": "{body}"}, "anybody can make a shared"),
        ({"header": "A", "signed": "{timestamp}{body}"}, "say where the {timestamp} stands"),
        ({"header": "A", "timestamp_header": "T", "timestamp_parameter": "t"}, "a timestamp stands either"),
        ({"header": "A", "encoding": "plain"}, "a digest is bytes"),
    ],
)
def test_a_declaration_that_protects_nothing_is_refused(declared: dict[str, Any], reason: str) -> None:
    """When it is written, not when the first forged webhook comes."""
    with pytest.raises(ValueError, match=reason):
        Signature(**declared)
