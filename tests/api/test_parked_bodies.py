"""What an operator sees of a body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parking.showing import PRIVATE, SECRET, clean, clean_detail, show

SECRETS = (
    "api_access_token",
    "Authorization",
    "webhook_secret",
    "hmac",
    "X-Signature",
    "pubsub_token",
    "apiKey",
)
WORDS = st.text("abcdefgh", min_size=6, max_size=12)


@pytest.mark.parametrize("key", SECRETS)
@given(value=WORDS)
def test_no_secret_is_shown_to_anybody(key: str, value: str) -> None:
    """Under a telling name, in JSON, in an address, in a torn body."""
    told = f"zz{value}zz"
    for personal in (True, False):
        assert told not in json.dumps(clean({"deep": [{key: told}]}, personal=personal))
        assert told not in str(show(f'{{"{key}": "{told}", '.encode(), personal=personal))
        assert told not in clean_detail(f"GET /x?{key}={told} failed", personal=personal)
    assert clean({key: told}, personal=True) == {key: SECRET}


@given(text=st.text(min_size=1, max_size=80).filter(lambda t: not t.isascii() or " " in t))
def test_what_a_person_said_is_hidden_without_the_scope(text: str) -> None:
    """In any language, however short."""
    assert clean({"text": text}, personal=False) == {"text": f"[{len(text)} characters]"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"id": "con_1", "status": "open"}, {"id": "con_1", "status": "open"}),
        ({"name": "Ann"}, {"name": PRIVATE}),
        ({"phone": 13800138000}, {"phone": PRIVATE}),
        ({"from": "ann@example.com"}, {"from": "[email]"}),
        ({"to": "+8613800138000"}, {"to": "[phone]"}),
        (
            {"at": "2026-01-01T00:00:00Z", "n": 3, "ok": True},
            {"at": "2026-01-01T00:00:00Z", "n": 3, "ok": True},
        ),
    ],
)
def test_the_shape_of_a_body_stays(value: dict[str, Any], shown: dict[str, Any]) -> None:
    """Ids, states and moments are what an operator needs."""
    assert clean(value, personal=False) == shown
    assert clean(value, personal=True) == value
