"""Lists in pages: an opaque cursor, and a link to the next page."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar.exceptions import ClientException
from litestar.params import QueryParameter
from msgspec import Struct

MOST = 200
T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many at most on one page.")]
Cursor = Annotated[
    str | None, QueryParameter(description="Where the page before ended: from its `next` link.")
]


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[T]
    next: str | None


def encode(position: int) -> str:
    """A cursor that stands for a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode([position])).decode().rstrip("=")


def decode(cursor: str | None) -> int | None:
    """The position that a cursor stands for; `None` at the start."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        (position,) = msgspec.json.decode(raw, type=tuple[int])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise ClientException(detail="this cursor is not one of ours; start without one") from error
    return position


def page(
    items: Sequence[T], *, limit: int, path: str, query: Mapping[str, str | None], position: int | None
) -> Page[T]:
    """A page of `items`, which were asked for with one more than `limit`.

    `position` is that of the last item that is shown.
    """
    if len(items) <= limit or position is None:
        return Page(items=list(items), next=None)
    kept = {name: value for name, value in query.items() if value is not None}
    link = urlencode({**kept, "limit": limit, "cursor": encode(position)})
    return Page(items=list(items[:limit]), next=f"{path}?{link}")
