"""What strangers send is fetched from public addresses alone, within limits, and passed on as what it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.bridge import free_port, serving

from adapters.attachments import LONGEST_NAME, Fetch, safe_name
from adapters.errors import Retryable
from config.settings import AttachmentSettings
from gateway.files import guard as guarding
from gateway.files import naming
from gateway.files.guard import Guard, RefusedFileError, is_public

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


class Server:
    """A web server that answers as it is told, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.location = ""
        self.body = PNG
        self.pause = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})
            return
        self.asked.append({k.decode(): v.decode() for k, v in scope["headers"]})
        if scope["path"] == "/elsewhere":
            headers = [(b"location", self.location.encode()), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]}
        )
        for start in range(0, len(self.body), 1000):
            await asyncio.sleep(self.pause)
            more = start + 1000 < len(self.body)
            await send(
                {"type": "http.response.body", "body": self.body[start : start + 1000], "more_body": more}
            )


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, int]]:
    """A server on loopback, and its port."""
    app, port = Server(), free_port()
    async with serving(app, port):
        yield app, port


def settings(**options: Any) -> AttachmentSettings:
    """Loopback allowed by its number, but not by its name."""
    return AttachmentSettings(**{"allow_hosts": frozenset({"127.0.0.1"})} | options)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"],
)  # fmt: skip
def test_our_own_networks_are_not_public(address: str) -> None:
    """Whatever way a private address is written."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_others_are(address: str) -> None:
    """Where vendors keep their files."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:{port}/a", "http://127.1:{port}/a", "http://[::1]:{port}/a", "http://2130706433:{port}/a",
     "file:///etc/passwd", "ftp://127.0.0.1/a", "http://user:word@127.0.0.1:{port}/a", "http:///a",
     "http://8.8.8.8:22/a"],
)  # fmt: skip
async def test_such_addresses_are_never_asked(server: tuple[Server, int], url: str) -> None:
    """Names and numbers that mean this machine, other schemes, credentials, other ports."""
    app, port = server
    guard = Guard(settings())
    with pytest.raises((RefusedFileError, Retryable)):
        await guard.fetch(Fetch(url=url.format(port=port)))
    assert app.asked == []
    await guard.aclose()


async def test_a_name_that_turns_into_ours_is_refused(
    server: tuple[Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is where it leads; one private address among several is enough."""
    app, port = server
    loop = asyncio.get_running_loop()

    async def resolve(*_: Any, **__: Any) -> Any:
        return [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    guard = Guard(settings())
    with pytest.raises(RefusedFileError, match="public"):
        await guard.fetch(Fetch(url="http://files.example/a"))
    assert app.asked == []
    await guard.aclose()


async def test_a_redirect_to_our_own_network_is_not_followed(server: tuple[Server, int]) -> None:
    """Each step is looked at like the first; credentials go nowhere else."""
    app, port = server
    guard = Guard(settings())
    app.location = f"http://localhost:{port}/secret"
    with pytest.raises(RefusedFileError, match=r"public|port"):
        await guard.fetch(Fetch(url=f"http://127.0.0.1:{port}/elsewhere", headers={"Authorization": "token"}))
    app.location = f"http://127.0.0.1:{port}/a.png"
    got = await guard.fetch(
        Fetch(url=f"http://127.0.0.1:{port}/elsewhere", headers={"Authorization": "token"})
    )
    got.file.close()
    assert ["authorization" in each for each in app.asked] == [True, True, False]
    app.location = f"http://127.0.0.1:{port}/elsewhere"
    with pytest.raises(RefusedFileError, match="too often"):
        await guard.fetch(Fetch(url=f"http://127.0.0.1:{port}/elsewhere"))
    await guard.aclose()


async def test_what_is_too_large_or_too_slow_is_broken_off(server: tuple[Server, int]) -> None:
    """Whatever the server says of its length."""
    app, port = server
    app.body = PNG * 1000
    small = Guard(settings(max_bytes=5000))
    with pytest.raises(RefusedFileError, match="larger"):
        await small.fetch(Fetch(url=f"http://127.0.0.1:{port}/a"))
    app.pause = 0.3
    hasty = Guard(settings(time_limit=timedelta(seconds=0.5)))
    with pytest.raises(Retryable):
        await hasty.fetch(Fetch(url=f"http://127.0.0.1:{port}/a"))
    await small.aclose()
    await hasty.aclose()


@pytest.mark.parametrize(
    ("declared", "content", "kind"),
    [
        ("image/png", PNG, "image/png"),
        ("image/jpeg", PNG, "image/png"),
        ("", PNG, "image/png"),
        ("image/png", b"<html><script>alert(1)</script>", None),
        ("image/png", b"MZ\x90\0", None),
        ("image/svg+xml", b"<svg onload=alert(1)>", None),
        ("application/pdf", b"%PDF-1.7", "application/pdf"),
        ("application/pdf", b"\x7fELF\x02", None),
        ("application/octet-stream", b"MZ\x90\0", "application/x-dosexec"),
        ("text/plain; charset=utf-8", "你好".encode(), "text/plain"),
        ("text/plain", b"a\0b", None),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)  # fmt: skip
def test_content_is_judged_by_what_it_is(declared: str, content: bytes, kind: str | None) -> None:
    """A type is believed only where the first bytes agree."""
    assert naming.judged(declared, content) == kind


def test_programs_and_pages_are_not_among_the_types() -> None:
    """The packaged settings pass on pictures, sound, films, documents: nothing that is carried out."""
    types = AttachmentSettings().types
    for kind in ("application/x-dosexec", "text/html", "image/svg+xml", "application/x-executable"):
        assert not naming.allowed(kind, types)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\0b\r\nc.png", "abc.png"),
        ("...", "file"),
        ("", "file"),
        ("收據 1.png", "收據 1.png"),
        ("x" * 300 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_names_harm_nobody(name: str, safe: str) -> None:
    """No path, no control or hidden characters, no endless names."""
    assert safe_name(name) == safe


def test_a_few_redirects_are_enough() -> None:
    """The limit is a small one."""
    assert guarding.MOST_REDIRECTS <= 5
