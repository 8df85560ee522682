"""Walking Chatwoot's lists, which come newest activity first and by page number.

Activity during a walk only pushes what is still to come further back, so nothing that stands still is
missed; what moves to the front is found by the next walk, which ends where this one began.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from adapters.model import Raw


class Walk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a walk has come. `since` is where it ends, `newest` where the next one will."""

    page: int = 1
    since: float = 0.0
    newest: float = 0.0

    @classmethod
    def at(cls, cursor: str | None) -> Self:
        """The walk that a cursor stands for."""
        return msgspec.json.decode(cursor, type=cls) if cursor else cls()

    def step(self, items: Sequence[Raw]) -> tuple[list[Raw], Self, bool]:
        """What is new on this page, oldest first; the walk from here on; whether it is over."""
        new = [item for item in items if _activity(item) >= self.since]
        newest = max([self.newest, *(_activity(item) for item in new)])
        new.sort(key=_activity)
        if not items or len(new) < len(items):
            return new, type(self)(since=newest), True
        return new, type(self)(page=self.page + 1, since=self.since, newest=newest), False

    def cursor(self) -> str:
        """The walk as a cursor."""
        return msgspec.json.encode(self).decode()


def _activity(item: Raw) -> float:
    return float(item.get("last_activity_at") or 0)
