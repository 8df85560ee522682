"""What a vendor has deleted: conversations are marked, and what was to be done there is settled."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.thread import Thread

GONE = "the helpdesk has deleted what it is about"
"""Why a command is not carried out any more."""
IS_GONE = """
(EXISTS (SELECT 1 FROM conversation g WHERE g.connection = c.connection
    AND g.id = c.body ->> 'conversation_id' AND g.deleted_at IS NOT NULL OFFSET 0)
 OR EXISTS (SELECT 1 FROM identity g WHERE g.connection = c.connection AND g.kind = 'vendor'
    AND g.value = c.body ->> 'customer_id' AND g.deleted_at IS NOT NULL OFFSET 0))
"""
"""Whether what a command `c` is about was deleted where it goes to; looking something up never is.

`OFFSET 0` makes it one look at an index for each command: nothing is gathered beforehand from long tables.
"""

_REFS = bindparam("refs", type_=ARRAY(BIGINT))
_MARK = text("""
UPDATE conversation v SET deleted_at = d.at, xid = pg_current_xact_id()
FROM unnest(:refs, :moments) AS d(ref, at) WHERE v.ref = d.ref
""").bindparams(_REFS, bindparam("moments", type_=ARRAY(TIMESTAMP(timezone=True))))
# Whatever it was parked for: nobody can put it right any more. What is in flight goes on, for the vendor may
# have taken it in time; whoever settles it waits for us, and learns it by the reason.
_OVER = """
UPDATE command c SET reason = :why, parked_as = NULL,
    state = CASE c.state WHEN 'in_flight' THEN c.state ELSE 'superseded' END,
    done_at = CASE c.state WHEN 'in_flight' THEN c.done_at ELSE now() END,
    doubt = c.doubt OR (c.state <> 'in_flight' AND c.held IS NOT NULL)
FROM {home} h
WHERE h.{own} = ANY(:refs) AND c.{about} = h.{own} AND c.connection = h.connection AND {only}
  AND c.kind <> 'fetch' AND c.state IN ('waiting', 'in_flight', 'parked')
"""
_SETTLE, _SETTLE_CUSTOMERS = (
    text(_OVER.format(home=home, own=own, about=about, only=only)).bindparams(
        _REFS, bindparam("why", type_=TEXT)
    )
    for home, own, about, only in (
        ("conversation", "ref", "conversation_ref", "true"),
        ("identity", "customer_ref", "customer_ref", "h.kind = 'vendor'"),
    )
)


async def save(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    """Mark what was deleted, unmark what is there again; nothing is sent to what was deleted."""
    told = [thread for thread in threads if thread.deleted is not None]
    if told:
        columns = {
            "refs": [thread.ref for thread in told],
            "moments": [thread.conversation.deleted_at for thread in told],
        }
        await connection.execute(_MARK, columns)
    gone = [thread.ref for thread in told if thread.deleted]
    if gone:
        await settle(connection, gone)


async def settle(connection: AsyncConnection, conversations: Iterable[int]) -> None:
    """Nothing that waits for these conversations is sent, or asked of a person."""
    await connection.execute(_SETTLE, _values(conversations))


async def settle_customers(connection: AsyncConnection, customers: Iterable[int]) -> None:
    """The same of these customers."""
    await connection.execute(_SETTLE_CUSTOMERS, _values(customers))


def _values(refs: Iterable[int]) -> dict[str, Any]:
    return {"refs": list(refs), "why": GONE}
