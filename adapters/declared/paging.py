"""Walks over a vendor's lists by their description: what to ask for now, and where to go on. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import httpx
import msgspec

from adapters.attachments import same_origin
from adapters.declared import description as declared
from adapters.errors import Rejected
from adapters.times import EPOCH


class Walk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far a walk has come: `page` of those after `since`; `newest` is the latest change seen so far."""

    page: int = 0
    mark: str | None = None
    since: datetime | None = None
    newest: datetime | None = None

    @classmethod
    def at(cls, cursor: str | None) -> Self:
        """The walk that a cursor stands for."""
        return msgspec.json.decode(cursor, type=cls) if cursor else cls()

    def cursor(self) -> str:
        """The walk as a cursor."""
        return msgspec.json.encode(self).decode()

    def asked(self, listing: declared.Listing) -> dict[str, Any]:
        """What a request may read as `page`. What isn't there yet is missing: a parameter is left out."""
        first = 1 if listing.next.first is None else listing.next.first
        asked: dict[str, Any] = {"number": first + self.page, "offset": self.page * listing.size}
        if listing.size:
            asked["size"] = listing.size
        if self.mark is not None:
            asked["cursor"] = self.mark
        if self.since is not None:
            asked["since"] = _written(self.since, listing.since)
        return asked

    def step(
        self, listing: declared.Listing, times: Sequence[datetime | None], *, mark: str | None, over: bool
    ) -> tuple[Self, bool]:
        """The walk after a page whose items changed at these times, and whether it has ended.

        `mark` is where the next page is, as the vendor says; `over`, that it says there is none.
        """
        known = [each for each in times if each is not None]
        newest = max([*known, *([self.newest] if self.newest else [])], default=None)
        again = type(self)(since=newest or self.since)
        if listing.order == "newest" and self.since is not None and any(each < self.since for each in known):
            return again, True
        if over or (listing.last is None and self._short(listing, len(times))):
            return self._ended(listing, again, mark), True
        if listing.next.most is not None and self.page + 1 >= listing.next.most:
            if newest is None or newest == self.since:
                raise Rejected(
                    f"of what changed at one moment the vendor gives only {listing.next.most} pages"
                )
            return again, False
        return msgspec.structs.replace(self, page=self.page + 1, mark=mark, newest=newest), False

    def _short(self, listing: declared.Listing, items: int) -> bool:
        return items == 0 or (listing.next.by in {"number", "offset"} and items < listing.size)

    def _ended(self, listing: declared.Listing, again: Self, mark: str | None) -> Self:
        """Where the next walk begins."""
        match listing.order:
            case "any":
                return type(self)()
            case "feed":
                return type(self)(mark=mark or self.mark)
            case _:
                return again


def following(response: httpx.Response, base_url: str) -> str | None:
    """The address in the header Link with `rel="next"`; only our vendor's own. Raises Rejected."""
    found = response.links.get("next", {}).get("url")
    if found is None:
        return None
    address = str(response.url.join(found))
    if not same_origin(address, base_url):
        raise Rejected("the next page is said to be at another address than the configured one")
    return address


def new_ones(walk: Walk, listing: declared.Listing, times: Sequence[datetime | None]) -> list[int]:
    """Which items of a page are new to this walk, oldest first, as positions."""
    kept = [
        index
        for index, at in enumerate(times)
        if listing.order != "newest" or walk.since is None or at is None or at >= walk.since
    ]
    return sorted(kept, key=lambda index: times[index] or EPOCH)


def _written(moment: datetime, how: str) -> str | int:
    match how:
        case "s":
            return int(moment.timestamp())
        case "ms":
            return int(moment.timestamp() * 1000)
        case _:
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
