"""What is parked: listing it, its history, and moving it on. Nothing here commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from adapters.model import Origin
from sync.parking import (
    POISON_AFTER,
    Behind,
    CommandFacts,
    Item,
    Kind,
    Parked,
    ParkingAct,
    Reason,
    reason_of,
)
from sync.store.inbox import HISTORY, LIVE, WAKE_LANES, Event, Form
from sync.store.threads import WAKE_DISPATCHERS
from sync.views import Attempt

SHOWN_BEHIND = 5


class Wanted(Struct, frozen=True, kw_only=True):
    """Which of the parked; what is `None` is not asked about."""

    kind: Kind | None = None
    connection: str | None = None
    reason: Reason | None = None
    parked_before: datetime | None = None


class Place(Struct, frozen=True):
    """Where a page ended: lists are in the order (parked_at, kind, ref)."""

    parked_at: datetime
    item: Item

    def after(self, kind: Kind) -> int:
        """The ref after which this kind goes on at that very moment: events come before commands."""
        if kind is self.item.kind:
            return self.item.ref
        return -1 if kind is Kind.COMMAND else 2**63 - 1


_EVENT = """
SELECT 'event' AS kind, i.ref, i.state, i.connection, i.lane AS about, v.ref AS conversation_ref,
    CASE WHEN i.state = 'malformed' THEN 'malformed' ELSE i.reason END AS reason,
    COALESCE(CASE WHEN i.state = 'malformed' THEN i.reason ELSE i.detail END, '') AS detail,
    i.received_at AS created_at, COALESCE(i.done_at, i.received_at) AS parked_at,
    (SELECT count(*) FROM parking_act a
      WHERE a.kind = 'event' AND a.item_ref = i.ref AND a.act = 'replayed') AS replays
FROM inbox i LEFT JOIN conversation v
    ON v.connection = split_part(i.lane, '/', 1) AND v.id = substr(i.lane, strpos(i.lane, '/') + 1)
"""
_COMMAND = """
SELECT 'command' AS kind, c.ref, c.state, c.connection, c.kind AS about, c.conversation_ref,
    COALESCE(c.parked_as, 'failed') AS reason, COALESCE(c.reason, '') AS detail,
    c.created_at, c.done_at AS parked_at,
    (SELECT count(*) FROM parking_act a
      WHERE a.kind = 'command' AND a.item_ref = c.ref AND a.act = 'replayed') AS replays
