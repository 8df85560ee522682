"""Fetching a connection's records page by page: backfills, reconciliations, polls.

What a page brings that we lack enters the inbox in the transaction that moves the cursor, so a walk can be
cut off at any moment and goes on where it was. The workers do the rest, as with webhooks.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.contract import Adapter
from adapters.errors import Fatal, Held, Rejected, Retryable, Unsupported
from adapters.model import Page, PullKind
from config.clock import Clock
from config.settings import PullSettings
from gateway.limits.purpose import spending
from gateway.pages import Fetched, Storing
from sync.priority import Priority
from sync.pull import Circle, End, RepeatedCursorError, remember, restart
from sync.store import pulls
from sync.store.pulls import Cursor, Run

log = structlog.get_logger()
T = TypeVar("T")
AT_ONCE = 8
"""So many conversations' messages are fetched side by side."""
LONGEST_PAUSE = timedelta(minutes=1)
LONGEST_HOLD = 15 * 60.0
"""A request that our own limits or an open breaker hold back for so many seconds ends the run."""
SAID_PAUSE = timedelta(seconds=3)
LOOK_AGAIN = 0.05
SAY_AFTER = 10.0
SETTLE_POLL = 5.0
"""A poll waits no longer for the customers it found before it goes on to their conversations."""
FORGET_AFTER = timedelta(days=7)
GONE = frozenset({404, 410})


class Purpose(StrEnum):
    """Why records are fetched."""

    BACKFILL = "backfill"
    POLL = "poll"
    RECONCILE = "reconcile"


class PullStoppedError(Exception):
    """A run can't go on now; the message says why. What is stored stays, and the next run goes on there."""


class PullBusyError(Exception):
    """Another process is at it."""


class Watch(Protocol):
    """Who looks on while pages come."""

    def progress(self, run: Run) -> None:
        """A page was stored."""

    def waiting(self, why: str) -> None:
        """Nothing moves for a while."""


class Quiet:
    """Looks away."""

    def progress(self, run: Run) -> None:
        """Nothing."""

    def waiting(self, why: str) -> None:
        """Nothing."""


