"""The only way by which an address from a message is asked for: never one of our own network's."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterable, Collection
from enum import StrEnum
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from urllib.parse import urljoin, urlsplit

import httpx
from msgspec import Struct

from adapters.attachments import Fetch
from adapters.errors import Retryable
from config.settings import AttachmentSettings

MOST_REDIRECTS = 3
IN_MEMORY = 1024 * 1024
HEAD = 4096
_PORTS = {"http": 80, "https": 443}
_GONE = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Because(StrEnum):
    """Why a file is refused."""

    ADDRESS = "address"
    """It lies where we don't look."""
    ANSWER = "answer"
    """Its server refused it, or made no sense."""
    LATE = "late"
    """Its server didn't answer in time, or is broken: another time it may."""
    GONE = "gone"
    """It is there no more."""
    SIZE = "size"
    KIND = "kind"
    EMPTY = "empty"


class RefusedFileError(Exception):
    """A file that we don't fetch, take or pass on; the message says why, for people."""

    def __init__(self, message: str, because: Because = Because.ADDRESS) -> None:
        super().__init__(message)
        self.because = because


_STATUSES = {
    Because.ADDRESS: HTTPStatus.BAD_GATEWAY,
    Because.ANSWER: HTTPStatus.BAD_GATEWAY,
    Because.LATE: HTTPStatus.GATEWAY_TIMEOUT,
    Because.GONE: HTTPStatus.GONE,
    Because.SIZE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Because.KIND: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Because.EMPTY: HTTPStatus.BAD_REQUEST,
}


def status_of(refused: RefusedFileError) -> int:
    """How HTTP says why."""
    return _STATUSES[refused.because]


class Spooled(Struct, frozen=True):
    """A file on our disk, without a name there; `declared` is what its server or its sender calls it."""

    file: BinaryIO
    size: int
    declared: str
    head: bytes


async def spool(chunks: AsyncIterable[bytes], declared: str, *, most: int) -> Spooled:
    """What comes in pieces, on the disk once it is large. Raises RefusedFileError beyond `most` bytes."""
    held = cast("BinaryIO", SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - its reader closes it
    size = 0
    try:
        async for chunk in chunks:
            size = _within(most, size + len(chunk))
            held.write(chunk)
        held.seek(0)
        head = held.read(HEAD)
    except BaseException:
        held.close()
        raise
    return Spooled(held, size, declared, head)


class Guard:
    """Fetches files within limits of size and time, from public addresses alone."""

    def __init__(
        self, settings: AttachmentSettings, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            transport=transport or httpx.AsyncHTTPTransport(),
            timeout=settings.time_limit.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._http.aclose()

    async def fetch(self, wanted: Fetch) -> Spooled:
        """The file. Raises RefusedFileError, or Retryable where another try may work."""
        try:
            async with asyncio.timeout(self._settings.time_limit.total_seconds()):
                return await self._follow(wanted)
        except (TimeoutError, httpx.TransportError, OSError) as error:
            raise Retryable(f"a file could not be fetched: {type(error).__name__}") from error
        except httpx.InvalidURL as error:
            raise RefusedFileError("its address can't be read") from error

    async def _follow(self, wanted: Fetch) -> Spooled:
        url, headers = wanted.url, dict(wanted.headers)
        for _ in range(MOST_REDIRECTS + 1):
            request = await self._request(url, headers)
            response = await self._http.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    return await self._read(response)
                url, headers = urljoin(url, response.headers["location"]), {}
            finally:
                await response.aclose()
        raise RefusedFileError("it redirects too often", Because.ANSWER)

    async def _request(self, url: str, headers: dict[str, str]) -> httpx.Request:
        """A request to the very address that was looked at: a name may mean another one a moment later."""
        parts = urlsplit(url)
        host, scheme = (parts.hostname or "").rstrip("."), parts.scheme.lower()
        trusted = host in self._settings.allow_hosts
        if scheme not in _PORTS or not host or parts.username or parts.password:
            raise RefusedFileError("its address is not a plain web address")
        if not trusted and (parts.port or _PORTS[scheme]) not in _PORTS.values():
            raise RefusedFileError("its address names an unusual port")
        address = await _resolve(host, parts.port or _PORTS[scheme], trusted=trusted)
        target = httpx.URL(url).copy_with(host=address)
        return self._http.build_request(
            "GET",
            target,
            headers={**headers, "Host": parts.netloc, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        )

    async def _read(self, response: httpx.Response) -> Spooled:
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(f"a file's server answered {response.status_code}", status=response.status_code)
        if not response.is_success:
            because = Because.GONE if response.status_code in _GONE else Because.ANSWER
            raise RefusedFileError(f"its server answered {response.status_code}", because)
        most = self._settings.max_bytes
        told = response.headers.get("content-length", "")
        _within(most, int(told) if told.isdecimal() else 0)
        return await spool(response.aiter_bytes(), response.headers.get("content-type", ""), most=most)


def _within(most: int, size: int) -> int:
    if size > most:
        raise RefusedFileError(f"it is larger than {most} bytes", Because.SIZE)
    return size


async def _resolve(host: str, port: int, *, trusted: bool) -> str:
    """An address of the host. Raises RefusedFileError if any of them isn't a public one."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise RefusedFileError("its server is unknown") from error
    addresses = [str(each[4][0]) for each in found]
    if not trusted and not all(is_public(address) for address in addresses):
        raise RefusedFileError("its address is not a public one")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether anybody may be there but ourselves: no private, loopback, link-local or reserved address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner: Collection[ipaddress.IPv4Address | None] = (found.ipv4_mapped, found.sixtofour)
        if found in _NAT64:
            inner = (ipaddress.IPv4Address(int(found) & 0xFFFFFFFF),)
        if any(each is not None and not is_public(str(each)) for each in inner):
            return False
        if found.ipv4_mapped is not None:
            return True
    return found.is_global and not found.is_multicast
