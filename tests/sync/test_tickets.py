"""Finding what was opened lately at desks elsewhere: asked every second, so it must not read the history."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sync.store import tickets

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MANY = 20_000
LATELY = 60
# Each of the shop's conversations was handed to the desk, one a minute; what was opened there has its number.
HISTORY = (
    f"""
INSERT INTO conversation (ref, connection, id, channel, status, tags, subject, url, language, attributes,
    created_at, lease_holder, lease_epoch, lease_since)
SELECT r, CASE WHEN r <= {MANY} THEN 'shop' ELSE 'desk' END, 'v' || r, 'chat', 'open', '{{}}', '', '', 'en',
    '{{}}', :now, 'nobody', 1, :now
FROM generate_series(1, 2 * {MANY}) AS r""",
    f"""
INSERT INTO hand_off (ref, conversation_ref, state, "to", queue, priority, rule, package, ticket, offered_at)
SELECT r, r, 'resolved', 'desk', '', 'normal', 'asked', '{{}}', 'v' || r + {MANY},
    CAST(:now AS timestamptz) - ({MANY} - r) * interval '1 minute'
FROM generate_series(1, {MANY}) AS r""",
    f"""
INSERT INTO conversation_link (conversation_ref, main_ref, status, tags, shared, golden)
SELECT v, r, 'closed', '{{}}', '{{}}', '{{}}'
FROM generate_series(1, {MANY - LATELY}) AS r, unnest(ARRAY[r, r + {MANY}]) AS v""",
)


async def fill(engine: AsyncEngine) -> None:
    """Two weeks of hand-offs, all linked with what was opened for them but those of the last hour."""
    async with engine.begin() as connection:
        for statement in HISTORY:
            await connection.execute(text(statement), {"now": NOW})
        await connection.execute(text("ANALYZE"))


async def test_what_was_opened_within_the_hour_is_found(engine: AsyncEngine) -> None:
    """Once, and nothing of before."""
    await fill(engine)
    async with engine.connect() as connection:
        found = await tickets.unlinked(connection, NOW)
    lately = range(MANY - LATELY + 1, MANY + 1)
    assert [(each.conversation, each.ticket) for each in found] == [(ref, ref + MANY) for ref in lately]


async def test_what_was_opened_lately_is_read_by_its_index(engine: AsyncEngine) -> None:
    """No table is read whole."""
    await fill(engine)
    asked = tickets._UNLINKED.text  # noqa: SLF001 - what is measured is the statement
    async with engine.connect() as connection:
        plan = str(await connection.scalar(text(f"EXPLAIN (FORMAT JSON) {asked}"), {"now": NOW}))
    assert "hand_off_opened" in plan
    assert "Seq Scan" not in plan
