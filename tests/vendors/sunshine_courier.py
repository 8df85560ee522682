"""How Zendesk messaging sends its webhooks: several events in one, again unless the answer is final."""

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

import httpx

FINAL = frozenset({400, 401, 403, 404, 406})
"""So answered, an event is never sent again."""
_ATTEMPTS = 5


class Courier:
    """Sends events to a hook once it is entered; `together` is how many go into one webhook.

    After `back_off` seconds it tries again, then after twice as many, and so on. `sent` are the events,
    `statuses` the answers; `lost` is what nobody took.
    """

    def __init__(self, hook: str, app: str, secret: str) -> None:
        self.together = 1
        self.back_off = 0.05
        self.statuses: list[int] = []
        self.sent: list[dict[str, Any]] = []
        self.lost: list[dict[str, Any]] = []
        self._hook = hook
        self._about = {"app": {"id": app}, "webhook": {"id": "68a0ffff0000000000000001", "version": "v2"}}
        self._headers = {"X-API-Key": secret}
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    def send(self, event: dict[str, Any]) -> None:
        """Put an event on its way."""
        if self._hook:
            self.sent.append(event)
            self._events.put_nowait(event)

    async def drain(self) -> None:
        """Wait until all events are delivered, or lost."""
        await asyncio.wait_for(self._events.join(), 20)

    async def __aenter__(self) -> Self:
        """Begin to send."""
        self._sender = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._sender is not None
        self._sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sender

    async def _deliver(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                batch = [await self._events.get()]
                while len(batch) < self.together and not self._events.empty():
                    batch.append(self._events.get_nowait())
                await self._attempt(http, batch)
                for _ in batch:
                    self._events.task_done()

    async def _attempt(self, http: httpx.AsyncClient, batch: list[dict[str, Any]]) -> None:
        for attempt in range(_ATTEMPTS):
            answer = await http.post(self._hook, json=self._about | {"events": batch}, headers=self._headers)
            self.statuses.append(answer.status_code)
            if answer.is_success:
                return
            if answer.status_code in FINAL:
                break
            await asyncio.sleep(self.back_off * 2**attempt)
        self.lost += batch