class Puller:
    """Walks over the records of one connection."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        name: str,
        adapter: Adapter,
        settings: PullSettings,
        clock: Clock,
        watch: Watch | None = None,
    ) -> None:
        self._engine = engine
        self.name = name
        self.adapter = adapter
        self._settings = settings
        self.clock = clock
        self._watch = watch or Quiet()
        self._room = 0

    @asynccontextmanager
    async def session(self, purpose: Purpose) -> AsyncIterator[AsyncConnection]:
        """A database session that alone pulls for this purpose here. Raises PullBusyError."""
        async with self._engine.connect() as database:
            async with database.begin():
                free = await pulls.try_lock(database, f"{purpose}/{self.name}")
            if not free:
                raise PullBusyError(f"another process is already at the {purpose} of {self.name!r}")
            try:
                yield database
            finally:
                # The pool keeps the session, and a session keeps its lock.
                await database.invalidate()

    async def backfill(self, since: datetime | None = None, *, anew: bool = False) -> Run:
        """Fetch everything, or go on with a backfill that was cut off; `since` leaves out what was quiet.

        Raises PullStoppedError, PullBusyError.
        """
        async with self.session(Purpose.BACKFILL) as database:
            run = await self.begin(database, Purpose.BACKFILL, since=since, anew=anew)
            async with self.ending(database, run):
                await self.walk(database, run)
                await self.settle(database)
            return run

    async def poll(self) -> Run:
        """Fetch what has changed since the last poll. Raises PullStoppedError, PullBusyError."""
        async with self.session(Purpose.POLL) as database:
            async with database.begin():
                run = await pulls.latest_run(database, name=self.name, purpose=Purpose.POLL)
            if run is None:
                run = await self.begin(database, Purpose.POLL)
            run.state, run.reason = "running", None
            try:
                await self.walk(database, run)
            except PullStoppedError as stopped:
                run.state, run.reason = "stopped", str(stopped)
                async with database.begin():
                    await pulls.save_run(database, run)
                raise
            async with database.begin():
                await pulls.save_run(database, run)
                await pulls.forget_scopes(database, run.ref, before=self.clock() - FORGET_AFTER)
            return run

    async def begin(
        self,
        database: AsyncConnection,
        purpose: Purpose,
        *,
        since: datetime | None = None,
        anew: bool = False,
    ) -> Run:
        """The run to go on with, or a new one."""
        async with database.begin():
            run = await pulls.latest_run(database, name=self.name, purpose=purpose)
            if run is None or run.state == "done" or anew:
                return await pulls.open_run(
                    database, name=self.name, purpose=purpose, since=since, now=self.clock()
                )
            if purpose is Purpose.BACKFILL and since is not None and since != run.since:
                raise PullStoppedError(
                    f"{purpose} {run.ref} of {self.name!r} was cut off and reaches back to"
                    f" {run.since or 'the beginning'}: go on with it by leaving --since out, or add --anew"
                )
            run.state, run.reason = "running", None
            await pulls.save_run(database, run)
            return run

    @asynccontextmanager
    async def ending(self, database: AsyncConnection, run: Run) -> AsyncIterator[None]:
        """Store how a run ends: well, or for which reason not."""
        try:
            yield
        except PullStoppedError as stopped:
            run.state, run.reason = "stopped", str(stopped)
            async with database.begin():
                await pulls.save_run(database, run)
            raise
        run.state, run.ended_at = "done", self.clock()
        async with database.begin():
            await pulls.save_run(database, run)

    async def walk(self, database: AsyncConnection, run: Run) -> None:
        """Read every page not read yet: customers, then conversations, each page with its messages."""
        storing = Storing(database, run, name=self.name, live_from=self._live_from(run), clock=self.clock)
        await self._walk(storing, PullKind.CUSTOMERS)
        # A conversation finds its customer when that one is there already.
        limit = SETTLE_POLL if run.purpose == Purpose.POLL else None
        await self.settle(database, limit=limit)
        # Cut off between a page of conversations and their messages: those come first.
        await self._messages(storing)
        await self._walk(storing, PullKind.CONVERSATIONS)

    def _live_from(self, run: Run) -> datetime | None:
        return self.clock() - self._settings.live_for if run.purpose == Purpose.POLL else None

    async def _walk(self, storing: Storing, kind: PullKind) -> None:
        place = await self._place(storing, kind)
        if place.done:
            return
        circle = Circle()
        while True:
            began = self.clock()
            page = await self._list(storing, kind, place)
            if page is None:
                return
            _step(circle, page)
            await self._make_room(storing.database)
            place = self._next(place, page, storing.run, began)
            self._room -= await storing.store(kind, page, place)
            self._watch.progress(storing.run)
            if kind is PullKind.CONVERSATIONS:
                await self._messages(storing)
            if page.last:
                return

    async def _place(self, storing: Storing, kind: PullKind) -> Cursor:
        """Where a walk begins: never at "now", always a little before where the last one came to."""
        run, database = storing.run, storing.database
        async with database.begin():
            stored = await pulls.load_cursor(database, run.ref, kind)
            if stored is None and run.purpose == Purpose.POLL:
                stored = await self._after_backfill(database, kind)
        if stored is None:
            return Cursor(kind=kind)
        if not stored.done:
            return msgspec.structs.replace(stored, cursor=stored.behind)
        if run.purpose != Purpose.POLL:
            return stored
        start = restart(stored.ends, now=self.clock(), overlap=self._settings.overlap)
        return msgspec.structs.replace(stored, cursor=start, behind=start, done=False)

    async def _after_backfill(self, database: AsyncConnection, kind: PullKind) -> Cursor | None:
        run = await pulls.latest_run(database, name=self.name, purpose=Purpose.BACKFILL)
        if run is None or run.state != "done":
            return None
        return await pulls.load_cursor(database, run.ref, kind)

    def _next(self, place: Cursor, page: Page, run: Run, began: datetime) -> Cursor:
        ends: Sequence[End] = place.ends
        if page.last:
            overlap = self._settings.overlap if run.purpose == Purpose.POLL else timedelta(0)
            ends = remember(ends, End(began, page.cursor), overlap=overlap)
        return msgspec.structs.replace(
            place, cursor=page.cursor, behind=place.cursor, done=page.last, ends=tuple(ends)
        )

    async def _list(self, storing: Storing, kind: PullKind, place: Cursor) -> Page | None:
        try:
            return await self.ask(lambda: self.adapter.pull(kind, place.cursor))
        except Unsupported as error:
            storing.run.of(kind).problem = error.detail
            return None
        except Rejected as error:
            raise PullStoppedError(f"a page of {kind} was refused: {error.detail}") from error

    async def _messages(self, storing: Storing) -> None:
        """Read the messages of all conversations that are noted to be read."""
        circles: dict[str, Circle] = {}
        while scopes := await storing.open_scopes(AT_ONCE):
            fetched = await _gather(self._thread(storing, scope) for scope in scopes)
            for each in fetched:
                if each.page is not None:
                    _step(circles.setdefault(each.scope.scope, Circle()), each.page)
            await self._make_room(storing.database)
            self._room -= await storing.store_messages(fetched)
            self._watch.progress(storing.run)

    async def _thread(self, storing: Storing, scope: Cursor) -> Fetched:
        """A page of a conversation's messages; none when the vendor no longer has it, or refuses."""
        try:
            page = await self.ask(
                lambda: self.adapter.pull(PullKind.MESSAGES, scope.cursor, scope=scope.scope)
            )
        except Rejected as error:
            if error.status not in GONE:
                storing.run.of(PullKind.MESSAGES).problem = error.detail
                log.warning(
                    "messages_not_read", connection=self.name, conversation=scope.scope, why=str(error)
                )
            return Fetched(scope, None)
        return Fetched(scope, page)

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """One request, through passing faults. Raises PullStoppedError, and Rejected as it comes.

        Every request of a pull is made here, and takes the last place at the vendor's limits.
        """
        failed = 0
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LONGEST_HOLD
        while True:
            try:
                with spending(Priority.BACKFILL):
                    return await request()
            except Held as error:
                if loop.time() > give_up:
                    raise PullStoppedError(
                        f"held back for {LONGEST_HOLD / 60:.0f} min: {error.detail}"
                    ) from error
                pause = error.retry_after or self._settings.first_retry
                if pause >= SAID_PAUSE:
                    self._watch.waiting(f"{error.detail}; again in {pause.total_seconds():.0f} s")
            except Retryable as error:
                failed += 1
                if failed >= self._settings.attempts:
                    raise PullStoppedError(f"{failed} tries failed in a row: {error.detail}") from error
                pause = min(LONGEST_PAUSE, self._settings.first_retry * 2 ** (failed - 1))
                pause = max(pause, error.retry_after or timedelta())
                self._watch.waiting(f"{error.detail}; again in {pause.total_seconds():.1f} s")
            except Fatal as error:
                raise PullStoppedError(error.detail) from error
            await asyncio.sleep(pause.total_seconds())

    async def _make_room(self, database: AsyncConnection) -> None:
        """Wait while too much history waits to be worked."""
        if self._room > 0:
            return
        most = self._settings.backlog
        await self._until(database, at_most=most // 2, name=None, limit=None)
        self._room = most - most // 2

    async def settle(self, database: AsyncConnection, *, limit: float | None = None) -> None:
        """Wait until the workers have worked what was fetched; no longer than `limit` seconds."""
        await self._until(database, at_most=0, name=self.name, limit=limit)

    async def _until(
        self, database: AsyncConnection, *, at_most: int, name: str | None, limit: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        began = moved = loop.time()
        before = -1
        while True:
            async with database.begin():
                waiting = await pulls.count_history(database, name=name, most=self._settings.backlog * 2)
            now = loop.time()
            if waiting <= at_most or (limit is not None and now - began >= limit):
                return
            if waiting != before:
                before, moved = waiting, now
            elif now - moved >= SAY_AFTER:
                self._watch.waiting(f"{waiting} fetched events wait to be worked: is a worker running?")
                moved = now
            await asyncio.sleep(LOOK_AGAIN)


async def _gather(works: Iterable[Coroutine[object, object, T]]) -> list[T]:
    """The results of all; when one fails, its error, once none is under way any more."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _step(circle: Circle, page: Page) -> None:
    if not page.last:
        try:
            circle.step(page.cursor)
        except RepeatedCursorError as error:
            raise PullStoppedError(str(error)) from error
