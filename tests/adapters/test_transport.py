"""What carries requests to vendors: which failures may have taken effect, and which can't have."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.errors import Retryable
from adapters.http import call
from adapters.registry import open_transport
from tests.support.bridge import free_port

Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def vendor(behave: Behaviour) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that reads a request and then behaves so."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await behave(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    timeout = httpx.Timeout(0.3, connect=1)
    async with (
        server,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{address[1]}", transport=open_transport(), timeout=timeout
        ) as client,
    ):
        yield client


async def failure(behave: Behaviour) -> Retryable:
    """What a POST without a body ends in."""
    async with vendor(behave) as http:
        with pytest.raises(Retryable) as caught:
            await call(http, "POST", "/messages")
    return caught.value


async def test_where_nobody_listens_nothing_was_done() -> None:
    """The one case in which it is safe to send again without looking."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{free_port()}", transport=open_transport()
    ) as http:
        with pytest.raises(Retryable) as caught:
            await call(http, "POST", "/messages")
    assert not caught.value.outcome_unknown


async def _hang_up(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _reset(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _silence(*_: object) -> None:
    await asyncio.sleep(1)


async def _half_a_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    writer.close()


async def _reset_in_the_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def _nonsense(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"I am no HTTP\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    "behave",
    [_hang_up, _reset, _silence, _half_a_body, _reset_in_the_body, _nonsense],
    ids=lambda b: b.__name__,
)
async def test_once_sent_the_outcome_is_unknown(behave: Behaviour) -> None:
    """Whatever breaks after the request left, it may have been carried out: the engine must look."""
    assert (await failure(behave)).outcome_unknown


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_called_harmless() -> None:
    """The vendor closes idle connections: a POST that runs into it may or may not have arrived."""
    answered = 0

    async def once(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        if answered == 1:
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        else:
            writer.close()

    async with vendor(once) as http:
        assert await call(http, "POST", "/messages") == {}
        with pytest.raises(Retryable) as caught:
            await call(http, "POST", "/messages")
    assert answered == 2, "it must not send a POST again by itself"
    assert caught.value.outcome_unknown


async def test_a_compressed_body_is_read() -> None:
    """By httpx: the transport leaves it as it came."""
    body = gzip.compress(b'{"id": 1}')

    async def squeeze(_: bytes, writer: asyncio.StreamWriter) -> None:
        head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)

    async with vendor(squeeze) as http:
        assert await call(http, "GET", "/messages") == {"id": 1}


async def test_cookies_are_not_kept() -> None:
    """Two commands must not share a session that the vendor made up."""
    seen: list[bytes] = []

    async def bake(head: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(head.lower())
        writer.write(HEAD + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}")

    async with vendor(bake) as http:
        await call(http, "GET", "/one")
        http.cookies.clear()  # httpx's own, which a vendor's adapter may want
        await call(http, "GET", "/two")
    assert [b"cookie:" in head for head in seen] == [False, False]
