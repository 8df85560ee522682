"""Webhooks out of the reference helpdesk: signed, ordered per conversation, retried, many at once."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from adapters.signatures import sign
from adapters.transport import Transport
from adapters.vendors.memory.faults import Fault, Faults
from adapters.vendors.memory.records import SIGNATURE, DeliveryLog, Event
from adapters.webhook import Webhook

_OUT_OF_ORDER_SECONDS = 0.2
_STALE_SECONDS = 5.0
_LOOKED_UP_IN_VAIN = frozenset({"conversation_deleted", "customer_deleted"})


class Subscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where webhooks go, and how hard the helpdesk tries. `thin` ones tell ids only."""

    url: str
    secret: str
    attempts: int = 5
    backoff: float = 0.2
    thin: bool = False


class _Parcel(msgspec.Struct, frozen=True):
    """An event as it was when it happened: what it tells of may have changed before it leaves."""

    id: str
    type: str
    lane: str
    body: bytes
    fault: Fault | None = None


class Courier:
    """Delivers events: one after the other within a lane, lanes side by side up to `concurrency`."""

    def __init__(self, faults: Faults, *, concurrency: int, timeout: float) -> None:
        self.subscription: Subscription | None = None
        self.log: list[DeliveryLog] = []
        self._faults = faults
        self._slots = asyncio.Semaphore(concurrency)
        self._lanes: dict[str, deque[_Parcel]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timeout = timeout
        self._limits = httpx.Limits(max_connections=concurrency)
        self._http: httpx.AsyncClient | None = None

    def send(self, event: Event) -> None:
        """Queue an event for its lane, or let a misbehaviour have it."""
        if self.subscription is None:
            return
        lane = event.conversation.id if event.conversation else event.customer.id
        misbehaviour = self._faults.for_webhook(event.type)
        fault, late = (misbehaviour.fault, misbehaviour.seconds) if misbehaviour else (None, None)
        parcel = _Parcel(event.id, event.type, lane, _body(event, thin=self.subscription.thin), fault)
        match fault:
            case Fault.DROP:
                self._note(parcel, attempt=0, status=0)
            case Fault.REORDER:
                self._start(self._send_late(parcel, _OUT_OF_ORDER_SECONDS if late is None else late))
            case Fault.DUPLICATE:
                self._queue(msgspec.structs.replace(parcel, fault=None))
                self._queue(parcel)
            case Fault.STALE:
                self._queue(msgspec.structs.replace(parcel, fault=None))
                self._start(self._send_late(parcel, _STALE_SECONDS if late is None else late))
            case _:
                self._queue(parcel)

    async def drain(self) -> None:
        """Wait until everything queued so far was delivered or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop delivering; what is queued is lost."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.drain()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _queue(self, parcel: _Parcel) -> None:
        waiting = self._lanes.get(parcel.lane)
        if waiting is not None:
            waiting.append(parcel)
            return
        self._lanes[parcel.lane] = deque([parcel])
        self._start(self._work_off(parcel.lane))

    async def _work_off(self, lane: str) -> None:
        waiting = self._lanes[lane]
        while waiting:
            await self._deliver(waiting[0])
            waiting.popleft()
        del self._lanes[lane]

    async def _send_late(self, parcel: _Parcel, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._deliver(parcel)

    async def _deliver(self, parcel: _Parcel) -> None:
        subscription = self.subscription
        if subscription is None:
            return
        for attempt in range(1, subscription.attempts + 1):
            async with self._slots:
                status = await self._post(subscription, parcel)
            self._note(parcel, attempt=attempt, status=status)
            if httpx.codes.is_success(status):
                return
            await asyncio.sleep(subscription.backoff * 2 ** (attempt - 1))

    async def _post(self, subscription: Subscription, parcel: _Parcel) -> int:
        headers = {"content-type": "application/json", "x-memory-delivery": parcel.id}
        bare = Webhook(method="POST", url=subscription.url, query={}, headers=headers, body=parcel.body)
        webhook = sign(SIGNATURE, bare, subscription.secret, at=datetime.now(UTC))
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=self._timeout, transport=Transport(limits=self._limits))
        try:
            answer = await self._http.post(
                subscription.url, content=parcel.body, headers=dict(webhook.headers)
            )
        except httpx.HTTPError:
            return 0
        return answer.status_code

    def _note(self, parcel: _Parcel, *, attempt: int, status: int) -> None:
        at = datetime.now(UTC)
        entry = DeliveryLog(
            event=parcel.id, type=parcel.type, attempt=attempt, status=status, fault=parcel.fault, at=at
        )
        self.log.append(entry)


def _body(event: Event, *, thin: bool) -> bytes:
    if not thin or event.gone_id is not None or event.type in _LOOKED_UP_IN_VAIN:
        return msgspec.json.encode(event)
    parts = {"customer": event.customer, "conversation": event.conversation, "message": event.message}
    told = {
        "id": event.id,
        "type": event.type,
        "by": event.by,
        "occurred_at": event.occurred_at,
        "thin": True,
    }
    return msgspec.json.encode(told | {name: {"id": part.id} for name, part in parts.items() if part})
