"""What keeps due commands waiting: a paused connection, a used-up limit, an open breaker, a full share."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from gateway.limits.limits import Limits
from gateway.metrics import Metrics
from sync.store.outbox import Hold, Room

log = structlog.get_logger()


class Terms(Struct, frozen=True, kw_only=True):
    """On which terms to claim now; `until` is when they loosen by themselves."""

    room: Room
    holds: list[Hold]
    until: datetime | None


class Holding:
    """Knows what of the outbox has to wait although it is due."""

    def __init__(self, *, limits: Limits, share: int, pause: timedelta, metrics: Metrics) -> None:
        self._limits = limits
        self._share = share
        self._pause = pause
        self._metrics = metrics
        self._paused: dict[str, datetime] = {}

    def pause(self, connection: str, why: str, now: datetime) -> None:
        """Leave a connection alone for a while: nothing there works until a person acts."""
        if connection not in self._paused:
            log.error("connection_paused", connection=connection, why=why)
            self._metrics.paused.labels(connection).set(1)
        self._paused[connection] = now + self._pause

    def terms(self, now: datetime, *, most: int, running: Mapping[str, int]) -> Terms:
        """What may be claimed, given how many commands each connection is being sent."""
        self._resume(now)
        rooms = {name: self._share - count for name, count in running.items()}
        rooms |= {name: 1 - running.get(name, 0) for name in self._limits.probed(now)}
        held = self._limits.holds(now) | {Hold(connection=n): until for n, until in self._paused.items()}
        full = [Hold(connection=name) for name, room in rooms.items() if room <= 0]
        return Terms(
            room=Room(most=most, share=self._share, rooms=rooms),
            holds=[*held, *full],
            until=min(held.values(), default=None),
        )

    def _resume(self, now: datetime) -> None:
        for name in [name for name, until in self._paused.items() if until <= now]:
            del self._paused[name]
            self._metrics.paused.labels(name).set(0)
            log.info("connection_tried_again", connection=name)