FROM command c
"""
_LIST = text(f"""
SELECT * FROM (
    (SELECT * FROM ({_EVENT}
        WHERE i.state IN ('parked', 'malformed')
          AND (CAST(:kind AS text) IS NULL OR :kind = 'event')
          AND (CAST(:connection AS text) IS NULL OR i.connection = :connection)
          AND (CAST(:reason AS text) IS NULL
               OR CASE WHEN i.state = 'malformed' THEN 'malformed' ELSE i.reason END = :reason)
          AND (CAST(:before AS timestamptz) IS NULL OR COALESCE(i.done_at, i.received_at) < :before)
          AND (CAST(:at AS timestamptz) IS NULL
               OR (COALESCE(i.done_at, i.received_at), i.ref) > (:at, CAST(:event AS bigint)))
        ORDER BY COALESCE(i.done_at, i.received_at), i.ref LIMIT :most) e)
    UNION ALL
    (SELECT * FROM ({_COMMAND}
        WHERE c.state = 'parked'
          AND (CAST(:kind AS text) IS NULL OR :kind = 'command')
          AND (CAST(:connection AS text) IS NULL OR c.connection = :connection)
          AND (CAST(:reason AS text) IS NULL OR COALESCE(c.parked_as, 'failed') = :reason)
          AND (CAST(:before AS timestamptz) IS NULL OR c.done_at < :before)
          AND (CAST(:at AS timestamptz) IS NULL
               OR (c.done_at, c.ref) > (:at, CAST(:command AS bigint)))
        ORDER BY c.done_at, c.ref LIMIT :most) d)
) parked
ORDER BY parked_at, kind DESC, ref LIMIT :most
""").bindparams(  # noqa: S608 - constants
    *(bindparam(name, type_=TEXT) for name in ("kind", "connection", "reason")),
    *(bindparam(name, type_=TIMESTAMP(timezone=True)) for name in ("before", "at")),
    *(bindparam(name, type_=BIGINT) for name in ("event", "command")),
)


async def parked(
    connection: AsyncConnection, wanted: Wanted, *, after: Place | None, most: int
) -> list[Parked]:
    """What is parked, the longest parked first."""
    rows = await connection.execute(
        _LIST,
        {
            "kind": wanted.kind,
            "connection": wanted.connection,
            "reason": wanted.reason,
            "before": wanted.parked_before,
            "at": after.parked_at if after else None,
            "event": after.after(Kind.EVENT) if after else None,
            "command": after.after(Kind.COMMAND) if after else None,
            "most": most,
        },
    )
    return [_parked(row) for row in rows.mappings()]


def _parked(row: Mapping[Any, Any]) -> Parked:
    values = dict(row)
    one = Item(Kind(values["kind"]), values["ref"])
    return msgspec.convert(
        values
        | {
            "id": str(one),
            "reason": reason_of(values["reason"]),
            "poison": values["replays"] >= POISON_AFTER and values["state"] in {"parked", "malformed"},
        },
        Parked,
    )


_ONE = {
    Kind.EVENT: text(f"{_EVENT} WHERE i.ref = :ref"),
    Kind.COMMAND: text(f"{_COMMAND} WHERE c.ref = :ref"),
}


async def one(connection: AsyncConnection, wanted: Item) -> Parked | None:
    """One that is parked or was; `None` when nobody ever had anything to do about it."""
    row = (await connection.execute(_ONE[wanted.kind], {"ref": wanted.ref})).mappings().first()
    found = _parked(row) if row else None
    if found is None or found.waiting_for_somebody or await acts_of(connection, wanted):
        return found
    return None


async def acts_of(connection: AsyncConnection, wanted: Item) -> list[ParkingAct]:
    """What was done about it so far."""
    rows = await connection.execute(
        text("SELECT * FROM parking_act WHERE kind = :kind AND item_ref = :ref ORDER BY ref"),
        {"kind": wanted.kind, "ref": wanted.ref},
    )
    return [msgspec.convert(dict(row), ParkingAct) for row in rows.mappings()]


async def attempts_of(connection: AsyncConnection, command_ref: int) -> list[Attempt]:
    """Every try at a command, replays included."""
    rows = await connection.execute(
        text("SELECT * FROM attempt WHERE command_ref = :ref ORDER BY ref"), {"ref": command_ref}
    )
    return [msgspec.convert(dict(row), Attempt) for row in rows.mappings()]


_BEHIND = {
    Kind.EVENT: text(f"""
    WITH it AS (SELECT lane, ref FROM inbox WHERE ref = :ref),
    later AS (
        SELECT i.ref FROM inbox i, it WHERE {LIVE} AND i.lane = it.lane AND i.ref > it.ref
        UNION ALL
        SELECT i.ref FROM inbox i, it WHERE {HISTORY} AND i.lane = it.lane AND i.ref > it.ref
    )
    SELECT (SELECT count(*) FROM later) AS waiting,
           (SELECT count(*) FROM message m JOIN inbox i ON i.ref = m.event_ref, it
             WHERE m.conversation_ref = CAST(:conversation AS bigint) AND m.event_ref > it.ref
               AND i.state = 'done') AS passed,
           ARRAY(SELECT 'event-' || ref FROM later ORDER BY ref LIMIT :most) AS next
    """),  # noqa: S608 - two constants
    Kind.COMMAND: text("""
    WITH it AS (SELECT subject_ref, connection, ref FROM command WHERE ref = :ref),
    later AS (SELECT c.ref, c.kind, c.state FROM command c, it
        WHERE (c.conversation_ref = CAST(:conversation AS bigint) OR c.customer_ref = it.subject_ref)
          AND c.connection = it.connection AND c.ref > it.ref)
    SELECT (SELECT count(*) FROM later WHERE state IN ('waiting', 'in_flight')) AS waiting,
           (SELECT count(*) FROM later WHERE state = 'done') AS passed,
           ARRAY(SELECT 'command-' || ref || ' ' || kind FROM later
             WHERE state IN ('waiting', 'in_flight') ORDER BY ref LIMIT :most) AS next
    """),
}


async def behind(connection: AsyncConnection, found: Parked) -> Behind:
    """What comes after it in its lane (events) or at its connection (commands)."""
    rows = await connection.execute(
        _BEHIND[found.kind],
        {"ref": found.ref, "conversation": found.conversation_ref, "most": SHOWN_BEHIND},
    )
    return msgspec.convert(dict(rows.mappings().one()), Behind)


async def event(connection: AsyncConnection, ref: int) -> tuple[Event, str] | None:
    """A parked event with its body, and its key; `None` when there is none or its body has aged out."""
    rows = await connection.execute(
        text("""
        SELECT i.*, p.body FROM inbox i
        JOIN payload p ON p.inbox_ref = i.ref AND p.received_at = i.received_at WHERE i.ref = :ref
        """),
        {"ref": ref},
    )
    row = rows.mappings().first()
    if row is None:
        return None
    found = Event(
        ref=row["ref"],
        connection=row["connection"],
        lane=row["lane"],
        origin=Origin(row["origin"]),
        form=Form(row["form"]),
        received_at=row["received_at"],
        body=row["body"],
    )
    return found, row["key"]


_FACTS = text("""
SELECT c.ref, c.conversation_ref, c.customer_ref, c.connection, c.kind, c.body, c.key, c.epoch,
    v.lease_epoch, c.created_at,
    (SELECT max(d.ref) FROM command d
      WHERE (d.conversation_ref = c.conversation_ref OR d.customer_ref = c.customer_ref)
        AND d.connection = c.connection AND d.kind = c.kind AND d.ref > c.ref AND d.state = 'done'
    ) AS overtaken_by
