"""A helpdesk with any number of old conversations, made up as they are asked for: it holds nothing.

    python archive.py PORT CONVERSATIONS MESSAGES_EACH

It speaks the reference helpdesk's API, as far as a backfill reads it.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import uvloop

from gateway.server import serve

PAGE = 100
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS = (
    "我的快递到哪了，已经三天没有更新了",
    "I am sorry to hear that. Your parcel left our warehouse yesterday and should be there on Friday.",
    "How long does delivery take to Singapore?",
    "退货的地址是什么？需要我自己付运费吗",
)
_LIST = re.compile(r"/api/(customers|conversations)")
_THREAD = re.compile(r"/api/conversations/con_(\d+)/messages")


class Archive:
    """The ASGI application."""

    def __init__(self, conversations: int, messages_each: int) -> None:
        self._conversations = conversations
        self._messages_each = messages_each

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode()))
        body = msgspec.json.encode(self._answer(scope["path"], int(query.get("cursor", "0"))))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, after: int) -> dict[str, Any]:
        if thread := _THREAD.fullmatch(path):
            number = int(thread[1])
            return _page([_message(number, which) for which in range(1, self._messages_each + 1)], after)
        listed = _LIST.fullmatch(path)
        make = _customer if listed and listed[1] == "customers" else _conversation
        last = min(after + PAGE, self._conversations)
        items = [make(number) for number in range(after + 1, last + 1)]
        return {
            "items": items,
            "cursor": str(last),
            "last": last == self._conversations,
            "total": self._conversations,
        }


def _page(items: list[dict[str, Any]], after: int) -> dict[str, Any]:
    following = [item for item in items if item["revision"] > after]
    page = following[:PAGE]
    cursor = page[-1]["revision"] if page else after
    return {"items": page, "cursor": str(cursor), "last": len(following) <= PAGE, "total": len(items)}


def _at(number: int) -> str:
    return (LONG_AGO + timedelta(seconds=number)).isoformat()


def _customer(number: int) -> dict[str, Any]:
    return {
        "id": f"cus_{number}",
        "name": f"Customer {number}",
        "email": f"customer{number}@example.com",
        "phone": None,
        "external_id": f"shop-{number}",
        "language": "zh",
        "attributes": {"tier": "gold"},
        "revision": number,
        "updated_at": _at(number),
    }


def _conversation(number: int) -> dict[str, Any]:
    return {
        "id": f"con_{number}",
        "customer_id": f"cus_{number}",
        "channel": "chat",
        "status": ("resolved", "open", "pending")[number % 3],
        "subject": None,
        "tags": ["delivery"],
        "assignee": {"id": "agent_1", "name": "Lin"} if number % 2 else None,
        "team_id": None,
        "revision": number,
        "created_at": _at(number),
        "updated_at": _at(number),
    }


def _message(number: int, which: int) -> dict[str, Any]:
    by_agent = which % 2 == 0
    return {
        "id": f"msg_{number}_{which}",
        "conversation_id": f"con_{number}",
        "author": "agent" if by_agent else "customer",
        "text": TEXTS[(number + which) % len(TEXTS)],
        "private": False,
        "agent": {"id": "agent_1", "name": "Lin"} if by_agent else None,
        "token": None,
        "revision": which,
        "created_at": _at(number + which),
    }


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    port, conversations, messages_each = map(int, sys.argv[1:])
    asyncio.run(serve(Archive(conversations, messages_each), host="127.0.0.1", port=port))
