"""A database that has been in use for long."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_OLD = """
(SELECT n, now() - interval '40 days' AS at FROM generate_series(CAST(:first AS bigint), :last) AS n) old
"""
_STATEMENTS = (
    f"""
    INSERT INTO customer (ref, main_ref, name, attributes, created_at)
    SELECT n, n, 'Customer ' || n, '{{"tier": "silver"}}', now() FROM {_OLD}
    """,
    f"""
    INSERT INTO identity (customer_ref, connection, kind, value)
    SELECT n, 'shop', 'vendor', 'old_cus_' || n FROM {_OLD}
    """,
    f"""
    INSERT INTO conversation (ref, connection, id, customer_ref, channel, status, tags, subject, url,
        language, attributes, created_at, last_message_at, lease_holder, lease_epoch, lease_since)
    SELECT n, 'shop', 'old_con_' || n, n, 'chat', 'resolved', '{{}}', '', '', 'zh', '{{}}', at,
        at, 'ai', 1, at
    FROM {_OLD}
    """,
    f"""
    INSERT INTO message (ref, conversation_ref, id, author, person, text, private, attachments, origin,
        sent_at, seen_at, event_ref)
    SELECT n, n, 'old_msg_' || n, 'customer', NULL, '请问我的订单 ' || n || ' 什么时候发货？',
        false, '[]', 'live', at, at, n
    FROM {_OLD}
    """,
    f"""
    INSERT INTO command (ref, conversation_ref, connection, kind, body, key, priority, state, ready_at,
        created_at, done_at, remote_id)
    SELECT n, n, 'shop', 'reply', '{{"text": "On its way.", "author": "ai"}}', 'old_key_' || n, 5, 'done',
        at, at, at, 'old_reply_' || n
    FROM {_OLD}
    """,
    f"""
    INSERT INTO turn (ref, conversation_ref, number, epoch, generation, state, texts, opened_at,
        last_customer_at, ended_by, verdict, signals, score, judged_at)
    SELECT n, n, 1, 1, 1, 'answered', '[]', at, at, 'closed',
        'resolved', '[]', 0, at
    FROM {_OLD}
    """,
    f"""
    INSERT INTO lease_change (ref, conversation_ref, epoch, holder, cause, event_ref, at)
    SELECT n, n, 1, 'ai', 'first_seen', n, at FROM {_OLD}
    """,
    f"""
    INSERT INTO attempt (command_ref, number, outcome, status, detail, started_at, ended_at)
    SELECT n, 1, 'delivered', NULL, '', at, at FROM {_OLD}
    """,
    # A tenth were handed to people.
    f"""
    INSERT INTO decision (ref, conversation_ref, turn, epoch, policy, revision, rule, actions, inputs,
        event_ref, decided_at)
    SELECT n, n, 1, 1, 'default', 'r1', 'asked-for-a-person', '[]', '{{}}', n, at FROM {_OLD} WHERE n % 10 = 0
    """,
    f"""
    INSERT INTO hand_off (ref, conversation_ref, state, "to", queue, priority, rule, decision_ref, package,
        cause, offered_at, ended_at)
    SELECT n, n, 'resolved', 'desk', 'general', 'high', 'asked-for-a-person', n, '{{}}', 'rule', at, at
    FROM {_OLD} WHERE n % 10 = 0
    """,
    f"""
    INSERT INTO inbox (connection, key, lane, state, received_at, done_at)
    SELECT 'shop', 'old_evt_' || n, 'shop/old_con_' || n, 'done', at, at
    FROM {_OLD}
    """,
)
# Refs of history are numbered from 1; the blocks that the workers draw must lie beyond.
_PAST_HISTORY = text(
    "SELECT setval('ref_block', GREATEST(last_value, CAST(:last AS bigint) + 8192)) FROM ref_block"
)
_PER_TRANSACTION = 100_000


async def grow(engine: AsyncEngine, *, before: int, after: int, room: int) -> None:
    """Bring the stored conversations from `before` to `after`, each with all that belongs to one.

    They will never be more than `room`.
    """
    async with engine.begin() as connection:
        await connection.execute(_PAST_HISTORY, {"last": room})
    for first in range(before + 1, after + 1, _PER_TRANSACTION):
        last = min(after, first + _PER_TRANSACTION - 1)
        async with engine.begin() as connection:
            for statement in _STATEMENTS:
                await connection.execute(text(statement), {"first": first, "last": last})
    async with engine.connect() as connection:
        quiet = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await quiet.execute(text("VACUUM ANALYZE"))
