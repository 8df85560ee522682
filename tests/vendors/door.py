"""A made-up vendor behind a real port: an ASGI application in front of an httpx transport."""

from collections.abc import Callable, MutableMapping
from typing import Any

import httpx
from support.asgi import answer, body_of, is_lifespan

_REFUSED = 422


class Door:
    """Hands every request to `vendor`; a judge's objection is answered with 422 and kept in `objections`.

    The next request that `hangs_after` is true of is carried out, but never answered.
    """

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self.vendor = vendor
        self.objections: list[str] = []
        self.hangs_after: Callable[[httpx.Request], bool] = lambda _: False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request, or run the lifespan."""
        if await is_lifespan(scope, receive, send):
            return
        request = await _rebuilt(scope, receive)
        try:
            response = await self.vendor.handle_async_request(request)
        except AssertionError as error:
            self.objections.append(str(error))
            response = httpx.Response(_REFUSED, json={"error": str(error)})
        if self.hangs_after(request):
            self.hangs_after = lambda _: False
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        kept = [each for each in response.headers.raw if each[0].lower() != b"content-length"]
        await answer(send, response.status_code, response.content, *kept)


async def _rebuilt(scope: MutableMapping[str, Any], receive: Any) -> httpx.Request:
    body = await body_of(receive)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return httpx.Request(
        scope["method"], f"http://vendor{target.decode()}", headers=scope["headers"], content=body
    )
