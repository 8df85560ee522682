"""Conversations in bulk: loading what a batch of lanes needs, and writing back what it changed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, func, insert, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, INTEGER, JSONB, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam
from sqlmodel import col

from config.database import Direct
from sync.priority import Priority
from sync.store import deletions, doubts, tickets, undelivered
from sync.store.upserts import upsert_by_ref
from sync.tables import (
    CommandRow,
    Conversation,
    LeaseChange,
    Message,
    ref_block,
)
from sync.thread import (
    ConversationState,
    CustomerState,
    NewCommand,
    Refs,
    Thread,
    person_json,
)
from sync.voice_tables import HandOff

WAKE_DISPATCHERS = "deskbridge_outbox"
Address = tuple[str, str]
"""A vendor's id at a connection."""


_NEXT_REFS = Direct(select(ref_block.next_value()))


async def next_refs(connection: AsyncConnection) -> Refs:
    """A block of refs, larger than all that were handed out before."""
    (first,) = await _NEXT_REFS.values(connection)
    return Refs(first)


async def save(
    connection: AsyncConnection,
    threads: Sequence[Thread],
    errands: Sequence[tuple[CustomerState, NewCommand]] = (),
) -> None:
    """Write all that a batch changed in its conversations, and its other commands: a statement a table."""
    await _save_conversations(connection, threads)
    await _save_messages(connection, threads)
    await _save_edits(connection, threads)
    await _save_files(connection, threads)
    await _save_leases(connection, threads)
    await _save_hand_offs(connection, threads)
    await _silence(connection, threads)
    await deletions.save(connection, threads)
    await tickets.withdraw(connection, [ref for thread in threads for ref in thread.withdrawn])
    await _save_heard(connection, threads)
    await undelivered.save(connection, [failed for thread in threads for failed in thread.failed])
    await doubts.save(connection, threads)
    await _save_commands(connection, threads, errands)


def _messages() -> Any:
    """The dispatcher may have stored a reply of ours between our look and now: only its files are news."""
    statement = upsert(Message)
    told = statement.excluded.attachments
    return statement.on_conflict_do_update(
        index_elements=["conversation_ref", "id"],
        set_={"attachments": told, "xid": func.pg_current_xact_id()},
        where=and_(told != literal_column("'[]'::jsonb"), col(Message.attachments).is_distinct_from(told)),
    )


_MESSAGES = Direct(_messages())
# `deleted_at` is written by reconciliations, too, which hold no lane.
_WRITTEN_APART = {"ref", "connection", "id", "created_at", "deleted_at", "dirty"}
_LEASE_FIELDS = ("lease_holder", "lease_epoch", "lease_since", "lease_person")
_CONVERSATIONS = Direct(
    upsert_by_ref(
        Conversation,
        *(set(ConversationState.__struct_fields__) - _WRITTEN_APART),
        *_LEASE_FIELDS,
    )
)
_HAND_OFFS = Direct(
    upsert_by_ref(HandOff, "state", "agent", "claimed_at", "ended_at", "accept_by", "ticket", "position")
)
_LEASES = Direct(insert(LeaseChange))
_COMMANDS = Direct(insert(CommandRow))
_WAKE = Direct(text("SELECT pg_notify(:channel, '')"))


