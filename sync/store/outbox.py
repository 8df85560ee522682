"""The outbox: which commands may go now, what became of them, and whose were left behind."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import func, insert, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, INTEGER, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam
from sqlmodel import col

from config.database import Direct, storable
from sync.delivery import Outcome, Verdict
from sync.store.deletions import GONE, IS_GONE
from sync.tables import AttemptRow, Message

CLAIM_LASTS = timedelta(seconds=60)


class Hold(Struct, frozen=True, kw_only=True):
    """What is not to be claimed now: a connection's commands, or those of a kind from a priority on."""

    connection: str
    kind: str = ""
    priority: int = 0


class Claimed(Struct, frozen=True, kw_only=True):
    """A command in our hands, about a conversation or a customer.

    `outcome_unknown`: an earlier try may have worked, so look first.
    """

    ref: int
    conversation_ref: int | None
    customer_ref: int | None
    connection: str
    conversation_id: str | None
    home: str | None
    """The connection that the conversation lives at."""
    kind: str
    body: dict[str, Any]
    key: str
    epoch: int | None
    turn: int | None
    hand_off_ref: int | None
    priority: int
    attempts: int
    outcome_unknown: bool
    created_at: datetime
    claimed_at: datetime


_HELD = (
    bindparam("held_names", type_=ARRAY(TEXT)),
    bindparam("held_kinds", type_=ARRAY(TEXT)),
    bindparam("held_from", type_=ARRAY(INTEGER)),
)


def _held(holds: Iterable[Hold]) -> dict[str, list[Any]]:
    every = list(holds)
    return {
        "held_names": [hold.connection for hold in every],
        "held_kinds": [hold.kind for hold in every],
        "held_from": [hold.priority for hold in every],
    }


# Only the first unfinished command of each subject and connection is due; what only asks waits for its like
# alone, for what it brings may be what keeps the others from being sent. An epoch that has
# moved on means that the right to speak is gone: the check rides in the claim, right before sending. So
# do those for messages held for echoes of ours (one may be a person's) and for what the vendor has deleted.
# Each connection has its own list, so that a long one keeps nobody else's from being looked at.
# OFFSET 0 keeps the look at earlier ones a probe of the index for each. As a join, the planner, whose counts
# of a large table hardly ever see anything waiting, reads all that waits once for each that waits.
_CLAIM = Direct(
    text(
        f"""
WITH RECURSIVE names(connection) AS (
    (SELECT connection FROM command WHERE state = 'waiting' ORDER BY connection LIMIT 1)
    UNION ALL
    SELECT (SELECT e.connection FROM command e WHERE e.state = 'waiting' AND e.connection > n.connection
            ORDER BY e.connection LIMIT 1)
    FROM names n WHERE n.connection IS NOT NULL
), due AS (
    SELECT first.ref, first.conversation_ref, first.epoch, first.gone
    FROM names n LEFT JOIN unnest(:room_names, :room_sizes) AS r(name, size) ON r.name = n.connection
    CROSS JOIN LATERAL (
        SELECT c.ref, c.conversation_ref, c.priority, c.epoch, {IS_GONE} AS gone FROM command c
        WHERE c.state = 'waiting' AND c.connection = n.connection AND c.ready_at <= :now
          AND NOT EXISTS (
            SELECT 1 FROM unnest(:held_names, :held_kinds, :held_from) AS h(name, kind, priority)
            WHERE h.name = c.connection AND h.kind IN ('', c.kind) AND c.priority >= h.priority)
          AND NOT EXISTS (SELECT 1 FROM command e
            WHERE e.subject_ref = c.subject_ref AND e.connection = c.connection
              AND e.ref < c.ref AND e.state IN ('waiting', 'in_flight')
              AND (e.kind = 'fetch' OR c.kind <> 'fetch') OFFSET 0)
          AND (c.epoch IS NULL OR NOT EXISTS (SELECT 1 FROM command d
            WHERE d.conversation_ref = c.conversation_ref AND d.doubt AND d.state <> 'in_flight'))
        ORDER BY c.priority, c.ref
        LIMIT COALESCE(r.size, :share)
        FOR UPDATE OF c SKIP LOCKED
    ) first
    ORDER BY first.priority, first.ref
    LIMIT :most
), spoken AS (
    SELECT v.ref, v.lease_epoch, v.id, v.connection FROM conversation v
    WHERE v.ref IN (SELECT conversation_ref FROM due)
    FOR SHARE SKIP LOCKED
), ready AS (
    SELECT due.ref, spoken.id, spoken.connection,
        CASE WHEN due.gone THEN CAST(:gone AS text)
             WHEN due.epoch <> spoken.lease_epoch THEN 'the lease moved on before it was sent' END AS why
    FROM due LEFT JOIN spoken ON spoken.ref = due.conversation_ref
    WHERE due.conversation_ref IS NULL OR spoken.ref IS NOT NULL
)
UPDATE command c SET
    state = CASE WHEN r.why IS NULL THEN 'in_flight' ELSE 'superseded' END,
    done_at = CASE WHEN r.why IS NOT NULL THEN CAST(:now AS timestamptz) END,
    reason = r.why,
    claimed_by = CASE WHEN r.why IS NULL THEN CAST(:worker AS bigint) END,
    claimed_at = CASE WHEN r.why IS NULL THEN CAST(:now AS timestamptz) ELSE c.claimed_at END,
    doubt = c.doubt OR (r.why IS NOT NULL AND c.held IS NOT NULL),
    attempts = c.attempts + CASE WHEN r.why IS NULL THEN 1 ELSE 0 END
FROM ready r
WHERE c.ref = r.ref
RETURNING c.*, r.id AS conversation_id, r.connection AS home
"""  # noqa: S608 - a constant
    ).bindparams(
        *_HELD, bindparam("room_names", type_=ARRAY(TEXT)), bindparam("room_sizes", type_=ARRAY(INTEGER))
    )
)


