"""A web server that holds files, answers as it is told, and remembers who asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.asgi import answer, is_lifespan
from support.bridge import free_port, serving

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
_PIECE = 64 * 1024


@dataclass
class FileServer:
    """Where vendors keep files. `length` of them is made up piece by piece, so that nobody holds it."""

    url: str = ""
    body: bytes = PNG
    length: int | None = None
    kind: str = "image/png"
    status: int = 200
    location: str = ""
    pause: float = 0.0
    tells_length: bool = False
    piece: int = _PIECE
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if await is_lifespan(scope, receive, send):
            return
        self.asked.append({k.decode(): v.decode() for k, v in scope["headers"]})
        headers = [(b"content-type", self.kind.encode())]
        if self.location and scope["path"].startswith("/elsewhere"):
            await answer(send, 302, b"", *headers, (b"location", self.location.encode()))
            return
        size = self.length or len(self.body)
        if self.tells_length:
            headers.append((b"content-length", str(size).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for start in range(0, size, self.piece):
            await asyncio.sleep(self.pause)
            part = self.body[start : start + self.piece]
            part += b"\0" * (min(self.piece, size - start) - len(part))
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def file_server() -> AsyncIterator[FileServer]:
    """A server of files on loopback."""
    app, port = FileServer(), free_port()
    async with serving(app, port) as url:
        app.url = url
        yield app
