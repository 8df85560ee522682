"""A shared field as one connection holds it, and the conflicts over it: plain state."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import UNSET, Struct, field

from sync.merge import Version


class Dispute(Struct, frozen=True, kw_only=True):
    """The open conflict over a field, and what its connection would have it be."""

    ref: int
    theirs: Version


class Restore(Struct, frozen=True, kw_only=True):
    """What a side is given back when a resolution is undone, `instead` of what it was made."""

    value: Any
    instead: Any


class Copy(Struct, kw_only=True, omit_defaults=True):
    """One field of one record.

    `held` is what both sides last agreed that it holds, the base of every merge; both sides being the
    record and the person whose main customer is `main`.
    """

    main: int
    held: Any = UNSET
    meant: Any = UNSET
    """What `held` stands for, where the vendor keeps what we write in a form of its own."""
    turned: tuple[Any, Any] | None = None
    """What we once wrote, and the other thing that the vendor showed for it."""
    sent: list[Any] = field(default_factory=list)
    """What we began to write and haven't seen confirmed."""
    before: Any = UNSET
    """What it held before our last confirmed write."""
    written_at: datetime | None = None
    """When that write was confirmed, by our clock."""
    dispute: Dispute | None = None
    restore: Restore | None = None


def agreed(copy: Copy) -> Any:
    """What a side holds, as all others would say it; `UNSET` if nothing was ever agreed."""
    return copy.held if copy.meant is UNSET else copy.meant


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """A conflict that begins."""

    ref: int
    record_ref: int
    """Of the customer or conversation."""
    field: str
    base: Any
    ours: Version
    theirs: Version
    at: datetime


class Moved(Struct, frozen=True, kw_only=True, tag="moved"):
    """An open conflict over which a side has changed its mind."""

    ref: int
    ours: Version
    theirs: Version


class Closed(Struct, frozen=True, kw_only=True, tag="closed"):
    """A conflict that ended of itself: both sides came to hold the same."""

    ref: int
    at: datetime


ConflictChange = Opened | Moved | Closed


class SharedRecord(Protocol):
    """A record at one connection, of which fields are kept equal with others that count as the same.

    Those share a `main_ref`: the one of that ref bears the `golden` values.
    """

    ref: int
    main_ref: int
    attributes: dict[str, Any]
    vendor_updated_at: datetime | None
    revision: int | None
    shared: dict[str, Copy]
    golden: dict[str, Version]
    conflicts: list[ConflictChange]
    dirty: bool

    @property
    def deleted(self) -> bool:
        """Whether nothing is to be written there: the vendor has it no more."""

    @property
    def everyone(self) -> Sequence["SharedRecord"]:
        """This record, then the others that count as the same."""

    @property
    def vendor_address(self) -> tuple[str, str]:
        """Its connection, and its id there."""
