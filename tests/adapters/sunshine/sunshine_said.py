"""What the tests say at Zendesk messaging, and since when it is looked for."""

from datetime import timedelta
from typing import Any

from vendors.sunshine_app import STARTED

from adapters.model import (
    Author,
    Reply,
)

SINCE = STARTED - timedelta(minutes=1)


def reply(thread: str, text: str = "您好！", **more: Any) -> Reply:
    """A reply of the AI."""
    return Reply(**{"key": "cmd-1", "conversation_id": thread, "text": text, "author": Author.AI} | more)
