"""How a description walks pages: by number, offset, cursor, link, and by what changed since."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from describing import Vendor, acme, connect

from adapters.contract import Adapter
from adapters.errors import Rejected
from adapters.model import (
    Page,
    PullKind,
)

T = "2026-11-14T12:00:0{}Z"


def tickets(*seconds: int) -> list[dict[str, Any]]:
    """Tickets, by the second at which they changed."""
    return [{"id": each, "updated": T.format(each)} for each in seconds]


async def walked(
    adapter: Adapter, kind: PullKind = PullKind.CONVERSATIONS, cursor: str | None = None
) -> list[Page]:
    """All pages from a cursor to the end."""
    pages: list[Page] = []
    for _ in range(10):
        pages.append(await adapter.pull(kind, cursor, scope="3"))
        if pages[-1].last:
            return pages
        cursor = pages[-1].cursor
    raise AssertionError("it doesn't end")


def ids(pages: Sequence[Page]) -> list[list[str]]:
    """Which conversations each page holds."""
    return [[change.conversation.id for change in page.changes] for page in pages]  # type: ignore[union-attr]


def listing(**parts: Any) -> Any:
    """A description that lists tickets."""
    return acme(pages={"conversations": {"get": "/tickets", "items": "answer.items", **parts}})


async def test_pages_by_number(tmp_path: Path) -> None:
    """Until one isn't full; the next walk starts over."""
    vendor = Vendor({"items": tickets(1, 2), "n": 3}, {"items": tickets(3)}, {"items": []})
    paged = listing(
        next={"by": "number"}, size=2, query={"p": "${page.number}", "per": "${page.size}"}, total="answer.n"
    )
    pages = await walked(connect(tmp_path, paged, vendor))
    assert ids(pages) == [["1", "2"], ["3"]]
    assert vendor.asked == ["GET /api/tickets?p=1&per=2", "GET /api/tickets?p=2&per=2"]
    assert [page.total for page in pages] == [3, None]


async def test_pages_by_offset_and_their_own_end(tmp_path: Path) -> None:
    """Where the vendor says itself that a page is the last."""
    vendor = Vendor({"items": tickets(1, 2)}, {"items": tickets(3, 4), "done": True})
    paged = listing(next={"by": "offset"}, size=2, query={"skip": "${page.offset}"}, last="answer.done")
    assert ids(await walked(connect(tmp_path, paged, vendor))) == [["1", "2"], ["3", "4"]]
    assert vendor.asked == ["GET /api/tickets?skip=0", "GET /api/tickets?skip=2"]


async def test_pages_by_cursor(tmp_path: Path) -> None:
    """The first page is asked for without one; the walk ends where the vendor gives none."""
    vendor = Vendor(
        {"items": tickets(1), "meta": {"next": "c/2"}}, {"items": tickets(2), "meta": {"next": None}}
    )
    paged = listing(next={"by": "cursor", "cursor": "answer.meta.next"}, query={"after": "${page.cursor}"})
    assert ids(await walked(connect(tmp_path, paged, vendor))) == [["1"], ["2"]]
    assert vendor.asked == ["GET /api/tickets", "GET /api/tickets?after=c%2F2"]


def linked(to: str) -> httpx.Response:
    """A page whose header leads to the next."""
    return httpx.Response(200, json={"items": tickets(1)}, headers={"Link": f'<{to}>; rel="next"'})


async def test_pages_by_link(tmp_path: Path) -> None:
    """The header leads on, relative or not."""
    vendor = Vendor(linked("/api/tickets?page=2&x=%2F"), {"items": tickets(2)})
    assert ids(await walked(connect(tmp_path, listing(next={"by": "link"}), vendor))) == [["1"], ["2"]]
    assert vendor.asked == ["GET /api/tickets", "GET /api/tickets?page=2&x=%2F"]


@pytest.mark.parametrize(
    "to", ["https://evil.example/api/tickets", "http://acme.example/x", "//evil.example/"]
)
async def test_a_link_to_a_stranger_is_not_followed(tmp_path: Path, to: str) -> None:
    """The credentials would go along."""
    vendor = Vendor(linked(to))
    with pytest.raises(Rejected, match="another address"):
        await walked(connect(tmp_path, listing(next={"by": "link"}), vendor))
    assert len(vendor.seen) == 1


SINCE = {"p": "${page.number}", "since": "${page.since}"}


async def test_oldest_first_goes_on_from_the_last_change(tmp_path: Path) -> None:
    """A walk starts where the one before has ended, by the vendor's own filter."""
    vendor = Vendor({"items": tickets(1, 2)}, {"items": tickets(3)}, {"items": tickets(3)})
    adapter = connect(tmp_path, listing(next={"by": "number"}, size=2, order="oldest", query=SINCE), vendor)
    pages = await walked(adapter)
    await walked(adapter, cursor=pages[-1].cursor)
    assert vendor.asked[-1] == "GET /api/tickets?p=1&since=2026-11-14T12%3A00%3A03Z"


async def test_a_vendor_that_stops_after_so_many_pages_is_asked_anew(tmp_path: Path) -> None:
    """From the last change seen: Freshdesk gives 300 pages, and then an error."""
    vendor = Vendor(
        {"items": tickets(1, 2)}, {"items": tickets(3, 4)}, {"items": tickets(4, 5)}, {"items": []}
    )
    paged = listing(next={"by": "number", "most": 2}, size=2, order="oldest", since="s", query=SINCE)
    assert ids(await walked(connect(tmp_path, paged, vendor))) == [["1", "2"], ["3", "4"], ["4", "5"], []]
    at = int(datetime(2026, 11, 14, 12, 0, 4, tzinfo=UTC).timestamp())
    assert vendor.asked[2:] == [f"GET /api/tickets?p=1&since={at}", f"GET /api/tickets?p=2&since={at}"]
    stuck = connect(tmp_path, paged, Vendor({"items": tickets(4, 4)}))
    with pytest.raises(Rejected, match="only 2 pages"):
        await walked(stuck)


async def test_newest_first_ends_where_the_last_walk_began(tmp_path: Path) -> None:
    """What is known already is left out, and every page is told oldest first."""
    vendor = Vendor(
        {"items": tickets(4, 3)},
        {"items": tickets(2, 1)},
        {"items": []},
        {"items": tickets(6, 5)},
        {"items": tickets(4, 3)},
    )
    paged = listing(next={"by": "number"}, size=2, order="newest", query={"p": "${page.number}"})
    adapter = connect(tmp_path, paged, vendor)
    pages = await walked(adapter)
    assert ids(pages) == [["3", "4"], ["1", "2"], []]
    assert ids(await walked(adapter, cursor=pages[-1].cursor)) == [["5", "6"], ["4"]]


async def test_a_feed_goes_on_after_its_last_cursor(tmp_path: Path) -> None:
    """Even where the last page was empty and gave none."""
    vendor = Vendor({"items": tickets(1), "after": "a1"}, {"items": []}, {"items": []})
    paged = listing(
        next={"by": "cursor", "cursor": "answer.after"}, order="feed", query={"after": "${page.cursor}"}
    )
    adapter = connect(tmp_path, paged, vendor)
    pages = await walked(adapter)
    await walked(adapter, cursor=pages[-1].cursor)
    assert vendor.asked == ["GET /api/tickets"] + ["GET /api/tickets?after=a1"] * 2
