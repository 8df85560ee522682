"""The yardstick: Litestar with a handler that does nothing, served as the gateway is."""

import asyncio
import sys

import uvloop
from litestar import Litestar, post

from gateway.server import serve


@post("/empty", status_code=202)
async def empty() -> None:
    """Nothing."""


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(Litestar([empty], openapi_config=None), host="127.0.0.1", port=int(sys.argv[1])))
