"""For what a request is made: set by whoever starts the work, read where the request is paid."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from msgspec import Struct

from sync.priority import Priority

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Purpose(Struct):
    """Why requests are made now, and how many of them were let through already."""

    priority: Priority = Priority.FIELDS
    kind: str = ""
    """The kind of command, if it is one."""
    sent: int = 0
    wrote: bool = False
    """Whether one of them may have changed something at the vendor."""
    still_ours: "Callable[[Purpose], Awaitable[bool]] | None" = None
    """Asked before each write, where the right to it can be lost."""


_purpose: ContextVar[Purpose | None] = ContextVar("purpose", default=None)


def current() -> Purpose:
    """The purpose of this task; an unnamed one counts as a write of fields."""
    return _purpose.get() or Purpose()


def is_safe(method: str) -> bool:
    """Whether a request of this method changes nothing at the vendor."""
    return method in _SAFE_METHODS


@contextmanager
def spending(priority: Priority, *, kind: str = "") -> Iterator[Purpose]:
    """Let the requests inside draw from the limits as `priority`.

        with spending(Priority.BACKFILL):
            page = await adapter.pull(kind, cursor)

    A request that doesn't fit raises `adapters.errors.Held`, whose `retry_after` says when one will.
    """
    purpose = Purpose(priority=priority, kind=kind)
    token = _purpose.set(purpose)
    try:
        yield purpose
    finally:
        _purpose.reset(token)
