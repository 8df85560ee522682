"""`Idempotency-Key`: a write that is sent again is answered again, and not done again."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import HeaderParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import store
from gateway.api.problems import problem
from gateway.house import House
from gateway.store import Answered

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Your name for this request; sent again within 24 hours it is answered the same.",
    ),
]


async def once(
    house: House,
    request: Request[Any, Any, Any],
    key: str | None,
    work: Callable[[AsyncConnection], Awaitable[bytes]],
    *,
    content: bytes | None = None,
) -> Response[bytes]:
    """Do `work` in a transaction, unless this caller's request with `key` was answered before.

    `work` gives the JSON of a 200. When it raises, nothing is kept: the same key may be tried again.
    `content` stands for a body that was too long to be held.
    """
    told = await request.body() if content is None else content
    fingerprint = hashlib.sha256(
        b"\0".join([request.method.encode(), request.url.path.encode(), told])
    ).digest()
    key_ref = request.auth.ref
    async with house.engine.begin() as connection:
        if key is None:
            return _json(await work(connection))
        await store.lock_request(connection, key_ref=key_ref, key=key)
        before = await store.find_answered(connection, key_ref=key_ref, key=key)
        if before is not None:
            return _again(before, fingerprint)
        body = await work(connection)
        answered = Answered(fingerprint=fingerprint, status=200, body=body)
        await store.keep_answer(connection, answered, key_ref=key_ref, key=key, now=house.clock())
        return _json(body)


def _again(before: Answered, fingerprint: bytes) -> Response[bytes]:
    if before.fingerprint != fingerprint:
        return problem(
            422, "Idempotency-Key reused", "this key was used for another request; choose a new one"
        )
    response = _json(before.body)
    response.status_code = before.status
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _json(body: bytes) -> Response[bytes]:
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
