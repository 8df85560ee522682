"""What every application that the tests serve has to do besides its own."""

from typing import Any


async def is_lifespan(scope: Any, receive: Any, send: Any) -> bool:
    """Whether this was no request, but the server's own start and end; that is answered then."""
    if scope["type"] != "lifespan":
        return False
    for _ in range(2):
        await send({"type": f"{(await receive())['type']}.complete"})
    return True


async def body_of(receive: Any) -> bytes:
    """The whole body of a request."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def answer(send: Any, status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    """Answer a request."""
    told = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
