"""Asking the vendor: who we are, pages to their end, and things by their ids."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import httpx
from msgspec import UNSET, Struct, structs

from adapters.errors import AdapterError
from adapters.manifest import Capability, Tier
from adapters.model import (
    Change,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    FindMessage,
    Identity,
    MessagePosted,
    MessageRecord,
    Page,
    PullKind,
    Query,
)
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.checks.operations import KINDS, queries, scope_of
from adapters.testing.checks.reading import require_sound
from adapters.testing.subject import Subject

_PAGES = 50
_REQUESTS = 12
_RECORDS = {
    PullKind.CUSTOMERS: CustomerChanged,
    PullKind.CONVERSATIONS: ConversationChanged,
    PullKind.MESSAGES: MessagePosted,
}
_PASSING = frozenset({"raw", "updated_at", "revision", "url", "token"})
"""What may differ between two tellings of the same thing."""


@check(Tier.BRONZE)
async def credentials(subject: Subject) -> None:
    """`check` asks whose credentials these are, with few requests that change nothing."""
    async with subject.opened() as (adapter, watched):
        told = await adapter.check()
    require(told.strip(), "check() returns an empty text: say whom the credentials belong to")
    require(watched.seen, "check() asks the vendor nothing: wrong credentials would pass")
    writes = [request for request in watched.seen if request.method not in {"GET", "HEAD", "POST"}]
    require(not writes, f"check() writes: {[f'{each.method} {each.url.path}' for each in writes]}")


@check(Tier.SILVER)
async def pages_end(subject: Subject) -> None:
    """Every listing is walked to its end, page by page, each page in order, no cursor twice."""
    longest = 0
    for kind in _listed(subject):
        cursors: list[str | None] = [None]
        seen: set[str] = set()
        async for page in walk(subject, kind):
            for change in page.changes:
                require_sound(change)
                require(
                    isinstance(change, _RECORDS[kind]),
                    f"a page of {kind} holds a {type(change).__name__}, not only {_RECORDS[kind].__name__}s",
                )
            times = [change.occurred_at for change in page.changes]
            require(times == sorted(times), f"a page of {kind} is not oldest first: {times}")
            require(
                page.last or page.cursor not in cursors, f"{kind}: the cursor {page.cursor!r} comes twice"
            )
            cursors.append(page.cursor)
            seen |= _ids(page)
        await _require_the_end(subject, kind, cursors[-1], seen)
        longest = max(longest, len(cursors) - 1)
    require(longest > 1, "let the scripted vendor give something on two pages at least")


async def _require_the_end(subject: Subject, kind: PullKind, cursor: str | None, seen: set[str]) -> None:
    """What comes after the last page, if anything can be asked, is nothing that the walk didn't meet."""
    try:
        async with subject.opened() as (adapter, _):
            after = await adapter.pull(kind, cursor, scope=scope_of(subject, kind))
    except (AdapterError, AssertionError):
        return
    more = sorted(_ids(after) - seen)
    require(
        not more, f"a page of {kind} says that it is the last, and after its cursor {cursor!r} come {more}"
    )


def _ids(page: Page) -> set[str]:
    return {record.id for change in page.changes for record in records_of(change)}


@check(Tier.SILVER)
async def pages_resume(subject: Subject) -> None:
    """From a stored cursor another process gets the same page: nothing is kept in the adapter."""
    for kind in _listed(subject):
        cursor: str | None = None
        async for page in walk(subject, kind):
            async with subject.opened() as (adapter, _):
                again = await adapter.pull(kind, cursor, scope=scope_of(subject, kind))
            require(again == page, f"{kind} from the cursor {cursor!r}: another process gets another page")
            cursor = page.cursor


@check(Tier.SILVER)
async def one_page_at_a_time(subject: Subject) -> None:
    """One pull is one page, though the vendor repeats itself for ever: walking is the engine's."""
    for kind in _listed(subject):
        async with subject.opened(_Stuck(subject.vendor())) as (adapter, watched):
            cursor = None
            for _ in range(3):
                before = len(watched.seen)
                try:
                    page = await adapter.pull(kind, cursor, scope=scope_of(subject, kind))
                except AdapterError:
                    break
                asked = len(watched.seen) - before
                require(
                    asked <= _REQUESTS, f"one page of {kind} took {asked} requests: return after one page"
                )
                cursor = page.cursor


@check(Tier.SILVER)
async def told_alike(subject: Subject) -> None:
    """What a webhook and the API tell of the same thing becomes the same record."""
    heard = [record for changes in subject.changes.values() for c in changes for record in records_of(c)]
    asked: list[Any] = []
    for kind in _listed(subject):
        async for page in walk(subject, kind):
            asked += [record for change in page.changes for record in records_of(change)]
    for needed in (ConversationRecord, MessageRecord):
        pairs = [(a, b) for a in heard for b in asked if type(a) is type(b) is needed and _comparable(a, b)]
        require(
            pairs or not asked,
            f"no {needed.__name__} of the webhooks is among the scripted answers: let both tell of the same",
        )
        _require_alike(pairs)


