"""Loading what a batch of lanes needs: few statements, each prepared once, whatever the batch's size."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, INTERVAL, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from sync.echo import WINDOW, Sent
from sync.lease import Holder, Lease
from sync.store.customers import CUSTOMER, customer_of
from sync.thread import ConversationState, CustomerState, HandOffState, Thread, person_of

Address = tuple[str, str]
"""A vendor's id at a connection."""

_ADDRESSES = (bindparam("connections", type_=ARRAY(TEXT)), bindparam("ids", type_=ARRAY(TEXT)))
_REFS = bindparam("refs", type_=ARRAY(BIGINT))
_THREADS = text(
    f"""
SELECT v.*, {CUSTOMER} AS customer, to_jsonb(h) AS hand_off
FROM unnest(:connections, :ids) AS w(connection, id)
JOIN conversation v ON v.connection = w.connection AND v.id = w.id
LEFT JOIN customer c ON c.ref = v.customer_ref
LEFT JOIN hand_off h ON h.conversation_ref = v.ref AND h.state IN ('offered', 'claimed')
"""  # noqa: S608 - a constant
).bindparams(*_ADDRESSES)
_KNOWN = text("""
SELECT conversation_ref, id, text FROM message WHERE conversation_ref = ANY(:refs) AND id = ANY(:ids)
""").bindparams(_REFS, _ADDRESSES[1])
_LEDGER = text("""
SELECT ref, conversation_ref, kind, key, created_at, body, remote_id, claimed_at, state, heard_at
FROM command
WHERE conversation_ref = ANY(:refs) AND kind IN ('reply', 'note', 'set_status')
  AND GREATEST(created_at, claimed_at) > now() - :within
""").bindparams(_REFS, bindparam("within", type_=INTERVAL))
_CONVERSATION_FIELDS = tuple(name for name in ConversationState.__struct_fields__ if name != "dirty")


async def load(connection: AsyncConnection, addresses: Iterable[Address]) -> dict[Address, Thread]:
    """The conversations among `addresses` that exist, with customer, lease and open hand-off."""
    wanted = _arrays(addresses)
    if not wanted["ids"]:
        return {}
    people: dict[int, CustomerState] = {}
    rows = await connection.execute(_THREADS, wanted)
    return {(row.connection, row.id): _thread(row, people) for row in rows}


def _arrays(addresses: Iterable[Address]) -> dict[str, list[str]]:
    pairs = list(addresses)
    return {"connections": [pair[0] for pair in pairs], "ids": [pair[1] for pair in pairs]}


def _thread(row: Row[Any], people: dict[int, CustomerState]) -> Thread:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
    return Thread(
        conversation=ConversationState(**{name: values[name] for name in _CONVERSATION_FIELDS}),
        lease=Lease(
            holder=Holder(row.lease_holder),
            epoch=row.lease_epoch,
            since=row.lease_since,
            person=person_of(row.lease_person),
        ),
        customer=customer_of(row.customer, people),
        hand_off=msgspec.convert(row.hand_off, HandOffState) if row.hand_off else None,
    )


async def load_known_messages(
    connection: AsyncConnection, threads: Iterable[Thread], ids: Iterable[str]
) -> None:
    """Tell each thread which of these messages it has already, with their texts."""
    by_ref = {thread.ref: thread for thread in threads}
    wanted = list(ids)
    if by_ref and wanted:
        for row in await connection.execute(_KNOWN, {"refs": list(by_ref), "ids": wanted}):
            by_ref[row.conversation_ref].known_messages[row.id] = row.text


async def load_ledger(connection: AsyncConnection, threads: Iterable[Thread]) -> None:
    """Give each thread the commands that may come back to it as echoes."""
    by_ref = {thread.ref: thread for thread in threads}
    if by_ref:
        for row in await connection.execute(_LEDGER, {"refs": list(by_ref), "within": WINDOW}):
            by_ref[row.conversation_ref].ledger.append(_sent(row))


def _sent(row: Row[Any]) -> Sent:
    return Sent(
        ref=row.ref,
        conversation_ref=row.conversation_ref,
        kind=row.kind,
        key=row.key,
        created_at=row.created_at,
        text=row.body.get("text") or row.body.get("status", ""),
        private=row.kind == "note",
        author="system" if row.kind == "note" else row.body.get("author", "system"),
        person=person_of(row.body.get("person")),
        remote_id=row.remote_id,
        claimed_at=row.claimed_at,
        unfinished=row.state in {"waiting", "in_flight"},
        heard=row.heard_at is not None,
    )
