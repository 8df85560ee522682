"""An in-house chat system, as adapters/vendors/inhouse/README.md asks for one: served over HTTP."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
from support.asgi import answer, body_of, is_lifespan

Raw = dict[str, Any]

TOKEN, SECRET = "inhouse-token-for-tests", "inhouse-secret-for-tests"


class InhouseChat:
    """Customers write here; what happens is told to `hook`. `statuses` are what the hook answered."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.customers: dict[str, Raw] = {}
        self.conversations: dict[str, Raw] = {}
        self.messages: dict[str, list[Raw]] = {}
        self.statuses: list[int] = []
        self.refused: list[str] = []
        self._numbers = itertools.count(1)
        self._telling: set[asyncio.Task[None]] = set()

    def customer_says(self, customer_id: str, text: str, **where: str) -> str:
        """A customer writes, `where`: the channel and the stream; returns the conversation's id."""
        customer = self.customers.setdefault(
            customer_id, {"id": customer_id, "name": "陳雅婷", "language": "en", "updated_at": _now()}
        )
        number = f"t-{customer_id}"
        self.conversations.setdefault(
            number,
            {
                "id": number,
                "customer_id": customer["id"],
                "channel": "chat",
                "status": "bot",
                "tags": [],
                "updated_at": _now(),
                **where,
            },
        )
        self.post(number, {"from": "customer", "text": text})
        return number

    def agent_says(self, number: str, text: str) -> None:
        """An agent writes in the system's own screen."""
        self.post(number, {"from": "agent", "person": {"id": "p-lin", "name": "林怡君"}, "text": text})

    def post(self, number: str, said: Raw) -> Raw:
        """Keep a message, and tell of it."""
        message = {"id": f"m-{next(self._numbers)}", "at": _now(), "private": False, "files": [], **said}
        self.messages.setdefault(number, []).append(message)
        self._tell("message", number, message=message)
        return message

    async def drain(self) -> None:
        """Wait until every webhook is delivered."""
        while self._telling:
            await asyncio.gather(*self._telling)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if await is_lifespan(scope, receive, send):
            return
        body = await body_of(receive)
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        headers = dict(scope["headers"])
        if headers.get(b"authorization") != f"Bearer {TOKEN}".encode():
            status, told = 401, {"error": "who are you?"}
        else:
            given = json.loads(body) if body else {}
            status, told = self._answer(scope["method"], scope["path"].split("/")[1:], query, given)
        if status >= 400:
            self.refused.append(f"{scope['method']} {scope['path']} {status}")
        await answer(send, status, json.dumps(told).encode(), (b"content-type", b"application/json"))

    def _answer(self, method: str, path: list[str], query: Raw, given: Raw) -> tuple[int, Any]:
        match method, path:
            case "GET", ["me"]:
                return 200, {"name": "the shop's chat"}
            case "GET", ["conversations"]:
                return 200, _feed(list(self.conversations.values()), query)
            case "GET", ["customers"]:
                return 200, _feed(list(self.customers.values()), query)
            case _, ["conversations", number, *rest] if number in self.conversations:
                return self._in_conversation(method, number, rest, query, given)
            case _:
                return 404, {"error": "no such thing"}

    def _in_conversation(  # noqa: PLR0911 - as many calls
        self, method: str, number: str, rest: list[str], query: Raw, given: Raw
    ) -> tuple[int, Any]:
        said = self.messages.setdefault(number, [])
        match method, rest:
            case "GET", []:
                return 200, self.conversations[number]
            case "GET", ["messages"] if "token" in query:
                return 200, {"items": [each for each in said if each.get("token") == query["token"]]}
            case "GET", ["messages"]:
                return 200, _feed(said, query)
            case "POST", ["messages"]:
                return 200, self.post(number, given)
            case "PATCH", []:
                self._change(number, given)
                return 200, self.conversations[number]
            case "PUT", ["assignee"]:
                return 200, {}
            case _:
                return 405, {"error": "not that way"}

    def _change(self, number: str, given: Raw) -> None:
        conversation = self.conversations[number]
        tags = [each for each in conversation["tags"] if each not in given.get("remove_tags", [])]
        conversation["tags"] = list(dict.fromkeys(tags + given.get("add_tags", [])))
        conversation["status"] = given.get("status", conversation["status"])
        conversation["updated_at"] = _now()
        self._tell("conversation", number)

    def _tell(self, kind: str, number: str, **more: Any) -> None:
        conversation = self.conversations[number]
        customer = self.customers[conversation["customer_id"]]
        event = {"id": f"e-{next(self._numbers)}", "type": kind, "conversation": conversation, **more}
        body = json.dumps(event | {"customer": customer}, ensure_ascii=False).encode()
        task = asyncio.create_task(self._deliver(body))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _deliver(self, body: bytes) -> None:
        stamp = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"X-Timestamp": stamp, "X-Signature": f"sha256={digest}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            with suppress(httpx.ConnectError):
                self.statuses.append((await http.post(self.hook, content=body, headers=headers)).status_code)


def _feed(items: list[Raw], query: Raw) -> Raw:
    """Two at a time, after so many."""
    start = int(query.get("after", 0))
    page = items[start : start + 2]
    return {"items": page, "after": str(start + len(page)), "total": len(items)}


def _now() -> str:
    return datetime.now(UTC).isoformat()
