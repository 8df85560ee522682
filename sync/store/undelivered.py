"""Commands that the vendor took, and told later that they had failed: parked, or tried again."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BOOLEAN, INTERVAL, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from config.database import storable
from sync.delivery import Outcome
from sync.tables import AttemptRow
from sync.thread import Failed

MOST_TRIES = 3
PAUSE = timedelta(seconds=30)

# One that is still being sent is parked at once: what its sender finds out then changes nothing any more.
_FAIL = text("""
UPDATE command c SET
    state = CASE WHEN c.state = 'done' AND f.again AND c.attempts < :most THEN 'waiting' ELSE 'parked' END,
    ready_at = now() + CAST(:pause AS interval) * greatest(c.attempts, 1),
    done_at = CASE WHEN c.state = 'done' AND f.again AND c.attempts < :most THEN NULL ELSE now() END,
    remote_id = CASE WHEN f.again THEN NULL ELSE c.remote_id END,
    parked_as = :outcome, reason = f.reason, outcome_unknown = false, claimed_by = NULL
FROM unnest(:refs, :reasons, :again) AS f(ref, reason, again)
WHERE c.ref = f.ref AND c.state IN ('done', 'in_flight')
RETURNING c.ref, c.attempts
""").bindparams(
    bindparam("refs", type_=ARRAY(BIGINT)),
    bindparam("reasons", type_=ARRAY(TEXT)),
    bindparam("again", type_=ARRAY(BOOLEAN)),
    bindparam("pause", type_=INTERVAL),
    bindparam("outcome", type_=TEXT),
)


async def save(connection: AsyncConnection, failed: Sequence[Failed]) -> None:
    """Park these commands, or have them tried again; an attempt says when and why each failed."""
    if not failed:
        return
    columns = {
        "refs": [each.ref for each in failed],
        "reasons": [storable(each.reason) for each in failed],
        "again": [each.again for each in failed],
    }
    given = {"most": MOST_TRIES, "pause": PAUSE, "outcome": Outcome.UNDELIVERED.value}
    rows = await connection.execute(_FAIL, columns | given)
    tries = {row.ref: row.attempts for row in rows}
    made = [
        {
            "command_ref": each.ref,
            "number": tries[each.ref],
            "outcome": Outcome.UNDELIVERED.value,
            "detail": storable(each.reason[:2000]),
            "started_at": each.at,
            "ended_at": each.at,
        }
        for each in failed
        if each.ref in tries
    ]
    if made:
        await connection.execute(insert(AttemptRow), made)
