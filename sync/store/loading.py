"""Loading what a batch of lanes needs: few statements, each prepared once, whatever the batch's size."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, INTERVAL, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from config.database import Direct, Row
from sync.echo import WINDOW, Guess, Sent
from sync.lease import Holder, Lease
from sync.store.customers import CUSTOMER, customer_of
from sync.store.field_updates import UPDATE_CONVERSATION
from sync.thread import (
    ConversationState,
    CustomerState,
    HandOffState,
    PeoplePast,
    Spoken,
    Thread,
    person_of,
)

Address = tuple[str, str]
"""A vendor's id at a connection."""

_ADDRESSES = (bindparam("connections", type_=ARRAY(TEXT)), bindparam("ids", type_=ARRAY(TEXT)))
_REFS = bindparam("refs", type_=ARRAY(BIGINT))
_THREADS = Direct(
    text(
        f"""
SELECT v.*, {CUSTOMER} AS customer, to_jsonb(h) AS hand_off
FROM unnest(:connections, :ids) AS w(connection, id)
JOIN conversation v ON v.connection = w.connection AND v.id = w.id
LEFT JOIN customer c ON c.ref = v.customer_ref
LEFT JOIN hand_off h ON h.conversation_ref = v.ref AND h.state IN ('offered', 'claimed')
"""  # noqa: S608 - a constant
    ).bindparams(*_ADDRESSES)
)
_KNOWN = Direct(
    text("""
SELECT conversation_ref, id, text FROM message WHERE conversation_ref = ANY(:refs) AND id = ANY(:ids)
""").bindparams(_REFS, _ADDRESSES[1])
)
# What bears our token or a known id is ours however late it comes; words are compared in the window alone.
# That begins when it was sent: a vendor that was down for an hour hears of it then. What was sent to a desk
# elsewhere comes back there, not here: a customer who says the same again is no echo of that.
_LEDGER = Direct(
    text("""
SELECT c.ref, c.conversation_ref, c.kind, c.key, c.created_at, c.body, c.remote_id, c.claimed_at, c.state,
  c.heard_at, c.outcome_unknown, c.held, c.doubt, c.epoch, c.done_at, c.vendor_at, c.turn
FROM command c JOIN conversation v ON v.ref = c.conversation_ref AND v.connection = c.connection
WHERE c.conversation_ref = ANY(:refs) AND (c.kind IN ('reply', 'note', 'set_status')
    OR (c.kind = 'update_conversation' AND c.body ->> 'status' IS NOT NULL))
  AND (c.created_at > now() - :within OR c.claimed_at > now() - :within
    OR c.state IN ('waiting', 'in_flight') OR c.doubt
    OR c.key = ANY(:tokens) OR c.remote_id = ANY(:ids))
ORDER BY c.ref
""").bindparams(
        _REFS, bindparam("within", type_=INTERVAL), bindparam("tokens", type_=ARRAY(TEXT)), _ADDRESSES[1]
    )
)
# The last stretch in which the AI didn't have it: it ended when the AI got it back, or goes on.
_PEOPLE = Direct(
    text("""
SELECT v.ref, h.queue, h.agent, e.bots,
  (SELECT count(*) FROM lease_change l
   WHERE l.conversation_ref = v.ref AND l.epoch > e.resolved
     AND l.cause IN ('returned', 'nobody_came', 'control_returned')
  ) AS returns,
  CASE WHEN e.resolved < v.lease_epoch THEN (
    SELECT array_agg(m.text ORDER BY m.sent_at, m.ref) FROM (
      SELECT * FROM message
      WHERE conversation_ref = v.ref AND NOT private AND author IN ('agent', 'customer')
        AND (seen_at > s.began OR (author = 'agent' AND seen_at = s.began))
        AND (author = 'agent' OR v.lease_holder <> 'ai' OR seen_at < v.lease_since)
      ORDER BY sent_at DESC, ref DESC LIMIT :words) m
  ) END AS words
FROM unnest(:refs) AS c(ref)
JOIN conversation v ON v.ref = c.ref
CROSS JOIN LATERAL (
  SELECT coalesce(max(epoch) FILTER (WHERE cause IN ('resolved', 'deleted')), 0) AS resolved,
         coalesce(max(epoch) FILTER (WHERE holder = 'ai' AND epoch < v.lease_epoch), 0) AS ai,
         coalesce(max(epoch) FILTER (WHERE cause NOT IN ('other_bot_spoke', 'other_bot_silent')), 1) AS bots
  FROM lease_change WHERE conversation_ref = v.ref) e
CROSS JOIN LATERAL (
  SELECT min(at) AS began FROM lease_change WHERE conversation_ref = v.ref AND epoch > e.ai) s
LEFT JOIN LATERAL (
  SELECT queue, agent FROM hand_off WHERE conversation_ref = v.ref ORDER BY ref DESC LIMIT 1) h ON true
""").bindparams(_REFS)
)
WORDS = 4
"""How many texts of a stretch with people are remembered."""
_CONVERSATION_FIELDS = tuple(name for name in ConversationState.__struct_fields__ if name != "dirty")


