"""Lists in pages: an opaque cursor, and a link to the next page."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from litestar.exceptions import ClientException
from litestar.params import QueryParameter

MOST = 200
_LARGEST = 2**53 - 1
_FOREIGN = "this cursor is not one of ours; start without one"

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many at most on one page.")]
Cursor = Annotated[
    str | None, QueryParameter(description="Where the page before ended: from its `next` link.")
]


def encode(*position: int) -> str:
    """A cursor that stands for a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode(cursor: str | None) -> int | None:
    """The position that a cursor stands for; `None` at the start."""
    parts = decode_parts(cursor, 1)
    return parts[0] if parts else None


def decode_parts(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """The same for positions of several parts."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parts = msgspec.json.decode(raw, type=tuple[int, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise ClientException(detail=_FOREIGN) from error
    if len(parts) != count or not all(0 <= part <= _LARGEST for part in parts):
        raise ClientException(detail=_FOREIGN)
    return parts


def following(
    *, path: str, query: Mapping[str, str | None], limit: int, position: int | tuple[int, ...] | None
) -> str | None:
    """The path of the next page; `position` is that of this page's last item, `None` on the last page."""
    if position is None:
        return None
    parts = (position,) if isinstance(position, int) else position
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode({**kept, 'limit': limit, 'cursor': encode(*parts)})}"
