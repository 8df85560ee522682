"""A made-up vendor behind a real port: an ASGI application in front of an httpx transport."""

from collections.abc import Callable, MutableMapping
from typing import Any

import httpx

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
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})
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
        kept = [(b"content-length", b"%d" % len(response.content))]
        kept += [each for each in response.headers.raw if each[0].lower() != b"content-length"]
        await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": response.content})


async def _rebuilt(scope: MutableMapping[str, Any], receive: Any) -> httpx.Request:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return httpx.Request(
        scope["method"], f"http://vendor{target.decode()}", headers=scope["headers"], content=bytes(body)
    )