async def load(connection: AsyncConnection, addresses: Iterable[Address]) -> dict[Address, Thread]:
    """The conversations among `addresses` that exist, with customer, lease and open hand-off."""
    wanted = _arrays(addresses)
    if not wanted["ids"]:
        return {}
    people: dict[int, CustomerState] = {}
    rows = await _THREADS.rows(connection, wanted)
    return {(row.connection, row.id): _thread(row, people) for row in rows}


def _arrays(addresses: Iterable[Address]) -> dict[str, list[str]]:
    pairs = list(addresses)
    return {"connections": [pair[0] for pair in pairs], "ids": [pair[1] for pair in pairs]}


def _thread(row: Row, people: dict[int, CustomerState]) -> Thread:
    return Thread(
        conversation=ConversationState(**{name: row[name] for name in _CONVERSATION_FIELDS}),
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
        for row in await _KNOWN.rows(connection, {"refs": list(by_ref), "ids": wanted}):
            by_ref[row.conversation_ref].known_messages[row.id] = row.text


_RECENT = Direct(
    text("""
SELECT m.* FROM unnest(:refs) AS c(ref) CROSS JOIN LATERAL (
    SELECT conversation_ref, id, author, text, sent_at, command_ref FROM message
    WHERE conversation_ref = c.ref AND NOT private AND author <> 'system'
    ORDER BY sent_at DESC, ref DESC LIMIT :most) m
ORDER BY m.sent_at
""").bindparams(_REFS)
)


async def load_recent(connection: AsyncConnection, threads: Iterable[Thread], *, most: int = 20) -> None:
    """Give each thread what was said in it last."""
    by_ref = {thread.ref: thread for thread in threads}
    if by_ref:
        for row in await _RECENT.rows(connection, {"refs": list(by_ref), "most": most}):
            told = {name: row[name] for name in Spoken.__struct_fields__}
            by_ref[row.conversation_ref].recent.append(Spoken(**told))


async def load_people(connection: AsyncConnection, threads: Iterable[Thread]) -> None:
    """Give the threads that people have had their past with people; most never leave the AI."""
    by_ref = {thread.ref: thread for thread in threads if thread.lease.epoch > 1}
    if by_ref:
        for row in await _PEOPLE.rows(connection, {"refs": list(by_ref), "words": WORDS}):
            by_ref[row.ref].people = PeoplePast(
                returns=row.returns, queue=row.queue or "", agent=row.agent, words=tuple(row.words or ())
            )
            by_ref[row.ref].bots_since = row.bots


async def load_ledger(
    connection: AsyncConnection, threads: Iterable[Thread], named: Iterable[tuple[str | None, str | None]]
) -> None:
    """Give each thread the commands that may come back to it as echoes; surely those named by id or token."""
    by_ref = {thread.ref: thread for thread in threads}
    if by_ref:
        told = list(named)
        values = {
            "refs": list(by_ref),
            "within": WINDOW,
            "tokens": [token for _, token in told if token is not None],
            "ids": [id_ for id_, _ in told if id_ is not None],
        }
        for row in await _LEDGER.rows(connection, values):
            by_ref[row.conversation_ref].ledger.append(_sent(row))


def _sent(row: Row) -> Sent:
    return Sent(
        ref=row.ref,
        conversation_ref=row.conversation_ref,
        kind="set_status" if row.kind == UPDATE_CONVERSATION else row.kind,
        key=row.key,
        created_at=row.created_at,
        text=row.body.get("text") or row.body.get("status", ""),
        private=row.kind == "note",
        author="system" if row.kind == "note" else row.body.get("author", "system"),
        person=person_of(row.body.get("person")),
        remote_id=row.remote_id,
        claimed_at=row.claimed_at,
        state=row.state,
        outcome_unknown=row.outcome_unknown,
        held=msgspec.convert(row.held or (), tuple[Guess, ...]),
        doubt=row.doubt,
        epoch=row.epoch,
        done_at=row.done_at,
        vendor_at=row.vendor_at,
        heard=row.heard_at is not None,
        turn=row.turn,
    )
