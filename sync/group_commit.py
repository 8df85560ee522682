"""Group commit: requests that arrive together share one transaction."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Collects items while earlier ones are being written, then writes them together.

    `write` commits a batch and returns a result for each item. An item is done only when its batch
    is. A write that fails, or takes longer than `limit`, fails all who wait: none of them may hope
    for better from the same database a moment later, and each has a sender that will try again.
    """

    def __init__(
        self,
        write: Callable[[list[T]], Awaitable[Sequence[R]]],
        *,
        most: int = 256,
        writers: int = 1,
        limit: timedelta | None = None,
    ) -> None:
        self._write = write
        self._most = most
        self._free = writers
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
        try:
            while self._waiting:
                count = min(self._most, len(self._waiting))
                await self._commit([self._waiting.popleft() for _ in range(count)])
        finally:
            self._free += 1

    async def _commit(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            async with asyncio.timeout(self._limit):
                results = await self._write([item for item, _ in batch])
        except BaseException as error:
            batch += self._waiting
            self._waiting.clear()
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(batch: list[tuple[T, asyncio.Future[R]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(
                error if isinstance(error, Exception) else ConnectionAbortedError("shutting down")
            )
