"""Inbox and lanes: accepting raw events, taking lanes to work on, finishing and parking events."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from adapters.model import Origin
from config.database import Direct, storable

WAKE_LANES = "deskbridge_inbox"
EVENTS_PER_LANE = 32


class Form(StrEnum):
    """What an event's body is: as its connection sent it, or a JSON list of canonical changes."""

    VENDOR = "vendor"
    CANONICAL = "canonical"


class RawEvent(Struct, frozen=True, kw_only=True):
    """An event to accept. `lane` is already unique over connections (see `lane_of`)."""

    connection: str
    key: str
    lane: str
    body: bytes
    received_at: datetime
    origin: Origin = Origin.LIVE
    form: Form = Form.VENDOR
    state: str = "pending"
    reason: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """An accepted event whose turn has come."""

    ref: int
    connection: str
    lane: str
    origin: Origin
    form: Form = Form.VENDOR
    received_at: datetime
    body: bytes


def lane_of(connection: str, name: str) -> str:
    """The lane of a conversation (or of whatever else the adapter orders by) at a connection."""
    return f"{connection}/{name}"


# One statement, so that the hot path needs one round trip: in autocommit it is a transaction by itself.
# Deliveries that came before leave no row in `fresh`, so their payload is not stored again.
_ACCEPT = Direct(
    text("""
WITH given AS MATERIALIZED (
    SELECT *, nextval(pg_get_serial_sequence('inbox', 'ref')) AS ref
    FROM unnest(:connections, :keys, :lanes, :origins, :forms, :states, :reasons, :times, :bodies)
        AS g(connection, key, lane, origin, form, state, reason, received_at, body)
), fresh AS (
    INSERT INTO inbox (ref, connection, key, lane, origin, form, state, reason, received_at)
    OVERRIDING SYSTEM VALUE
    SELECT ref, connection, key, lane, origin, form, state, reason, received_at FROM given
    ON CONFLICT (connection, key) DO NOTHING
    RETURNING ref, connection, key
), stored AS (
    INSERT INTO payload (inbox_ref, received_at, body)
    SELECT ref, received_at, body FROM given JOIN fresh USING (ref)
)
SELECT connection, key, CASE WHEN row_number() OVER () = 1 THEN pg_notify(:wake, '') END FROM fresh
""").bindparams(
        bindparam("connections", type_=ARRAY(TEXT)),
        bindparam("keys", type_=ARRAY(TEXT)),
        bindparam("lanes", type_=ARRAY(TEXT)),
        bindparam("origins", type_=ARRAY(TEXT)),
        bindparam("forms", type_=ARRAY(TEXT)),
        bindparam("states", type_=ARRAY(TEXT)),
        bindparam("reasons", type_=ARRAY(TEXT)),
        bindparam("times", type_=ARRAY(TIMESTAMP(timezone=True))),
        bindparam("bodies", type_=ARRAY(BYTEA)),
    )
)


async def accept(connection: AsyncConnection, events: Sequence[RawEvent]) -> list[bool]:
    """Store what is new among `events` and wake the lane workers; says of each whether it was new."""
    rows = await _ACCEPT.rows(
        connection,
        {
            "connections": [event.connection for event in events],
            "keys": [event.key for event in events],
            "lanes": [event.lane for event in events],
            "origins": [event.origin.value for event in events],
            "forms": [event.form.value for event in events],
            "states": [event.state for event in events],
            "reasons": [event.reason for event in events],
            "times": [event.received_at for event in events],
            "bodies": [event.body for event in events],
            "wake": WAKE_LANES,
        },
    )
    fresh = {(row[0], row[1]) for row in rows}
    # A delivery that stands twice in one batch is new once.
    return [_take_out(fresh, (event.connection, event.key)) for event in events]


def _take_out(remaining: set[tuple[str, str]], item: tuple[str, str]) -> bool:
    if item not in remaining:
        return False
    remaining.discard(item)
    return True


