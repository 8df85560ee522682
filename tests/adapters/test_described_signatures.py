"""Signatures of the shipped descriptions, against what other tools make of the same recipe."""

import hashlib
import re
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from describing import Vendor

import adapters.vendors
from adapters import registry
from adapters.errors import BadSignature
from adapters.testing.subject import Known

VENDORS = Path(adapters.vendors.__file__).parent
VECTORS = sorted(
    path for path in VENDORS.glob("*/fixtures/signatures/*.json") if list(path.parents[2].glob("*.yaml"))
)
SETTINGS = {
    "doudian": {"app_key": "3409409348479354011"},
    "freshdesk": {"base_url": "https://acme.freshdesk.com", "api_key": "k"},
    "inhouse": {"base_url": "https://chat.example.com", "token": "t"},
    "meiqia": {},
    "zammad": {"base_url": "https://help.example.com", "token": "t"},
}


def test_every_recipe_has_its_vector() -> None:
    """Meiqia's base64 of hex, Doudian's MD5, Zammad's HMAC-SHA1, and ours."""
    assert {path.parents[2].name for path in VECTORS} == set(SETTINGS)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.parents[2].name)
def test_what_was_signed_elsewhere_is_accepted(path: Path) -> None:
    """And one changed byte of body or signature is not."""
    known = msgspec.json.decode(path.read_bytes(), type=Known)
    vendor = path.parents[2].name
    adapter = registry.build(vendor, {**SETTINGS[vendor], "webhook_secret": known.secret})
    webhook = known.webhook()
    adapter.verify(webhook, now=known.at)
    signature = adapter.signature
    assert signature is not None
    assert not isinstance(signature, tuple)
    assert signature.header is not None
    header = signature.header.lower()
    spoilt = {**webhook.headers, header: webhook.headers[header][:-3] + "000"}
    with pytest.raises(BadSignature):
        adapter.verify(msgspec.structs.replace(webhook, headers=spoilt), now=known.at)
    if "{body}" in signature.template:
        with pytest.raises(BadSignature):
            adapter.verify(msgspec.structs.replace(webhook, body=webhook.body + b" "), now=known.at)


async def test_udesk_gets_its_requests_signed() -> None:
    """SHA-256 over e-mail, token, time, nonce and version, joined by `&`; the nonce is new each time."""
    vendor = Vendor({"code": 1000, "meta": {"total_count": 3}})
    settings = {
        "base_url": "https://demo.udesk.cn",
        "email": "admin@udesk.cn",
        "open_api_token": "a-token",
        "webhook_secret": "k",
    }
    adapter = registry.build("udesk", settings, transport=vendor)
    assert await adapter.check() == "3 customers"
    await adapter.check()
    first, second = (request.url.params for request in vendor.seen)
    for asked in (first, second):
        covered = f"admin@udesk.cn&a-token&{asked['timestamp']}&{asked['nonce']}&v2"
        assert asked["sign"] == hashlib.sha256(covered.encode()).hexdigest()
        assert (asked["email"], asked["sign_version"], asked["page"]) == ("admin@udesk.cn", "v2", "1")
        assert abs(int(asked["timestamp"]) - datetime.now().astimezone().timestamp()) < 60
    assert re.fullmatch("[0-9a-f]{32}", first["nonce"])
    assert first["nonce"] != second["nonce"]
    assert "a-token" not in str(vendor.seen[0].url)