def _require_alike(pairs: Sequence[tuple[Any, Any]]) -> None:
    """What the API tells of a thing must agree with one webhook at least: the others tell of other times."""
    faults: dict[str, list[str]] = {}
    for heard, asked in pairs:
        faults.setdefault(asked.id, []).append(", ".join(_differences(heard, asked)))
    for which, found in faults.items():
        nearest = min(found, key=len)
        require(not nearest, f"{which} is told differently by webhook and by the API: {nearest}")


def _asked(subject: Subject) -> list[tuple[Capability, Query]]:
    """What it says it can find; a message is looked for after it was sent: `own_words`."""
    can = subject.adapter.manifest.capabilities
    asked = [(needed, query) for needed, query in queries(subject).items() if needed in can]
    if not asked:
        raise NotApplicable("it finds nothing")
    return [(needed, query) for needed, query in asked if not isinstance(query, FindMessage)]


@check(Tier.SILVER)
async def found(subject: Subject) -> None:
    """Whatever it says it can find it finds."""
    for needed, query in _asked(subject):
        async with subject.opened() as (adapter, _):
            result = await adapter.find(query)
        require(result is not None, f"{needed}: {query} finds nothing at the scripted vendor")
        require(
            not isinstance(result, ConversationRecord | MessageRecord) or result.raw,
            f"{needed}: the record's raw is empty: the vendor's own shape must be kept",
        )


@check(Tier.SILVER)
async def not_found(subject: Subject) -> None:
    """Of what isn't there `find` says `None`."""
    for needed, query in _asked(subject):
        async with subject.opened(_Missing()) as (adapter, _):
            try:
                result = await adapter.find(query)
            except AdapterError as error:
                raise AssertionError(f"{needed}: a 404 is {error!r}; look() makes it None") from error
        require(result is None, f"{needed}: a 404 yields {result}")


def records_of(change: Change) -> Sequence[Any]:
    """The records that a change holds."""
    held = [getattr(change, name, None) for name in ("message", "conversation", "customer")]
    return [each for each in held if each is not None]


def _differences(heard: Any, asked: Any) -> list[str]:
    names = [name for name in _told(heard) & _told(asked) if name not in _PASSING]
    values = [(name, getattr(heard, name), getattr(asked, name)) for name in sorted(names)]
    return [f"{name} is {a!r} and {b!r}" for name, a, b in values if not _alike(a, b)]


def _comparable(heard: Any, asked: Any) -> bool:
    """Whether both tell of the same thing, and more than its id."""
    return heard.id == asked.id and len(_told(heard) & _told(asked) - _PASSING) > 1


def _told(record: Struct) -> set[str]:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return {name for name, value in values.items() if value is not UNSET and value not in (None, (), "")}


def _alike(first: Any, second: Any) -> bool:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return set(map(repr, map(_bare, first))) == set(map(repr, map(_bare, second)))
    return bool(_bare(first) == _bare(second))


def _bare(value: Any) -> Any:
    """Whether an address is proven, and how a person is called, not every telling says."""
    match value:
        case Identity():
            return structs.replace(value, verified=False)
        case Struct() if hasattr(value, "id") and hasattr(value, "name"):
            return value.id
        case datetime():
            return value.replace(microsecond=0)
        case _:
            return value


def _listed(subject: Subject) -> list[PullKind]:
    kinds = [kind for kind, needed in KINDS.items() if needed in subject.adapter.manifest.capabilities]
    if not kinds:
        raise NotApplicable("it lists nothing")
    return kinds


async def walk(subject: Subject, kind: PullKind) -> AsyncIterator[Page]:
    """Every page of a listing at the scripted vendor."""
    async with subject.opened() as (adapter, _):
        cursor = None
        for _ in range(_PAGES):
            page: Any = await adapter.pull(kind, cursor, scope=scope_of(subject, kind))
            require(isinstance(page, Page), f"pull({kind}) gives {page!r:.80}: return a Page")
            require(
                page.cursor is None or isinstance(page.cursor, str),
                f"pull({kind}) gives the cursor {page.cursor!r}: make it a text, for it is stored as one",
            )
            yield page
            if page.last:
                return
            cursor = page.cursor
        raise AssertionError(f"{kind} do not end after {_PAGES} pages of the scripted vendor")


class _Stuck(httpx.AsyncBaseTransport):
    """A vendor that gives its first answer to a path again and again, whatever page is asked for."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self._first: dict[tuple[str, str], httpx.Response] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer that the path had first."""
        place = (request.method, request.url.path)
        if place not in self._first:
            answer = await self._vendor.handle_async_request(request)
            await answer.aread()
            self._first[place] = answer
        answer = self._first[place]
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


class _Missing(httpx.AsyncBaseTransport):
    """A vendor at which nothing is there."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """404."""
        await request.aread()
        return httpx.Response(404, json={})
