"""Where a made-up vendor's webhooks are posted."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

Sign = Callable[[bytes], Mapping[str, str]]


@dataclass(frozen=True)
class Parcel:
    """A webhook on its way; it tells of things as they were when it was packed."""

    event: str
    body: bytes
    sign: Sign


class Post:
    """Sends webhooks to `url` one after the other, once each, signed when they leave."""

    def __init__(self, url: str, sign: Sign) -> None:
        self.url = url
        self.statuses: list[int] = []
        self._sign = sign
        self.held: list[Parcel] | None = None

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(trust_env=False)
        self._queue: asyncio.Queue[Parcel] = asyncio.Queue()
        self._task = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._http.aclose()

    def send(self, body: bytes, *, event: str = "", sign: Sign | None = None) -> None:
        """Put a webhook into the queue, or aside while they are held."""
        parcel = Parcel(event, body, sign or self._sign)
        if self.held is None:
            self._queue.put_nowait(parcel)
        else:
            self.held.append(parcel)

    def hold(self) -> None:
        """Keep what is sent from now on."""
        self.held = []

    def release(self, *, backwards: bool = False) -> None:
        """Send what was kept, in order or in the opposite one."""
        kept, self.held = self.held or [], None
        for parcel in reversed(kept) if backwards else kept:
            self._queue.put_nowait(parcel)

    async def drain(self) -> None:
        """Wait until everything is delivered."""
        await self._queue.join()

    async def _deliver(self) -> None:
        while True:
            parcel = await self._queue.get()
            try:
                headers = dict(parcel.sign(parcel.body))
                answer = await self._http.post(self.url, content=parcel.body, headers=headers)
                self.statuses.append(answer.status_code)
            except httpx.HTTPError:
                self.statuses.append(0)
            finally:
                self._queue.task_done()