class Room(Struct, frozen=True, kw_only=True):
    """How many commands may be claimed: `most` in all, `share` at each connection but those in `rooms`."""

    most: int
    share: int
    rooms: Mapping[str, int] = {}


async def claim(
    connection: AsyncConnection, *, worker: int, room: Room, now: datetime, holds: Iterable[Hold] = ()
) -> tuple[list[Claimed], int]:
    """Take due commands, the most urgent first; also says how many were superseded instead."""
    limits = {"most": room.most, "share": room.share}
    sizes = {"room_names": list(room.rooms), "room_sizes": list(room.rooms.values())}
    values = {"worker": worker, "now": now, "gone": GONE, **limits, **sizes, **_held(holds)}
    rows = await _CLAIM.rows(connection, values)
    names = Claimed.__struct_fields__
    claimed = [
        Claimed(**{name: getattr(row, name) for name in names}) for row in rows if row.state == "in_flight"
    ]
    return claimed, len(rows) - len(claimed)


class Finished(Struct, frozen=True, kw_only=True):
    """An attempt that ended, and what becomes of its command."""

    claimed: Claimed
    worker: int
    verdict: Verdict
    status: int | None
    detail: str
    started_at: datetime
    ended_at: datetime
    remote_id: str | None = None
    vendor_at: datetime | None = None


# What the vendor hasn't got any more is nothing for a person to put right.
_VOID = f"(:to = 'parked' AND (c.reason IS NOT DISTINCT FROM :gone OR {IS_GONE}))"
_SETTLE = Direct(
    text(
        f"""
UPDATE command c SET
    state = CASE WHEN {_VOID} THEN 'superseded' ELSE :to END,
    ready_at = COALESCE(CAST(:ready_at AS timestamptz), ready_at), outcome_unknown = :unknown,
    remote_id = COALESCE(:remote, remote_id), reason = CASE WHEN {_VOID} THEN :gone ELSE :reason END,
    vendor_at = COALESCE(CAST(:vendor_at AS timestamptz), vendor_at),
    claimed_by = NULL,
    attempts = attempts - :uncounted,
    parked_as = CASE WHEN :to = 'parked' AND NOT {_VOID} THEN :outcome END,
    doubt = held IS NOT NULL AND NOT COALESCE(
        jsonb_array_length(held) = 1 AND held -> 0 ->> 'id' = :remote, false),
    done_at = CASE WHEN :to = 'waiting' THEN NULL ELSE CAST(:now AS timestamptz) END
WHERE ref = :of AND state = 'in_flight' AND claimed_by = :worker AND claimed_at = :claimed_at
"""  # noqa: S608 - a constant
    ).bindparams(
        bindparam("gone", type_=TEXT),
        bindparam("remote", type_=TEXT),
        bindparam("reason", type_=TEXT),
        bindparam("to", type_=TEXT),
        bindparam("outcome", type_=TEXT),
    )
)


_ATTEMPTS = Direct(insert(AttemptRow))


async def settle(connection: AsyncConnection, finished: Sequence[Finished]) -> None:
    """Record attempts and move their commands on; a claim that was taken away from us is left alone."""
    await _SETTLE.many(
        connection,
        [
            {
                "of": item.claimed.ref,
                "worker": item.worker,
                "claimed_at": item.claimed.claimed_at,
                "to": item.verdict.state,
                "ready_at": item.verdict.ready_at,
                "unknown": item.verdict.outcome_unknown,
                "uncounted": 0 if item.verdict.counts else 1,
                "remote": item.remote_id,
                "vendor_at": item.vendor_at,
                "reason": storable(item.verdict.reason),
                "gone": GONE,
                "outcome": item.verdict.outcome.value,
                "now": item.ended_at,
            }
            for item in finished
        ],
    )
    made = [_attempt(item) for item in finished if item.verdict.outcome is not Outcome.HELD]
    if made:
        await _ATTEMPTS.many(connection, made)


def _attempt(item: Finished) -> dict[str, Any]:
    return {
        "command_ref": item.claimed.ref,
        "number": item.claimed.attempts,
        "outcome": item.verdict.outcome.value,
        "status": item.status,
        "detail": storable(item.detail[:2000]),
        "started_at": item.started_at,
        "ended_at": item.ended_at,
    }