FROM command c LEFT JOIN conversation v ON v.ref = c.conversation_ref
WHERE c.ref = ANY(:refs)
""").bindparams(bindparam("refs", type_=ARRAY(BIGINT)))


async def facts(connection: AsyncConnection, refs: Sequence[int]) -> dict[int, CommandFacts]:
    """What decides whether these commands may still be sent."""
    rows = await connection.execute(_FACTS, {"refs": list(refs)})
    return {row["ref"]: msgspec.convert(dict(row), CommandFacts) for row in rows.mappings()}


class Deed(Struct, frozen=True, kw_only=True):
    """Who does something about it, why and when."""

    by: str
    why: str
    now: datetime


# What had failed is kept with the act, for the row itself moves on. A row that moved meanwhile is left alone.
_REPLAY_EVENTS = text("""
WITH was AS (
    SELECT ref, reason, detail, COALESCE(done_at, received_at) AS at FROM inbox
    WHERE ref = ANY(:refs) AND state = 'parked' ORDER BY ref FOR UPDATE
), moved AS (
    UPDATE inbox i SET state = 'pending', origin = :origin, done_at = NULL, reason = NULL, detail = NULL
    FROM was WHERE i.ref = was.ref
)
INSERT INTO parking_act (kind, item_ref, act, by, why, origin, at, failed_as, failed_at, failed_detail)
SELECT 'event', ref, 'replayed', :by, :why, :origin, CAST(:now AS timestamptz),
    COALESCE(reason, 'failed'), at, COALESCE(detail, '')
FROM was RETURNING item_ref
""")
_REPLAY_COMMANDS = text("""
WITH was AS (
    SELECT c.ref, c.parked_as, c.reason, c.done_at AS at, w.number
    FROM unnest(:refs) WITH ORDINALITY AS w(ref, number) JOIN command c ON c.ref = w.ref
    WHERE c.state = 'parked' ORDER BY c.ref FOR UPDATE OF c
), moved AS (
    UPDATE command c SET state = 'waiting', attempts = 0,
        outcome_unknown = c.kind <> 'answer' AND was.parked_as IS DISTINCT FROM 'undelivered',
        ready_at = CAST(:now AS timestamptz) + (was.number - 1) * CAST(:apart AS interval),
        done_at = NULL, reason = NULL, parked_as = NULL
    FROM was WHERE c.ref = was.ref
)
INSERT INTO parking_act (kind, item_ref, act, by, why, origin, at, failed_as, failed_at, failed_detail)
SELECT 'command', ref, 'replayed', :by, :why, NULL, CAST(:now AS timestamptz),
    COALESCE(parked_as, 'failed'), at, COALESCE(reason, '')
