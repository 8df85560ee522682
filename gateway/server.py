"""Serving: one process, one event loop, Uvicorn in front (see docs/decisions/0006)."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import uvicorn

GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """Uvicorn inside an event loop of ours, with signals left to us."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn would end the process by the signal it got; we end in order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what goes wrong is left to `serving`, where Uvicorn would print it and end the process."""
        log = logging.getLogger("uvicorn.error")
        log.disabled = True
        try:
            await super().startup(sockets)
        except SystemExit:
            self.should_exit = True
        finally:
            log.disabled = False

    async def main_loop(self) -> None:
        """Wait to be stopped; Uvicorn looks ten times a second, for things that are not used here."""
        await self._stopped.wait()

    def stop(self) -> None:
        """Take no more requests, finish those under way."""
        self._stopped.set()


def _server(app: Any) -> Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; `port` 0 takes a free one. Raises OSError when it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[Server]:
    """Serve `app` while the block runs. Raises what kept the application from starting."""
    server = _server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            await task
            raise getattr(app, "startup_error", None) or RuntimeError("the application did not start")
        await asyncio.sleep(0.005)
    try:
        yield server
    finally:
        server.stop()
        await task


async def serve(app: Any, *, host: str, port: int, ready: Callable[[int], Any] | None = None) -> None:
    """Serve `app` until SIGTERM or SIGINT, then finish what is under way."""
    listener = bind(host, port)
    async with serving(app, listener):
        if ready is not None:
            ready(listener.getsockname()[1])
        await until_signalled()


async def until_signalled() -> None:
    """Return when the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
