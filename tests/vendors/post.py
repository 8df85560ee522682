"""Where a made-up vendor's webhooks are posted."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx

Sign = Callable[[bytes], Mapping[str, str]]


class Post:
    """Sends webhooks to `url` one after the other, once each, signed when they leave."""

    def __init__(self, url: str, sign: Sign) -> None:
        self.url = url
        self.statuses: list[int] = []
        self._sign = sign
        self._held: list[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(trust_env=False)
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._task = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._http.aclose()

    def send(self, body: bytes) -> None:
        """Put a webhook into the queue, or aside while they are held."""
        if self._held is None:
            self._queue.put_nowait(body)
        else:
            self._held.append(body)

    def hold(self) -> None:
        """Keep what is sent from now on."""
        self._held = []

    def release(self, *, backwards: bool = False) -> None:
        """Send what was kept, in order or in the opposite one."""
        kept, self._held = self._held or [], None
        for body in reversed(kept) if backwards else kept:
            self._queue.put_nowait(body)

    async def drain(self) -> None:
        """Wait until everything is delivered."""
        await self._queue.join()

    async def _deliver(self) -> None:
        while True:
            body = await self._queue.get()
            try:
                answer = await self._http.post(self.url, content=body, headers=dict(self._sign(body)))
                self.statuses.append(answer.status_code)
            except httpx.HTTPError:
                self.statuses.append(0)
            finally:
                self._queue.task_done()
