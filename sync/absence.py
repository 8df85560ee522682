"""Which workers are dead: those whose sign of life has been missing for a while. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta

GRACE = timedelta(seconds=2)
"""How long a worker must have been missing. Its session may be lost and come back (the database restarts);
and the vendor may still be working on what a worker that is really dead has sent."""


class Absences:
    """Remembers since when each worker has been missing."""

    def __init__(self, grace: timedelta = GRACE) -> None:
        self._grace = grace
        self._since: dict[int, datetime] = {}

    @property
    def any(self) -> bool:
        """Whether somebody is missing, so that it is worth looking again soon."""
        return bool(self._since)

    def dead(self, missing: Collection[int], now: datetime) -> list[int]:
        """Those of the workers missing now who have been so for the whole grace."""
        self._since = {worker: self._since.get(worker, now) for worker in missing}
        return [worker for worker, since in self._since.items() if now - since >= self._grace]