def _own_messages() -> Any:
    statement = upsert(Message)
    ours = {name: statement.excluded[name] for name in ("author", "person", "text", "command_ref")}
    return statement.on_conflict_do_update(
        index_elements=["conversation_ref", "id"],
        set_=ours | {"xid": func.pg_current_xact_id()},
        where=col(Message.command_ref).is_distinct_from(statement.excluded.command_ref),
    )


_OWN_MESSAGES = Direct(_own_messages())


async def record_own_messages(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Store messages that a vendor confirmed; an echo that was faster, and not known for one, is ours now."""
    if rows:
        await _OWN_MESSAGES.many(connection, rows)


_RENEW = Direct(
    text(
        f"""
UPDATE command c SET claimed_at = :now
WHERE c.ref = :of AND c.state = 'in_flight' AND c.claimed_by = :worker AND c.claimed_at = :claimed_at
  AND NOT {IS_GONE}
  AND (:begun OR c.epoch IS NULL OR c.epoch = (
    SELECT v.lease_epoch FROM conversation v WHERE v.ref = c.conversation_ref))
RETURNING c.ref
"""  # noqa: S608 - a constant
    )
)


async def renew(
    connection: AsyncConnection, claimed: Claimed, *, worker: int, now: datetime, begun: bool
) -> bool:
    """Whether a command is still ours to send, which it is anew then.

    It isn't if it was taken from us or, where nothing is `begun`, if its epoch has changed.
    """
    of = {"of": claimed.ref, "worker": worker, "claimed_at": claimed.claimed_at}
    return bool(await _RENEW.values(connection, of | {"now": now, "begun": begun}))


class Told(Struct, frozen=True, kw_only=True):
    """What the vendor has told us: whether a status came `back`, and the conversation's latest change."""

    back: bool
    vendor_updated_at: datetime | None


_TOLD = text("""
SELECT c.heard_at IS NOT NULL AS back, v.vendor_updated_at
FROM command c JOIN conversation v ON v.ref = c.conversation_ref WHERE c.ref = :of
""")


async def load_told(connection: AsyncConnection, ref: int) -> Told:
    """What we have been told since a status was to be set."""
    row = (await connection.execute(_TOLD, {"of": ref})).one()
    return Told(back=row.back, vendor_updated_at=row.vendor_updated_at)


_RECOVER = Direct(
    text("""
UPDATE command c SET outcome_unknown = (c.kind <> 'answer'), claimed_by = NULL, ready_at = :now,
    state = CASE WHEN c.attempts >= :attempts THEN 'parked' ELSE 'waiting' END,
    done_at = CASE WHEN c.attempts >= :attempts THEN CAST(:now AS timestamptz) END,
    reason = CASE WHEN c.attempts >= :attempts THEN 'gave up: its workers died or froze, again and again'
             ELSE 'its worker died or froze' END
WHERE c.state = 'in_flight' AND (
    c.claimed_by = ANY(:dead) OR c.claimed_at < CAST(:now AS timestamptz) - CAST(:lasts AS interval))
RETURNING c.ref
""").bindparams(bindparam("dead", type_=ARRAY(BIGINT)))
)


async def recover(
    connection: AsyncConnection, *, dead: Sequence[int], now: datetime, attempts: int
) -> list[int]:
    """Free the commands of dead or frozen workers; what they may have done is looked up before a resend.

    One that has had all its `attempts` is parked: it may be what kills them.
    """
    given = {"now": now, "lasts": CLAIM_LASTS, "dead": list(dead), "attempts": attempts}
    return await _RECOVER.values(connection, given)


_NEXT_DUE = Direct(
    text("""
SELECT LEAST(
    (SELECT c.ready_at FROM command c WHERE c.state = 'waiting'
       AND NOT EXISTS (SELECT 1 FROM unnest(:held_names, :held_kinds, :held_from) AS h(name, kind, priority)
         WHERE h.name = c.connection AND h.kind IN ('', c.kind) AND c.priority >= h.priority)
       AND NOT EXISTS (SELECT 1 FROM command e
         WHERE e.subject_ref = c.subject_ref AND e.connection = c.connection
           AND e.ref < c.ref AND e.state IN ('waiting', 'in_flight')
           AND (e.kind = 'fetch' OR c.kind <> 'fetch') OFFSET 0)
     ORDER BY c.ready_at LIMIT 1),
    (SELECT CAST(:now AS timestamptz) + interval '1 second'
       WHERE EXISTS (SELECT 1 FROM command c WHERE c.state = 'in_flight' AND c.claimed_by <> :worker)))
""").bindparams(*_HELD)
)


async def next_due(
    connection: AsyncConnection, *, worker: int, now: datetime, holds: Iterable[Hold] = ()
) -> datetime | None:
    """When the next command that isn't held can go, or it is time to see whether those at work still live."""
    values = {"now": now, "worker": worker, **_held(holds)}
    due: datetime | None = (await _NEXT_DUE.values(connection, values))[0]
    return due
