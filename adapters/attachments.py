"""Files on their way: how an adapter gets those to send, and how those that came are asked for.

The engine does the fetching and the spooling, with its limits of size and type; no adapter opens a file.
"""

import re
import unicodedata
from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

CHUNK = 64 * 1024
LONGEST_NAME = 120
_UNSAFE = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
)
_MARKS = frozenset({"Cf", "Cc", "Co", "Cs"})


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One file to send, spooled by the engine; `size` in bytes, the name already made harmless."""

    name: str
    content_type: str
    size: int
    file: BinaryIO

    def part(self) -> tuple[str, BinaryIO, str]:
        """For a multipart form: `call(..., files={"file": upload.part()})`."""
        self.file.seek(0)
        return self.name, self.file, self.content_type

    async def chunks(self) -> AsyncIterator[bytes]:
        """For a bare body: `call(..., content=upload.chunks(), headers=upload.headers)`."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a bare body."""
        return {"Content-Type": self.content_type, "Content-Length": str(self.size)}

    def read(self) -> bytes:
        """For vendors that want it inside JSON: all of it at once."""
        self.file.seek(0)
        return self.file.read()


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """How an attachment is asked for. `headers` go to the host of `url` alone, never along a redirect."""

    url: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


def same_origin(url: str, other: str) -> bool:
    """Whether both are of one scheme, host and port: only then may credentials for one go to the other."""
    first, second = urlsplit(url), urlsplit(other)
    return (first.scheme, first.netloc.lower()) == (second.scheme, second.netloc.lower())


def safe_name(name: str) -> str:
    """A name that harms nobody: no path, no control or hidden characters, not too long, never empty."""
    last = re.split(r"[\\/]", name)[-1]
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in _MARKS)
    clean = _UNSAFE.sub("_", plain).strip(" .") or "file"
    if clean.partition(".")[0].strip().upper() in _DEVICES:
        clean = f"_{clean}"
    stem, dot, end = clean.rpartition(".")
    if len(clean) <= LONGEST_NAME:
        return clean
    return f"{stem[: LONGEST_NAME - len(end) - 1]}.{end}" if dot and len(end) <= 10 else clean[:LONGEST_NAME]  # noqa: PLR2004 - an extension
