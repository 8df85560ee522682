"""Conflicts over shared fields: opened and closed by what is heard, resolved and undone by people."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from sync.copies import Closed, Moved, Opened
from sync.merge import Version
from sync.tables import ConflictRow
from sync.thread import CustomerState

_of = col(ConflictRow.ref) == bindparam("of")
_MOVED = (
    update(ConflictRow).where(_of).values(ours=bindparam("our_version"), theirs=bindparam("their_version"))
)
_CLOSED = update(ConflictRow).where(_of).values(resolved_at=bindparam("at"), choice="agreed")


async def save(connection: AsyncConnection, customers: Iterable[CustomerState]) -> None:
    """Write what a batch changed about conflicts; the caller holds the customers."""
    changes = [change for customer in customers for change in customer.conflicts]
    if opened := [_opened_row(change) for change in changes if isinstance(change, Opened)]:
        await connection.execute(insert(ConflictRow), opened)
    for change in changes:
        match change:
            case Moved():
                versions = {"our_version": _json(change.ours), "their_version": _json(change.theirs)}
                await connection.execute(_MOVED, {"of": change.ref, **versions})
            case Closed():
                await connection.execute(_CLOSED, {"of": change.ref, "at": change.at})
            case Opened():
                pass


def _opened_row(change: Opened) -> dict[str, Any]:
    return {
        "ref": change.ref,
        "customer_ref": change.customer_ref,
        "field": change.field,
        "base": change.base,
        "ours": _json(change.ours),
        "theirs": _json(change.theirs),
        "opened_at": change.at,
    }


def _json(version: Version) -> Any:
    return msgspec.to_builtins(version)