# A loose index scan: one index probe a lane, however many events wait in it. The lock belongs to
# the transaction: a worker that dies, or idles too long in it, gives its lanes back by itself.
# Live events and history lie in an index each, so that a flood of one never hides the other.
_TAKE = """
WITH RECURSIVE waiting AS (
    (SELECT lane FROM inbox WHERE {which} AND lane > :after ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT i.lane FROM inbox i WHERE {which} AND i.lane > waiting.lane ORDER BY i.lane LIMIT 1)
    FROM waiting WHERE waiting.lane IS NOT NULL
)
SELECT lane FROM waiting
WHERE lane IS NOT NULL AND pg_try_advisory_xact_lock(hashtextextended(lane, 0))
LIMIT :most
"""
LIVE = "state = 'pending' AND origin = 'live'"
HISTORY = "state = 'pending' AND origin <> 'live'"
_TAKE_LIVE, _TAKE_HISTORY = (Direct(text(_TAKE.format(which=which))) for which in (LIVE, HISTORY))
_EVENTS = Direct(
    text(
        f"""
SELECT e.ref, e.connection, e.lane, e.origin, e.form, e.received_at, p.body
FROM unnest(:lanes) AS l(lane)
CROSS JOIN LATERAL (
    SELECT * FROM (
        (SELECT * FROM inbox i WHERE {LIVE} AND i.lane = l.lane ORDER BY i.ref LIMIT :most)
        UNION ALL
        (SELECT * FROM inbox i WHERE {HISTORY} AND i.lane = l.lane ORDER BY i.ref LIMIT :most)
    ) AS both_kinds ORDER BY ref LIMIT :most
) e
JOIN payload p ON p.inbox_ref = e.ref AND p.received_at = e.received_at
ORDER BY e.ref
"""  # noqa: S608 - two constants
    ).bindparams(bindparam("lanes", type_=ARRAY(TEXT)))
)


async def take_lanes(
    connection: AsyncConnection, *, after: str, most: int, history: bool = False
) -> list[str]:
    """Lock up to `most` lanes, in name order after `after`, for this transaction.

    They are lanes in which live events wait, or else those in which `history` does.
    """
    take = _TAKE_HISTORY if history else _TAKE_LIVE
    return await take.values(connection, {"after": after, "most": most})


async def try_lane(connection: AsyncConnection, lane: str) -> bool:
    """Lock one lane for this transaction, unless somebody else holds it."""
    got = await connection.scalar(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended(:lane, 0))"), {"lane": lane}
    )
    return bool(got)


async def lock_lane(connection: AsyncConnection, lane: str) -> None:
    """Wait for a lane and lock it for this transaction."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:lane, 0))"), {"lane": lane})


async def read_events(
    connection: AsyncConnection, lanes: Sequence[str], *, per_lane: int = EVENTS_PER_LANE
) -> list[Event]:
    """The oldest waiting events of locked lanes, in the order they were accepted."""
    rows = await _EVENTS.rows(connection, {"lanes": list(lanes), "most": per_lane})
    return [
        Event(
            ref=row.ref,
            connection=row.connection,
            lane=row.lane,
            origin=Origin(row.origin),
            form=Form(row.form),
            received_at=row.received_at,
            body=row.body,
        )
        for row in rows
    ]


_DONE = Direct(
    text("UPDATE inbox SET state = 'done', done_at = :now WHERE ref = ANY(:refs)").bindparams(
        bindparam("refs", type_=ARRAY(BIGINT))
    )
)
_PARK = text("""
UPDATE inbox SET state = 'parked', done_at = :now, reason = :reason, detail = :detail WHERE ref = :ref
""")


async def finish(connection: AsyncConnection, refs: Sequence[int], *, now: datetime) -> None:
    """Mark events as worked."""
    await _DONE.rows(connection, {"refs": list(refs), "now": now})


async def park(connection: AsyncConnection, ref: int, *, reason: str, detail: str, now: datetime) -> None:
    """Set one event aside for a person."""
    await connection.execute(_PARK, {"ref": ref, "reason": reason, "detail": storable(detail), "now": now})


async def oldest_pending(connection: AsyncConnection) -> datetime | None:
    """When the longest-waiting live event was received; history waits without hurry."""
    rows = await connection.execute(
        text("SELECT min(received_at) FROM inbox WHERE state = 'pending' AND origin = 'live'")
    )
    return rows.scalar()


async def load_places(connection: AsyncConnection, refs: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Where these conversations live: connection and vendor id."""
    rows = await connection.execute(
        text("SELECT ref, connection, id FROM conversation WHERE ref = ANY(:refs)").bindparams(
            bindparam("refs", type_=ARRAY(BIGINT))
        ),
        {"refs": list(refs)},
    )
    return {row.ref: (row.connection, row.id) for row in rows}
