"""Group commit: requests that arrive together share one transaction."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[S, T, R]):
    """Collects items while earlier ones are being written, then writes them together.

    `write` commits a batch in a session and returns a result for each item; a session lasts while there is
    anything to write. An item is done only when its batch is. A writer begins no sooner than `pace` after it
    last began, so that more share what a write costs; who comes after a pause doesn't wait. A write that
    fails, or takes longer than `limit`, fails all who wait: none of them may hope for better from the same
    database a moment later, and each has a sender that will try again.
    """

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[S]],
        write: Callable[[S, list[T]], Awaitable[Sequence[R]]],
        *,
        most: int = 256,
        writers: int = 1,
        pace: timedelta = timedelta(0),
        limit: timedelta | None = None,
    ) -> None:
        self._session = session
        self._write = write
        self._most = most
        self._free = writers
        self._pace = pace.total_seconds()
        self._limit = limit.total_seconds() if limit else None
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, item: T) -> asyncio.Future[R]:
        """Await the result to know that the item is committed; raises what the write raised."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def close(self) -> None:
        """Wait until all that was submitted is written."""
        await asyncio.gather(*self._tasks)

    async def _drain(self) -> None:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        try:
            while self._waiting:
                try:
                    async with asyncio.timeout(self._limit) as patience, self._session() as session:
                        while self._waiting:
                            count = min(self._most, len(self._waiting))
                            batch = [self._waiting.popleft() for _ in range(count)]
                            began = asyncio.get_running_loop().time()
                            if self._limit is not None:
                                patience.reschedule(began + self._limit)
                            _succeed(batch, await self._write(session, [item for item, _ in batch]))
                            batch = []
                            if self._pace:
                                await asyncio.sleep(began + self._pace - asyncio.get_running_loop().time())
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told to those who wait
                    self._fail(batch, error)
        except BaseException:
            self._fail(batch, ConnectionAbortedError("shutting down"))
            raise
        finally:
            self._free += 1

    def _fail(self, batch: list[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
        failed = [*batch, *self._waiting]
        self._waiting.clear()
        for _, future in failed:
            if not future.done():
                future.set_exception(error)


def _succeed(batch: list[tuple[T, asyncio.Future[R]]], results: Sequence[R]) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():
            future.set_result(result)
