"""Chatwoot's fixtures, as the adapter reads them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters import registry
from adapters.model import Change, MessagePosted
from adapters.vendors.chatwoot import adapter as module
from adapters.vendors.chatwoot.adapter import Chatwoot
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
NOW = datetime(2026, 11, 14, 2, 20, 12, tzinfo=UTC)


def connect(**changed: Any) -> Chatwoot:
    """An adapter of account 3 with a webhook secret."""
    settings = {
        "base_url": "https://chat.example.com/",
        "account_id": 3,
        "token": "user-token",
        "webhook_secret": ["account-secret", "bot-secret", "inbox-secret"],
    }
    given = {name: value for name, value in {**settings, **changed}.items() if value is not None}
    adapter = registry.build("chatwoot", given)
    assert isinstance(adapter, Chatwoot)
    return adapter


def load(event: str) -> dict[str, Any]:
    """A fixture's payload."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{event}.json").read_text(encoding="utf-8"))
    return payload


def encoded(payload: Any) -> bytes:
    """A payload as a body."""
    return json.dumps(payload, ensure_ascii=False).encode()


def received(payload: Any, **headers: str) -> Webhook:
    """A webhook as the hook endpoint hands it over."""
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook(
        method="POST", url="https://d.example/hooks/c", query={}, headers=lower, body=encoded(payload)
    )


def only(changes: Any) -> Change:
    """The single change."""
    (change,) = changes
    return change  # type: ignore[no-any-return]


def posted(payload: dict[str, Any]) -> MessagePosted:
    """The message that a payload tells of."""
    change = only(connect().parse(encoded(payload)))
    assert isinstance(change, MessagePosted)
    return change
