"""Recording real traffic as fixtures of the conformance kit, redacted before it touches the disk."""

import json
import re
from collections.abc import Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from adapters.contract import Adapter
from adapters.errors import AdapterError, BadSignature
from adapters.signing import Signed
from adapters.webhook import HookReply, Webhook
from gateway.authoring.asking import explained
from gateway.authoring.redaction import Redactor

_LONGEST = 60
_NAMES = ("event", "topic", "type", "eventType", "event_type", "subscriptionType", "action", "trigger")


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and keeps what is answered for `answers/`."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self._kept: list[tuple[httpx.Request, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        answer = await self._vendor.handle_async_request(request)
        await answer.aread()
        self._kept.append((request, answer))
        return answer

    async def aclose(self) -> None:
        """Close the vendor."""
        await self._vendor.aclose()

    def start_over(self) -> None:
        """Forget what was answered so far."""
        self._kept.clear()

    def write(self, folder: Path, redactor: Redactor, *, own: Collection[str] = ()) -> list[Path]:
        """One file for each exchange; the first that fits is played back: those that ask for more come first.

        `own` names the query parameters that are credentials: the kit's are others.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for _, answer in self._kept:  # first of all, so that whatever is asked by it later becomes the same
            _body(answer, redactor)
        written = []
        every = [(request, _answer(request, answer, redactor, own)) for request, answer in self._kept]
        every.sort(key=lambda each: -len(each[1]["query"]))
        for number, (request, told) in enumerate(every, 1):
            last = re.sub(r"\W+", "_", told["request"].rpartition("/")[2])[:_LONGEST] or "root"
            path = folder / f"recorded_{number:02}_{request.method.lower()}_{last}.json"
            _write(path, told)
            written.append(path)
        return written


def credential_parameters(adapter: Adapter) -> frozenset[str]:
    """The query parameters by which an adapter shows who it is: with every request, others each time."""
    signed = adapter.http.auth
    return frozenset(adapter.http.params) | (signed.names if isinstance(signed, Signed) else frozenset())


def _answer(
    request: httpx.Request, answer: httpx.Response, redactor: Redactor, own: Collection[str]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "request": f"{request.method} {redactor.path(request.url.path)}",
        "query": _query(request.url, redactor, own),
    }
    if answer.status_code != httpx.codes.OK:
        told["status"] = answer.status_code
    if following := answer.links.get("next", {}).get("url"):
        url = request.url.join(following)
        query = httpx.QueryParams(_query(url, redactor, own))
        told["headers"] = {"link": f'<{quote(redactor.path(url.path))}?{query}>; rel="next"'}
    return told | _body(answer, redactor)


def _query(url: httpx.URL, redactor: Redactor, own: Collection[str]) -> dict[str, str]:
    return {
        name: redactor.told(value) if redactor.text(value, name) == value else redactor.text(value, name)
        for name, value in url.params.items()
        if name not in own and not redactor.holds_secret(value)
    }


def _body(answer: httpx.Response, redactor: Redactor) -> dict[str, Any]:
    try:
        return {"json": redactor.value(json.loads(answer.content))}
    except ValueError:
        return {"text": redactor.text(answer.content.decode("utf-8", "replace"))}


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
        except Exception as error:  # noqa: BLE001 - an author's adapter may raise anything: the body is kept
            signed = explained(error, self._adapter)
        kept = self._keep(webhook.body).name if webhook.body else f"{webhook.method} without a body"
        self.told.append(f"{kept}: {signed}")
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
    return re.sub(r"\W+", "_", str(told)).strip("_").lower()[:_LONGEST] or "webhook"


def _free(folder: Path, name: str, suffix: str) -> Path:
    path, number = folder / f"{name}.{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.{suffix}"
    return path


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
