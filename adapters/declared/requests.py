"""Requests by their description: what is sent, and what came back. The sending is the adapter's."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, assert_never

import cel
import httpx
import msgspec

from adapters.attachments import Upload
from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, facts
from adapters.errors import AdapterError, Fatal, Outdated, Rejected, Retryable, Unsupported
from adapters.http import SAFE_METHODS, body_of, harmless, retry_after

Exchange = Callable[..., Awaitable[httpx.Response]]


class Caller:
    """Renders requests and sends them; `settings` are all of them, secrets too."""

    def __init__(self, exchange: Exchange, settings: dict[str, Any]) -> None:
        self._exchange = exchange
        self.settings = settings

    def facts(self, **values: Any) -> cel.Context:
        """What a request may read."""
        return facts(settings=self.settings, **values)

    async def follow(self, address: str) -> httpx.Response:
        """GET what an answer led to: an address at the vendor's own host."""
        return await self._exchange("GET", address)

    async def send(
        self, request: declared.Request, context: cel.Context, uploads: Sequence[Upload] = ()
    ) -> httpx.Response:
        """Send one request. Raises Rejected where something for it is missing, else as `exchange`."""
        method, path = request.verb
        options: dict[str, Any] = {}
        if query := _texts(request.query, context):
            options["params"] = query
        if headers := _texts(request.headers, context):
            options["headers"] = headers
        body = request.body.value(context) if request.body is not None else None
        form = request.form.value(context) if request.form is not None else None
        if request.files is not None and uploads:
            options["data"] = _fields(form or body or {})
            options["files"] = [(request.files, upload.part()) for upload in uploads]
        elif form is not None:
            options["data"] = _fields(form)
        elif request.body is not None:
            options["json"] = body
        return await self._exchange(method, path.path(context), **options)


def fault(
    faults: Sequence[declared.Fault],
    response: httpx.Response,
    settings: dict[str, Any],
    *,
    hidden: Sequence[str],
) -> AdapterError | None:
    """The error that an answer means, by the first fault that holds; its text shows nothing of `hidden`."""
    if not faults:
        return None
    context = facts(**answered(response), settings=settings)
    for each in faults:
        if each.when.holds(context):
            said = each.reason.value(context) if each.reason is not None else ABSENT
            text = "" if said is ABSENT or said is None else f": {harmless(_plain(said), hidden)}"
            request = response.request
            detail = f"{request.method} {request.url.path} answered {response.status_code}{text}"
            return _error(each, detail, response, context)
    return None


def _error(how: declared.Fault, detail: str, response: httpx.Response, context: cel.Context) -> AdapterError:
    status = response.status_code
    match how.means:
        case "fatal":
            return Fatal(detail, status=status)
        case "rejected":
            return Rejected(detail, status=status)
        case "outdated":
            return Outdated(detail, status=status)
        case "unsupported":
            return Unsupported(detail, status=status)
        case "retryable":
            wait = how.retry_after.value(context) if how.retry_after is not None else None
            return Retryable(
                detail,
                status=status,
                retry_after=timedelta(seconds=wait)
                if isinstance(wait, int | float)
                else retry_after(response),
                outcome_unknown=response.is_server_error and response.request.method not in SAFE_METHODS,
            )
        case _:
            assert_never(how.means)


def answered(response: httpx.Response, **asked: Any) -> dict[str, Any]:
    """What expressions about an answer read."""
    return {
        "answer": body_of(response),
        "status": response.status_code,
        "headers": dict(response.headers),
        **asked,
    }


def readable(uploads: Sequence[Upload], *, wanted: bool) -> list[dict[str, Any]]:
    """Files for vendors that want them inside a body; read only if `wanted`."""
    if not wanted:
        return []
    return [
        {
            "name": upload.name,
            "content_type": upload.content_type,
            "size": upload.size,
            "base64": base64.b64encode(upload.read()).decode(),
        }
        for upload in uploads
    ]


def _texts(templates: dict[str, Any], context: cel.Context) -> dict[str, str]:
    rendered = {name: template.value(context) for name, template in templates.items()}
    return {
        name: _plain(value) for name, value in rendered.items() if value is not ABSENT and value is not None
    }


def _fields(form: Any) -> dict[str, str]:
    """A form's fields are texts; a list is as many fields of one name."""
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if isinstance(value, list):
            fields[name] = [_plain(each) for each in value]
        elif value is not None:
            fields[name] = _plain(value)
    return fields


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
