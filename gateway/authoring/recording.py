"""Recording real traffic as fixtures of the conformance kit, redacted before it touches the disk."""

import json
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.contract import Adapter
from adapters.errors import AdapterError, BadSignature
from adapters.webhook import HookReply, Webhook
from gateway.authoring.redaction import Redactor

_NAMES = ("event", "topic", "type", "eventType", "event_type", "subscriptionType", "action", "trigger")


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and keeps what is answered for `answers/`."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self._kept: list[tuple[httpx.Request, int, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        answer = await self._vendor.handle_async_request(request)
        content = await answer.aread()
        self._kept.append((request, answer.status_code, content))
        return answer

    async def aclose(self) -> None:
        """Close the vendor."""
        await self._vendor.aclose()

    def write(self, folder: Path, redactor: Redactor) -> list[Path]:
        """One file for each exchange, numbered in their order."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for number, (request, status, content) in enumerate(self._kept, 1):
            last = re.sub(r"\W+", "_", request.url.path.rpartition("/")[2]) or "root"
            path = folder / f"recorded_{number:02}_{request.method.lower()}_{last}.json"
            _write(path, _answer(request, status, content, redactor))
            written.append(path)
        return written


def _answer(request: httpx.Request, status: int, content: bytes, redactor: Redactor) -> dict[str, Any]:
    query = {name: redactor.text(value, name) for name, value in request.url.params.items()}
    told: dict[str, Any] = {"request": f"{request.method} {request.url.path}", "query": query}
    if status != httpx.codes.OK:
        told["status"] = status
    try:
        told["json"] = redactor.value(json.loads(content))
    except ValueError:
        told["text"] = redactor.text(content.decode("utf-8", "replace"))
    return told


class Listener:
    """An ASGI hook that writes each webhook it hears into a folder, and says whether its signature holds."""

    def __init__(self, adapter: Adapter, folder: Path, redactor: Redactor) -> None:
        self._adapter = adapter
        self._folder = folder
        self._redactor = redactor
        self.told: list[str] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Hear one webhook."""
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        reply = self._take(_webhook(scope, bytes(body)))
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [
                    (b"content-type", reply.content_type.encode()),
                    (b"content-length", str(len(reply.body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})

    def _take(self, webhook: Webhook) -> HookReply:
        reply = HookReply(status=200)
        try:
            receipt = self._adapter.verify(webhook, now=datetime.now(UTC))
            signed, reply = "signature holds", receipt.reply
        except BadSignature as error:
            signed = f"signature refused: {error.detail}"
        except AdapterError as error:
            signed = f"not understood: {error.detail}"
        self.told.append(f"{self._keep(webhook.body).name}: {signed}")
        return reply

    def _keep(self, body: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            value = json.loads(body)
        except ValueError:
            path = _free(self._folder, "unreadable", "txt")
            path.write_text(self._redactor.text(body.decode("utf-8", "replace"), "secret"), encoding="utf-8")
            return path
        path = _free(self._folder, _name(value), "json")
        _write(path, self._redactor.value(value))
        return path


def _webhook(scope: Mapping[str, Any], body: bytes) -> Webhook:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    url = f"{scope['scheme']}://{headers.get('host', '')}{scope['path']}{'?' if query else ''}{query}"
    params = dict(httpx.QueryParams(query).items())
    return Webhook(method=scope["method"], url=url, query=params, headers=headers, body=body)


def _name(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else value
    told = next((first[name] for name in _NAMES if first.get(name)), "") if isinstance(first, dict) else ""
    return re.sub(r"\W+", "_", str(told)).strip("_").lower() or "webhook"


def _free(folder: Path, name: str, suffix: str) -> Path:
    path, number = folder / f"{name}.{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.{suffix}"
    return path


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
