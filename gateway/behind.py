"""Records that are behind in shared fields, of whatever kind: asking that they be written to."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.contract import Adapter
from adapters.errors import Rejected, Retryable
from config.clock import Clock
from sync import fields
from sync.copies import SharedRecord
from sync.delivery import Verdict
from sync.fields import FieldRules
from sync.priority import Priority
from sync.store import threads
from sync.store.customers import PeopleMovedError
from sync.store.field_updates import Differing, FieldUpdate, ask
from sync.store.outbox import Claimed
from sync.thread import Refs


class Search(Protocol):
    """Finds records that may be behind in what is `written` to their connection, in the order of refs."""

    def __call__(
        self, connection: AsyncConnection, written: Sequence[tuple[str, str]], *, after: int
    ) -> Awaitable[Differing]:
        """The next page."""


class Writer(Protocol):
    """Writes to records of one kind."""

    async def write(self, claimed: Claimed, adapter: Adapter) -> Verdict:
        """Do what a command to update a record asks for."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of record: by which command it is written to, and how it is found and held."""

    command: str
    differing: Search
    hold: Callable[[AsyncConnection, int], Awaitable[SharedRecord | None]]


def updates(
    behind: Iterable[SharedRecord], refs: Refs, new_key: Callable[[], str], event_ref: int | None = None
) -> list[FieldUpdate]:
    """What to ask for, `event_ref` naming what caused it."""
    return [
        FieldUpdate(
            ref=refs.next(),
            subject_ref=record.ref,
            connection=connection,
            id=record_id,
            key=new_key(),
            event_ref=event_ref,
        )
        for record in behind
        for connection, record_id in [record.vendor_address]
    ]


def left_alone(connection: str, left: Sequence[str], *, unsure: bool) -> Rejected | Retryable:
    """What a connection's taking a write without these fields' changing means.

    `unsure`: they may have been put back at once, or be what another connection made of its own write.
    """
    what = f"{connection} took the write but left {', '.join(left)} as it was"
    return Retryable(f"{what}, or somebody has put it back at once") if unsure else Rejected(what)


async def write(writer: Writer, claimed: Claimed, adapter: Adapter) -> Verdict:
    """Have a record written to; later, if it becomes another's meanwhile. Raises the adapter's errors."""
    try:
        return await writer.write(claimed, adapter)
    except PeopleMovedError as error:
        raise Retryable(str(error)) from error


async def catch_up(
    engine: AsyncEngine, kind: Kind, rules: FieldRules, *, new_key: Callable[[], str], clock: Clock
) -> int:
    """Have every record of a kind that is behind written to, as after a reconciliation; how many are."""
    after: int | None = 0
    behind = 0
    written = rules.written()
    while written and after is not None:
        async with engine.connect() as connection:
            page = await kind.differing(connection, written, after=after)
        after = page.upto
        for ref in page.refs:
            async with engine.begin() as connection:
                wanted = await _wanted(connection, kind, ref, rules, new_key)
                await ask(connection, kind.command, wanted, priority=Priority.FIELDS, now=clock())
                behind += len(wanted)
    return behind


async def _wanted(
    connection: AsyncConnection, kind: Kind, ref: int, rules: FieldRules, new_key: Callable[[], str]
) -> list[FieldUpdate]:
    try:
        record = await kind.hold(connection, ref)
    except PeopleMovedError:
        return []  # whoever merges or links them tells their fields
    if record is None or not fields.to_write(record, rules):
        return []
    return updates([record], await threads.next_refs(connection), new_key)
