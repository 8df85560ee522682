"""Names and types of files that strangers send. Pure."""

import mimetypes
import re
from fnmatch import fnmatchcase
from urllib.parse import quote

from adapters.attachments import safe_name

_HEAD = 512
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
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(<!doctype|<!--|<html|<head|<body|<script|<svg|<\?xml)", re.IGNORECASE
)
_ZIPPED = ("application/zip", "application/x-zip*", "application/vnd.*", "application/epub+zip")
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ENDINGS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jfif": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "amr": "audio/amr",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "docx": f"{_OFFICE}wordprocessingml.document",
    "xlsx": f"{_OFFICE}spreadsheetml.sheet",
    "pptx": f"{_OFFICE}presentationml.presentation",
    "txt": "text/plain",
    "log": "text/plain",
    "csv": "text/csv",
}
"""What a browser or a desktop opens, and never carries out."""
_MEDIA = frozenset({"audio", "video"})
_KNOWN = mimetypes.MimeTypes()
_ANY = "application/octet-stream"


def named(name: str, kind: str) -> str:
    """A harmless name that ends as files of this type do: a text called `run.bat` is `run.bat.txt`."""
    safe = safe_name(name)
    ending = safe.rpartition(".")[2].lower() if "." in safe else ""
    if _fits(ending, kind):
        return safe
    usual = next((each for each, of in _ENDINGS.items() if of == kind), None)
    return safe_name(f"{safe}.{usual or (_KNOWN.guess_extension(kind) or '.bin')[1:]}")


def _fits(ending: str, kind: str) -> bool:
    means = _ENDINGS.get(ending)
    if means is None:
        return kind not in _ENDINGS.values() and _KNOWN.guess_type(f"x.{ending}")[0] == kind
    first, other = means.partition("/")[0], kind.partition("/")[0]
    return (
        means == kind
        or {first, other} <= _MEDIA
        or (kind == "application/zip" and means.startswith(_OFFICE))
        or (kind == "text/plain" and first == "text")
    )


def served_as(kind: str) -> str:
    """The type to hand a file to a browser with: one that it never carries out."""
    return kind if kind in _ENDINGS.values() or kind.partition("/")[0] in _MEDIA else _ANY


def disposition(name: str) -> str:
    """The header that makes a browser save a file under a safe name (RFC 6266)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


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
    if found in {"video/mp4", "video/webm", "audio/ogg"}:  # of each there is sound alone, and film
        return claimed if claimed.startswith(("video/", "audio/")) else None
    return found if found.partition("/")[0] == claimed.partition("/")[0] != "application" else None


def allowed(content_type: str, patterns: tuple[str, ...]) -> bool:
    """Whether a type is among those of the settings; `*` stands for anything."""
    return any(fnmatchcase(content_type, pattern) for pattern in patterns)
