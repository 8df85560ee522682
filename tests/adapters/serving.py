"""Serve ASGI applications on loopback, listen to webhooks, and say and read what the tests say there."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from support.asgi import answer, body_of, is_lifespan

from adapters.model import Author, Change, MessagePosted, Reply
from adapters.vendors.memory.adapter import Memory
from adapters.webhook import Webhook
from gateway import server

AsgiApp = Callable[..., Awaitable[None]]


@asynccontextmanager
async def served(app: AsgiApp) -> AsyncIterator[str]:
    """Serve an ASGI application on loopback; yields its address."""
    listener = server.bind("127.0.0.1", 0)
    async with server.serving(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Listener:
    """An ASGI hook that keeps what it hears; `answers` are the statuses it gives first."""

    def __init__(self) -> None:
        self.heard: list[Webhook] = []
        self.answers: list[int] = []
        self.address = ""
        self.path = "/hook/0"

    @property
    def url(self) -> str:
        """Where to send webhooks now."""
        return self.address + self.path

    def start_over(self) -> None:
        """Forget everything, and move: what was sent to the old place is not heard."""
        self.heard.clear()
        self.answers.clear()
        self.path = f"/hook/{int(self.path.rpartition('/')[2]) + 1}"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Hear one webhook."""
        if await is_lifespan(scope, receive, send):
            return
        body = await body_of(receive)
        if scope["path"] != self.path:
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.heard.append(Webhook(method="POST", url=self.url, query={}, headers=headers, body=body))
        status = self.answers.pop(0) if self.answers else 202
        await answer(send, status)


def changes_in(memory: Memory, heard: list[Webhook]) -> list[Change]:
    """What the adapter makes of the webhooks."""
    now = datetime.now(UTC)
    deliveries = [each for webhook in heard for each in memory.verify(webhook, now=now).deliveries]
    return [change for delivery in deliveries for change in memory.parse(delivery.body)]


def texts(changes: list[Change]) -> list[str]:
    """The texts of the messages among the changes."""
    return [change.message.text for change in changes if isinstance(change, MessagePosted)]


def reply(conversation_id: str, text: str = "您好！", key: str = "cmd-1") -> Reply:
    """A reply of the AI."""
    return Reply(key=key, conversation_id=conversation_id, text=text, author=Author.AI)
