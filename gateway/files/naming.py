"""Names and types of files that strangers send. Pure."""

import re
import unicodedata
from fnmatch import fnmatchcase

LONGEST_NAME = 120
_HEAD = 512
_UNSAFE = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_MARKS = frozenset({"Cf", "Cc", "Co", "Cs"})
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"#!AMR", "audio/amr"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"#!", "text/x-script"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_MARKUP = re.compile(rb"\s*(<!doctype|<html|<head|<body|<script|<svg|<\?xml)", re.IGNORECASE)
_ZIPPED = ("application/zip", "application/x-zip*", "application/vnd.*", "application/epub+zip")


def safe_name(name: str) -> str:
    """A name that harms nobody: no path, no control or hidden characters, not too long, never empty."""
    last = re.split(r"[\\/]", name)[-1]
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in _MARKS)
    clean = _UNSAFE.sub("_", plain).strip(" .") or "file"
    stem, dot, end = clean.rpartition(".")
    if len(clean) <= LONGEST_NAME:
        return clean
    return f"{stem[: LONGEST_NAME - len(end) - 1]}.{end}" if dot and len(end) <= 10 else clean[:LONGEST_NAME]  # noqa: PLR2004 - an extension


def kind_of(head: bytes) -> str | None:
    """What a file's first bytes say that it is; `None` if they say nothing."""
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return "video/mp4"
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if found is None and _MARKUP.match(head[:_HEAD]):
        return "text/html"
    return found


def judged(declared: str, head: bytes) -> str | None:
    """The type to send a file as, or `None` where its content isn't what it claims to be."""
    claimed = declared.partition(";")[0].strip().lower()
    found = kind_of(head)
    if found is None:
        binary = b"\0" in head
        return None if claimed.startswith("text/") and binary else claimed
    if claimed in {"", "application/octet-stream", "binary/octet-stream", found}:
        return found
    if found == "application/zip":
        return claimed if allowed(claimed, _ZIPPED) else None
    if found == "video/mp4":
        return claimed if claimed.startswith(("video/", "audio/")) else None
    return found if found.partition("/")[0] == claimed.partition("/")[0] != "application" else None


def allowed(content_type: str, patterns: tuple[str, ...]) -> bool:
    """Whether a type is among those of the settings; `*` stands for anything."""
    return any(fnmatchcase(content_type, pattern) for pattern in patterns)
