"""Serving: one process, one event loop, Granian in front."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import structlog
from granian.constants import Interfaces
from granian.server.embed import Server

log = structlog.get_logger()


async def serve(app: Any, *, host: str, port: int, ready: Callable[[int], Any] | None = None) -> None:
    """Serve `app` until SIGTERM or SIGINT; `port` 0 takes a free one. Raises OSError when it is taken."""
    port = _reserve(host, port)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        backlog=1024,
        websockets=False,
    )
    stop = asyncio.create_task(until_signalled())
    serving = asyncio.create_task(server.serve())
    if ready is not None:
        await _until_open(host, port, serving)
        ready(port)
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
    await serving


async def until_signalled() -> None:
    """Return when the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _reserve(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        free: int = probe.getsockname()[1]
        return free


async def _until_open(host: str, port: int, serving: asyncio.Task[None]) -> None:
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
