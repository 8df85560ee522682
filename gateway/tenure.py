"""A worker's right to carry out what it claimed: it may be lost while the worker is frozen, or waits."""

from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.errors import Held
from config.clock import Clock
from gateway.limits.purpose import Purpose
from sync.store import outbox
from sync.store.outbox import Claimed

FRESH = timedelta(seconds=1)
"""A claim older than this is renewed before anything is sent: the process may have been frozen meanwhile."""
RENEWALS = 5
"""So often it is tried to renew a claim faster than it grows old."""


class Tenure:
    """The right to one command. It knows the claim as it was last renewed."""

    def __init__(self, claimed: Claimed, *, engine: AsyncEngine, worker: int, clock: Clock) -> None:
        self.claimed = claimed
        self._engine = engine
        self._worker = worker
        self._clock = clock

    async def lasts(self, purpose: Purpose) -> bool:
        """Whether it is still ours to send (promises 2 and 4).

        What was begun is finished though the lease has moved on, but never by two workers.
        Raises Held while the database takes so long to say so that it may not be true any more.
        """
        for _ in range(RENEWALS):
            now = self._clock()
            if now - self.claimed.claimed_at <= FRESH:
                return True
            async with self._engine.begin() as connection:
                renewed = await outbox.renew(
                    connection, self.claimed, worker=self._worker, now=now, begun=purpose.wrote
                )
            if not renewed:
                return False
            self.claimed = msgspec.structs.replace(self.claimed, claimed_at=now)
        raise Held("the database is too slow to say whether it is still ours to send", retry_after=FRESH)