FROM was RETURNING item_ref
""")
_WAKE = text("SELECT pg_notify(:channel, '')")


async def replay_events(
    connection: AsyncConnection, refs: Sequence[int], deed: Deed, *, origin: Origin
) -> list[int]:
    """Give parked events back to their lanes, at their old places; those that were still parked."""
    rows = await connection.execute(
        _REPLAY_EVENTS.bindparams(bindparam("refs", type_=ARRAY(BIGINT))),
        {"refs": list(refs), "origin": origin.value, **msgspec.structs.asdict(deed)},
    )
    moved = list(rows.scalars())
    await connection.execute(_WAKE, {"channel": WAKE_LANES})
    return moved


async def replay_commands(
    connection: AsyncConnection, refs: Sequence[int], deed: Deed, *, apart: timedelta
) -> list[int]:
    """Let parked commands be sent, `apart` from each other; those that were still parked.

    They keep their keys and places, and are looked for at the vendor before they are sent.
    """
    rows = await connection.execute(
        _REPLAY_COMMANDS.bindparams(bindparam("refs", type_=ARRAY(BIGINT))),
        {"refs": list(refs), "apart": apart, **msgspec.structs.asdict(deed)},
    )
    moved = list(rows.scalars())
    await connection.execute(_WAKE, {"channel": WAKE_DISPATCHERS})
    return moved


_CLOSE = {
    Kind.EVENT: text("""
    WITH was AS (
        SELECT ref, CASE WHEN state = 'malformed' THEN 'malformed' ELSE reason END AS failed_as,
            CASE WHEN state = 'malformed' THEN reason ELSE detail END AS failed_detail,
            COALESCE(done_at, received_at) AS at
        FROM inbox WHERE ref = :ref AND state IN ('parked', 'malformed') FOR UPDATE
    ), moved AS (
        UPDATE inbox i SET state = :to, done_at = CAST(:now AS timestamptz) FROM was WHERE i.ref = was.ref
    )
    INSERT INTO parking_act (kind, item_ref, act, by, why, origin, at, failed_as, failed_at, failed_detail)
    SELECT 'event', ref, :act, :by, :why, :origin, CAST(:now AS timestamptz),
        COALESCE(failed_as, 'failed'), at, COALESCE(failed_detail, '') FROM was RETURNING item_ref
    """),
    Kind.COMMAND: text("""
    WITH was AS (
        SELECT ref, parked_as, reason, done_at AS at FROM command
        WHERE ref = :ref AND state = 'parked' FOR UPDATE
    ), moved AS (
        UPDATE command c SET state = :to, done_at = CAST(:now AS timestamptz), parked_as = NULL,
            reason = 'dropped by ' || CAST(:by AS text) || ': ' || CAST(:why AS text)
        FROM was WHERE c.ref = was.ref
    )
    INSERT INTO parking_act (kind, item_ref, act, by, why, origin, at, failed_as, failed_at, failed_detail)
    SELECT 'command', ref, :act, :by, :why, :origin, CAST(:now AS timestamptz),
        COALESCE(parked_as, 'failed'), at, COALESCE(reason, '') FROM was RETURNING item_ref
    """),
}


async def drop(connection: AsyncConnection, wanted: Item, deed: Deed) -> bool:
    """Give one up for good; whether it was still parked."""
    return await _close(connection, wanted, deed, to="dropped", act="dropped")


async def read_again(connection: AsyncConnection, ref: int, deed: Deed, *, origin: Origin) -> bool:
    """A malformed body was read after all, and has become events of its own; whether it was still parked."""
    return await _close(
        connection, Item(Kind.EVENT, ref), deed, to="done", act="replayed", origin=origin.value
    )


async def _close(
    connection: AsyncConnection, wanted: Item, deed: Deed, *, to: str, act: str, origin: str | None = None
) -> bool:
    values = {"ref": wanted.ref, "to": to, "act": act, "origin": origin, **msgspec.structs.asdict(deed)}
    statement = _CLOSE[wanted.kind].bindparams(bindparam("origin", type_=TEXT), bindparam("to", type_=TEXT))
    return (await connection.execute(statement, values)).scalar() is not None


COUNTED_AT_MOST = 10_000
_COUNTS = text("""
SELECT reason, count(*) AS n, min(at) AS oldest FROM (
    (SELECT CASE WHEN state = 'malformed' THEN 'malformed' ELSE reason END AS reason,
        COALESCE(done_at, received_at) AS at
     FROM inbox WHERE state IN ('parked', 'malformed')
     ORDER BY COALESCE(done_at, received_at), ref LIMIT :most)
    UNION ALL
    (SELECT COALESCE(parked_as, 'failed'), done_at
     FROM command WHERE state = 'parked' ORDER BY done_at, ref LIMIT :most)
) parked GROUP BY reason
""")


async def counts(connection: AsyncConnection) -> dict[Reason, tuple[int, datetime]]:
    """How much is parked for which reason, and since when; of each kind the longest parked are counted."""
    found: dict[Reason, tuple[int, datetime]] = {}
    for row in await connection.execute(_COUNTS, {"most": COUNTED_AT_MOST}):
        reason = reason_of(row.reason)
        n, oldest = found.get(reason, (0, row.oldest))
        found[reason] = (n + row.n, min(oldest, row.oldest))
    return found