async def _save_messages(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    rows = [msgspec.structs.asdict(message) for thread in threads for message in thread.messages]
    if rows:
        await _MESSAGES.many(connection, rows)


async def _save_conversations(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    changed = sorted(
        (t for t in threads if t.is_new or t.conversation.dirty or t.lease_moves), key=lambda t: t.ref
    )
    if changed:
        await _CONVERSATIONS.many(connection, [_conversation_row(thread) for thread in changed])


def _conversation_row(thread: Thread) -> dict[str, Any]:
    row = msgspec.structs.asdict(thread.conversation)
    del row["dirty"]
    return row | {
        "lease_holder": thread.lease.holder.value,
        "lease_epoch": thread.lease.epoch,
        "lease_since": thread.lease.since,
        "lease_person": person_json(thread.lease.person),
    }


async def _save_edits(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    edits = [{"of": t.ref, "which": i, "new": body} for t in threads for i, body in t.edited]
    if edits:
        await connection.execute(
            update(Message)
            .where(col(Message.conversation_ref) == bindparam("of"), col(Message.id) == bindparam("which"))
            .values(text=bindparam("new"), xid=func.pg_current_xact_id()),
            edits,
        )


async def _save_files(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    files = [{"of": t.ref, "which": i, "files": held} for t in threads for i, held in t.attached]
    if files:
        told = bindparam("files", type_=JSONB)
        await connection.execute(
            update(Message)
            .where(
                col(Message.conversation_ref) == bindparam("of"),
                col(Message.id) == bindparam("which"),
                col(Message.attachments) != told,
            )
            .values(attachments=told, xid=func.pg_current_xact_id()),
            files,
        )


async def _save_leases(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "ref": move.ref,
            "conversation_ref": thread.ref,
            "epoch": move.lease.epoch,
            "holder": move.lease.holder.value,
            "person": person_json(move.lease.person),
            "cause": move.cause,
            "event_ref": move.event_ref,
            "at": move.lease.since,
        }
        for thread in threads
        for move in thread.lease_moves
    ]
    if rows:
        await _LEASES.many(connection, rows)


async def _save_hand_offs(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    # Ended ones first: a conversation has at most one open.
    ended = [h for t in threads for h in t.ended_hand_offs]
    current = [t.hand_off for t in threads if t.hand_off is not None]
    for group in (ended, current):
        rows = [msgspec.structs.asdict(hand_off) for hand_off in group if hand_off.dirty]
        for row in rows:
            del row["dirty"]
        if rows:
            await _HAND_OFFS.many(connection, rows)


# What the AI decided under an older epoch, or before a burst went on, must not be said any more.
_SILENCE = Direct(
    text("""
UPDATE command SET state = 'superseded', done_at = now(), doubt = held IS NOT NULL,
    reason = 'overtaken before it was sent'
FROM unnest(:refs, :names) AS s(ref, name)
WHERE conversation_ref = s.ref AND connection = s.name AND state = 'waiting' AND epoch IS NOT NULL
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)), bindparam("names", type_=ARRAY(TEXT)))
)


async def _silence(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    pairs = sorted({(thread.ref, name) for thread in threads for name in thread.silenced})
    if pairs:
        refs, names = zip(*pairs, strict=True)
        await _SILENCE.rows(connection, {"refs": list(refs), "names": list(names)})


_HEARD = Direct(
    text("UPDATE command SET heard_at = now() WHERE ref = ANY(:refs)").bindparams(
        bindparam("refs", type_=ARRAY(BIGINT))
    )
)


async def _save_heard(connection: AsyncConnection, threads: Sequence[Thread]) -> None:
    refs = [ref for thread in threads for ref in thread.heard]
    if refs:
        await _HEARD.rows(connection, {"refs": sorted(refs)})


async def _save_commands(
    connection: AsyncConnection,
    threads: Sequence[Thread],
    errands: Sequence[tuple[CustomerState, NewCommand]],
) -> None:
    rows = [_command_row(new, conversation_ref=thread.ref) for thread in threads for new in thread.commands]
    rows += [_command_row(new, customer_ref=customer.ref) for customer, new in errands]
    if rows:
        await _COMMANDS.many(connection, rows)
        await _pull_forward(connection, [row for row in rows if row["conversation_ref"]])
        await _WAKE.rows(connection, {"channel": WAKE_DISPATCHERS})


def _command_row(
    new: NewCommand, *, conversation_ref: int | None = None, customer_ref: int | None = None
) -> dict[str, Any]:
    return {
        "ref": new.ref,
        "conversation_ref": conversation_ref,
        "customer_ref": customer_ref,
        "connection": new.connection,
        "kind": new.kind,
        "body": msgspec.to_builtins(new.command),
        "key": new.key,
        "epoch": new.epoch,
        "turn": new.turn,
        "decision_ref": new.decision_ref,
        "event_ref": new.event_ref,
        "hand_off_ref": new.hand_off,
        "priority": new.priority,
        "state": "superseded" if new.held_back else "waiting",
        "reason": new.held_back,
        "done_at": new.created_at if new.held_back else None,
        "attempts": 0,
        "outcome_unknown": False,
        "doubt": False,
        "ready_at": new.ready_at,
        "created_at": new.created_at,
    }


# Order holds within a conversation: what stands before an urgent command becomes as urgent.
_PULL_FORWARD = Direct(
    text("""
UPDATE command c SET priority = u.priority
FROM unnest(:subjects, :names, :refs, :priorities) AS u(subject, name, ref, priority)
WHERE c.subject_ref = u.subject AND c.connection = u.name AND c.ref < u.ref
  AND c.state = 'waiting' AND c.priority > u.priority
""").bindparams(
        bindparam("subjects", type_=ARRAY(BIGINT)),
        bindparam("names", type_=ARRAY(TEXT)),
        bindparam("refs", type_=ARRAY(BIGINT)),
        bindparam("priorities", type_=ARRAY(INTEGER)),
    )
)


async def _pull_forward(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    urgent: dict[tuple[int, str], tuple[int, int]] = {}
    for row in rows:
        place = (row["conversation_ref"], row["connection"])
        if row["priority"] < Priority.STATUS:
            urgent[place] = min(urgent.get(place, (Priority.EXPORT, 0)), (row["priority"], -row["ref"]))
    if urgent:
        columns = zip(*((*place, -ref, priority) for place, (priority, ref) in urgent.items()), strict=True)
        names = ("subjects", "names", "refs", "priorities")
        values = dict(zip(names, map(list, columns), strict=True))
        await _PULL_FORWARD.rows(connection, values)


async def load_transcript(
    connection: AsyncConnection, conversation_ref: int, *, most: int
) -> list[dict[str, Any]]:
    """The last messages of a conversation, oldest first, as the hand-off package shows them."""
    rows: Any = await connection.execute(
        select(
            col(Message.id),
            col(Message.author),
            Message.__table__.c.person,  # type: ignore[attr-defined]
            col(Message.text),
            col(Message.private),
            col(Message.sent_at).label("at"),
        )
        .where(col(Message.conversation_ref) == conversation_ref)
        .order_by(col(Message.sent_at).desc(), col(Message.ref).desc())
        .limit(most)
    )
    return [dict(row._mapping) for row in rows][::-1]  # noqa: SLF001 - SQLAlchemy's public name
