"""What the tests say at Zendesk, and what stands there then."""

from typing import Any

from vendors.zendesk import SETTINGS, FakeZendesk, Raw

from adapters.model import Author, Reply

BASE = {"base_url": "https://acme.zendesk.com", **SETTINGS}


def at(ticket: Raw, key: str = "cmd-1") -> dict[str, str]:
    """Which conversation a command is about."""
    return {"key": key, "conversation_id": str(ticket["id"])}


def ai(ticket: Raw, text: str = "您好！", key: str = "cmd-1", **about: Any) -> Reply:
    """A reply of the AI."""
    return Reply(text=text, author=Author.AI, **at(ticket, key), **about)


def last(zendesk: FakeZendesk, ticket: Raw) -> Raw:
    """The latest comment."""
    return zendesk.comments[ticket["id"]][-1]
