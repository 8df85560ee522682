"""POST /hooks/{connection}: verify, commit, answer. Plain ASGI: this is the hot path.

Nothing here waits for anything but the commit (promises 1 and 12).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Adapter
from adapters.errors import BadSignature, Malformed, Unsupported
from adapters.webhook import Delivery, HookReply, Webhook
from config.clock import Clock
from config.database import at_once
from gateway.metrics import Metrics
from sync.group_commit import GroupCommit
from sync.store import inbox
from sync.store.inbox import RawEvent, lane_of

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/hooks/"
WRITERS = 2
"""While one batch waits for the disk, the next is on its way to the database."""
WRITE_LIMIT = timedelta(milliseconds=800)
RETRY_AFTER = b"5"


class TooLarge(Exception):  # noqa: N818 - it is an answer, 413
    """The body is over the limit."""


class Hooks:
    """The ASGI application behind `/hooks/`."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        adapters: Mapping[str, Adapter],
        body_limit: int,
        clock: Clock,
        metrics: Metrics,
        public_url: str = "",
    ) -> None:
        # One statement does it all, so it needs no BEGIN and COMMIT around it.
        self._adapters = adapters
        self._body_limit = body_limit
        self._clock = clock
        self._metrics = metrics
        self._commits = GroupCommit(at_once(engine).connect, inbox.accept, writers=WRITERS, limit=WRITE_LIMIT)
        self._complained = False
        self._public = public_url.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = scope["path"][len(PREFIX) :]
        adapter = self._adapters.get(name)
        if adapter is None:
            await _problem(send, 404, f"no connection is called {name!r}")
            return
        try:
            webhook = await self._read(scope, receive)
            receipt = adapter.verify(webhook, now=self._clock())
            _require_storable(receipt.deliveries)
        except TooLarge:
            self._metrics.count_webhook(name, "too_large")
            await _problem(send, 413, f"the body is larger than {self._body_limit} bytes")
        except BadSignature as error:
            self._metrics.count_webhook(name, "bad_signature")
            await _problem(send, 401, error.detail)
        except Malformed as error:
            await self._keep(name, webhook, error, send)
        except Unsupported as error:
            await _problem(send, 405, error.detail, (b"allow", b"POST"))
        except Exception as error:  # noqa: BLE001 - an adapter's own fault is ours: the vendor sends it again
            await self._unavailable(name, error, send)
        else:
            await self._accept(name, receipt.deliveries, receipt.reply, send)

    async def close(self) -> None:
        """Finish writing what was taken."""
        await self._commits.close()

    async def _read(self, scope: Scope, receive: Receive) -> Webhook:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        length = _length(headers)
        if length > self._body_limit:
            raise TooLarge
        message = await receive()
        body: bytes = message.get("body", b"")
        # A body that is whole already needs no second look, though the server may offer one.
        if message.get("more_body") and not 0 < length <= len(body):
            body = await self._read_on(body, receive)
        if len(body) > self._body_limit:
            raise TooLarge
        query = scope["query_string"].decode("latin-1")
        return Webhook(
            method=scope["method"],
            url=f"{self._address(scope, headers)}{scope['path']}{'?' if query else ''}{query}",
            query=_parse_query(query),
            headers=headers,
            body=body,
        )

    def _address(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """What some vendors sign: where they reach us, whatever a proxy makes of it on the way."""
        return self._public or f"{scope['scheme']}://{headers.get('host', '')}"

    async def _read_on(self, start: bytes, receive: Receive) -> bytes:
        parts = [start]
        size = len(start)
        while True:
            message = await receive()
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > self._body_limit:
                raise TooLarge
            if not message.get("more_body"):
                return b"".join(parts)

    async def _accept(
        self, name: str, deliveries: tuple[Delivery, ...], reply: HookReply, send: Send
    ) -> None:
        now = self._clock()
        events = [
            RawEvent(
                connection=name,
                key=delivery.key,
                lane=lane_of(name, delivery.lane),
                body=delivery.body,
                received_at=now,
            )
            for delivery in deliveries
        ]
        try:
            fresh = await self._commit(events)
        except Exception as error:  # noqa: BLE001 - any reason not to have committed is a 503
            await self._unavailable(name, error, send)
            return
        self._complained = False
        duplicate = bool(events) and not any(fresh)
        self._metrics.count_webhook(name, "duplicate" if duplicate else "accepted")
        await _respond(send, 200 if duplicate else reply.status, reply.body, reply.content_type.encode())

    async def _commit(self, events: list[RawEvent]) -> list[bool]:
        if len(events) == 1:  # nearly always; `gather` is not free
            return [await self._commits.submit(events[0])]
        return await asyncio.gather(*map(self._commits.submit, events))

    async def _unavailable(self, name: str, error: Exception, send: Send) -> None:
        self._metrics.count_webhook(name, "unavailable")
        if not self._complained:
            self._complained = True
            log.error("cannot_accept", connection=name, error=repr(error))
        await _problem(
            send,
            self._adapters[name].unavailable,
            "the event could not be stored; send it again",
            (b"retry-after", RETRY_AFTER),
        )

    async def _keep(self, name: str, webhook: Webhook, error: Malformed, send: Send) -> None:
        """Keep an unreadable body where a person can look at it."""
        self._metrics.count_webhook(name, "malformed")
        event = RawEvent(
            connection=name,
            key=f"malformed:{hashlib.sha256(webhook.body).hexdigest()}",
            lane=lane_of(name, "malformed"),
            body=webhook.body,
            received_at=self._clock(),
            state="malformed",
            reason=error.detail,
        )
        try:
            await self._commits.submit(event)
        except Exception as failure:  # noqa: BLE001 - as for any other event
            await self._unavailable(name, failure, send)
            return
        await _problem(send, 400, error.detail)


def _require_storable(deliveries: tuple[Delivery, ...]) -> None:
    """No text column takes a NUL: one would fail the commit of everybody who waits for it."""
    for delivery in deliveries:
        if "\0" in delivery.key or "\0" in delivery.lane:
            raise Malformed("an id in the body holds a NUL character")


def _length(headers: Mapping[str, str]) -> int:
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else 0


def _parse_query(query: str) -> dict[str, str]:
    if not query:
        return {}
    return dict(parse_qsl(query, keep_blank_values=True))


async def _respond(
    send: Send, status: int, body: bytes, content_type: bytes, *headers: tuple[bytes, bytes]
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
    """An answer in the form of RFC 9457."""
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail})
    await _respond(send, status, body, b"application/problem+json", *headers)
