"""Being told instead of asking: PostgreSQL's NOTIFY, and the lock that shows that this worker lives."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway import store
from sync.store import workers

log = structlog.get_logger()
RECONNECT_AFTER = 0.5


class Wakeups:
    """One session that listens, and holds the worker's number while it lasts."""

    def __init__(self, engine: AsyncEngine, channels: Iterable[str]) -> None:
        self._engine = engine
        self._events = {channel: asyncio.Event() for channel in channels}
        self._lost = asyncio.Event()
        self.worker = 0
        self.ready = asyncio.Event()

    def event(self, channel: str) -> asyncio.Event:
        """Set whenever something came in on the channel; clear it before looking."""
        return self._events[channel]

    def wake_all(self) -> None:
        """Let everybody look, whether or not they were told."""
        for event in self._events.values():
            event.set()

    async def run(self) -> None:
        """Listen until cancelled, over lost connections."""
        lost_before = False
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._listen(connection)
                    if lost_before:
                        log.info("listening_again")
                    self.ready.set()
                    self.wake_all()
                    await self._lost.wait()
            except Exception as error:  # noqa: BLE001 - whatever happened, only a new session helps
                if not lost_before:
                    log.warning("listening_stopped", error=repr(error))
            lost_before = True
            self.wake_all()
            await asyncio.sleep(RECONNECT_AFTER)

    async def _listen(self, connection: AsyncConnection) -> None:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        if self.worker:
            await workers.show_alive(connection, self.worker)
        else:
            self.worker = await workers.enlist(connection)
        self._lost.clear()
        raw: Any = (await connection.get_raw_connection()).driver_connection
        raw.add_termination_listener(lambda _: self._lost.set())
        for channel in self._events:
            await raw.add_listener(channel, self._heard)
        await store.touch(connection)

    def _heard(self, _connection: Any, _pid: int, channel: str, _payload: str) -> None:
        self._events[channel].set()
