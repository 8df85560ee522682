"""What Zendesk messaging tells, as the adapter reads it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vendors.sunshine_app import WEBHOOK_SECRET

from adapters.contract import Adapter, Receipt
from adapters.model import (
    Change,
    MessagePosted,
)
from adapters.vendors.sunshine import adapter as module
from adapters.webhook import Webhook

FIXTURES = Path(module.__file__).with_name("fixtures")
NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
CONVERSATION, USER = "68a1f0c2b3d4e5f607182930", "68a1f0c2b3d4e5f6071828aa"


def sample(name: str) -> dict[str, Any]:
    """A fixture."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def deliver(adapter: Adapter, body: Any, secret: str | None = WEBHOOK_SECRET) -> Receipt:
    """Hand a webhook in."""
    headers = {} if secret is None else {"x-api-key": secret}
    content = json.dumps(body).encode()
    webhook = Webhook(method="POST", url="https://d.example/hooks/m", query={}, headers=headers, body=content)
    return adapter.verify(webhook, now=NOW)


def read(adapter: Adapter, body: Any) -> list[Change]:
    """All that a webhook means."""
    receipt = deliver(adapter, body)
    return [change for delivery in receipt.deliveries for change in adapter.parse(delivery.body)]


def posted(adapter: Adapter, body: Any) -> MessagePosted:
    """The message that a webhook tells of."""
    *_, change = read(adapter, body)
    assert isinstance(change, MessagePosted)
    return change


def spoken_by(author: dict[str, Any], source: str | None = None, **message: Any) -> dict[str, Any]:
    """A webhook with a message by this author from this source."""
    body = sample("message_by_agent")
    told = body["events"][0]["payload"]["message"]
    del told["metadata"]
    told |= {"author": author, "source": {"type": source} if source else {}} | message
    return body
