"""ETags on single resources: who has the latest gets 304."""

import hashlib
from typing import Any

import msgspec
from litestar import Request, Response

CACHING = "private, no-cache"


def tagged(request: Request[Any, Any, Any], value: Any) -> Response[bytes]:
    """`value` as JSON with its ETag; or that it hasn't changed since the caller read it."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": CACHING}
    known = {item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
