"""What carries requests to vendors: aiohttp beneath httpx (docs/decisions/0009-aiohttp-beneath-httpx.md)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport


class Transport(AiohttpTransport):
    """An httpx transport over aiohttp's connections, with errors that keep apart what matters to us.

    A request that never got a connection did nothing; one whose connection broke may have done everything.
    `httpx_aiohttp` 0.2 calls both `ConnectTimeout`.
    """

    def __init__(self, *, limits: httpx.Limits) -> None:
        super().__init__(limits=limits, trust_env=False, client=self._session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request. Raises `httpx.ConnectError` only where nothing was sent."""
        with _broken_means_broken():
            response = await super().handle_async_request(request)
        response.stream = _Stream(response.stream)
        return response

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
        )
        # httpx keeps the cookies, if anybody does.
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class _Stream(httpx.AsyncByteStream):
    """A body whose connection may break, too."""

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _broken_means_broken():
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextmanager
def _broken_means_broken() -> Iterator[None]:
    try:
        yield
    except httpx.ConnectTimeout as error:
        if isinstance(error.__cause__, aiohttp.ClientConnectorError):
            raise httpx.ConnectError(str(error)) from error
        raise httpx.ReadError(f"the connection broke: {error or error.__cause__!r}") from error
    except aiohttp.ClientError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
