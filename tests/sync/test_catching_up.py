"""Finding what is behind in shared fields: only where it is written, and a page at a time."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from config.fields import SharedFields
from sync import fields
from sync.fields import FieldRules
from sync.store import cases, field_updates

MANY = 20_000
NOW = "'2026-01-02T00:00:00+00:00'::timestamptz"
STAMP = "jsonb_build_object('connection', 'crm', 'record', 'c', 'at', '2026-01-02T00:00:00Z')"
# Pairs of a CRM's and a shop's record; of each pair the even one bears the values. Every 2,500th is behind.
HELD = "CASE WHEN r % 2500 = 1 THEN 'old' ELSE 'new' END"
SHARED = f"jsonb_build_object('{{0}}', jsonb_build_object('main', r - r % 2, 'held', {HELD}))"
GOLDEN = f"""
CASE WHEN r % 2 = 0 THEN jsonb_build_object('{{0}}', jsonb_build_object('value', 'new', 'stamp', {STAMP}))
ELSE '{{{{}}}}' END"""
AT = "CASE WHEN r % 2 = 0 THEN 'crm' ELSE 'shop' END"
CUSTOMERS = (
    f"""
INSERT INTO customer (ref, main_ref, name, attributes, created_at, shared, golden)
SELECT r, r - r % 2, '', '{{}}', {NOW}, {SHARED.format("attributes.tier")}, {GOLDEN.format("attributes.tier")}
FROM generate_series(2, {MANY + 1}) AS r""",
    f"""
INSERT INTO identity (customer_ref, connection, kind, value, verified)
SELECT r, {AT}, 'vendor', 'c' || r, true FROM generate_series(2, {MANY + 1}) AS r""",
)
CASES = (
    f"""
INSERT INTO conversation (ref, connection, id, channel, status, tags, subject, url, language, attributes,
    created_at, lease_holder, lease_epoch, lease_since)
SELECT r, {AT}, 'v' || r, 'email', 'open', '{{}}', '', '', 'en', '{{}}', {NOW}, 'nobody', 1, {NOW}
FROM generate_series(2, {MANY + 1}) AS r""",
    f"""
INSERT INTO conversation_link (conversation_ref, main_ref, status, tags, shared, golden)
SELECT r, r - r % 2, 'open', '{{}}', {SHARED.format("subject")}, {GOLDEN.format("subject")}
FROM generate_series(2, {MANY + 1}) AS r""",
)
BEHIND = [r for r in range(2, MANY + 2) if r % 2500 == 1]
ASKED = {"customers": field_updates, "cases": cases}


def rules(kind: str, **chosen: Any) -> FieldRules:
    """One shared field, which both connections can write."""
    name = "attributes.tier" if kind == "customers" else "subject"
    said = {"owner": "crm"} | chosen
    listed = SharedFields.model_validate(
        {"customer": {"attributes.tier": said}, "conversation": {"subject": said}}
    )
    of = listed.customer if kind == "customers" else listed.conversation
    return fields.field_rules({name: of[name]}, lambda _: frozenset({"crm", "shop"}))


async def fill(engine: AsyncEngine, kind: str) -> None:
    """Store them."""
    async with engine.begin() as connection:
        for statement in (*(CUSTOMERS if kind == "customers" else CASES), "ANALYZE"):
            await connection.execute(text(statement))


async def walk(connection: AsyncConnection, kind: str, by: FieldRules, most: int) -> list[list[int]]:
    """What each page tells."""
    pages: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        page = await ASKED[kind].differing(connection, by.written(), after=after, most=most)
        pages.append(page.refs)
        after = page.upto
    return pages


@pytest.mark.parametrize("kind", ASKED)
async def test_every_record_that_is_behind_is_found_page_by_page(engine: AsyncEngine, kind: str) -> None:
    """Once, in order; where the field is not written nothing is, for it would be looked at in vain."""
    await fill(engine, kind)
    async with engine.connect() as connection:
        pages = await walk(connection, kind, rules(kind), 3000)
        assert [ref for page in pages for ref in page] == BEHIND
        assert len(pages) == MANY // 3000 + 2
        for never in ({"direction": "in"}, {"connections": ["crm"]}):
            assert not any(await walk(connection, kind, rules(kind, **never), 3000))


@pytest.mark.parametrize("kind", ASKED)
async def test_a_page_is_read_by_the_indexes(engine: AsyncEngine, kind: str) -> None:
    """No table is read whole, or the walk would take the square of its length."""
    await fill(engine, kind)
    asked = ASKED[kind]._DIFFERING.text  # noqa: SLF001 - what is measured is the statement
    explained = text(f"EXPLAIN (FORMAT JSON) {asked}").bindparams(*field_updates.WRITTEN)
    pairs = rules(kind).written()
    values = {"connections": [pair[0] for pair in pairs], "names": [pair[1] for pair in pairs]}
    async with engine.connect() as connection:
        plan = await connection.scalar(explained, values | {"after": 0, "most": 2000})
    assert "Index Scan" in str(plan)
    assert "Seq Scan" not in str(plan)
