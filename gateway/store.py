"""The queries of the edges: API keys, console sessions, idempotent requests. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person

LEADER = 0x6C656164
"""The advisory lock of the process that leads: "lead", in ASCII."""
REPEATABLE_FOR = timedelta(hours=24)
"""How long the answer to a request with an `Idempotency-Key` is kept."""


class Key(Struct, frozen=True, kw_only=True):
    """An API key, as far as it is known: what was handed out is not kept."""

    ref: int
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None = None


class Visit(Struct, frozen=True, kw_only=True):
    """Somebody logged in at the console: with which key, and who they are as an agent."""

    key: Key
    agent: Person


class Answered(Struct, frozen=True, kw_only=True):
    """What a request was answered before."""

    fingerprint: bytes
    status: int
    body: bytes


async def touch(connection: AsyncConnection) -> None:
    """Raises what keeps the database from answering."""
    await connection.execute(text("SELECT 1"))


async def try_to_lead(connection: AsyncConnection) -> bool:
    """Take the lock that one session holds at a time, and loses only with its end; false if it is taken."""
    taken: bool = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER})
    return taken


async def end_when_frozen(connection: AsyncConnection, silent_for: timedelta) -> None:
    """Have the server end this session, and give back its locks, once it has asked nothing for so long."""
    milliseconds = round(silent_for / timedelta(milliseconds=1))
    await connection.execute(
        text("SELECT set_config('idle_session_timeout', :after, false)"), {"after": f"{milliseconds}ms"}
    )


async def read_revision(connection: AsyncConnection) -> str | None:
    """The schema's revision, as Alembic keeps it; none in an empty database."""
    if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


async def add_key(
    connection: AsyncConnection, *, name: str, digest: bytes, scopes: Sequence[str], now: datetime
) -> int:
    """Store a new key; its ref."""
    ref: int = await connection.scalar(
        text("""
        INSERT INTO api_key (name, digest, scopes, created_at)
        VALUES (:name, :digest, :scopes, :now) RETURNING ref
        """),
        {"name": name, "digest": digest, "scopes": list(scopes), "now": now},
    )
    return ref


async def list_keys(connection: AsyncConnection) -> list[Key]:
    """All keys, revoked ones too."""
    rows = await connection.execute(text("SELECT * FROM api_key ORDER BY ref"))
    return [msgspec.convert(dict(row), Key) for row in rows.mappings()]


async def find_key(connection: AsyncConnection, digest: bytes) -> Key | None:
    """The valid key with this digest."""
    rows = await connection.execute(
        text("SELECT * FROM api_key WHERE digest = :digest AND revoked_at IS NULL"), {"digest": digest}
    )
    row = rows.mappings().first()
    return None if row is None else msgspec.convert(dict(row), Key)


async def revoke_key(connection: AsyncConnection, ref: int, *, now: datetime) -> bool:
    """End a key and the sessions it opened; whether there was one to end."""
    done = await connection.execute(
        text("UPDATE api_key SET revoked_at = :now WHERE ref = :ref AND revoked_at IS NULL"),
        {"ref": ref, "now": now},
    )
    await connection.execute(text("DELETE FROM console_session WHERE api_key_ref = :ref"), {"ref": ref})
    await connection.execute(text("DELETE FROM console_ticket WHERE api_key_ref = :ref"), {"ref": ref})
    return done.rowcount > 0


async def open_session(
    connection: AsyncConnection,
    *,
    digest: bytes,
    key_ref: int,
    agent: Person,
    now: datetime,
    lasts: timedelta,
) -> None:
    """Log somebody in; sessions that are over are swept away."""
    await connection.execute(text("DELETE FROM console_session WHERE expires_at < :now"), {"now": now})
    await connection.execute(
        text("""
        INSERT INTO console_session (digest, api_key_ref, agent_id, agent_name, created_at, expires_at)
        VALUES (:digest, :key_ref, :agent_id, :agent_name, :now, :expires_at)
        """),
        {
            "digest": digest,
            "key_ref": key_ref,
            "agent_id": agent.id,
            "agent_name": agent.name,
            "now": now,
            "expires_at": now + lasts,
        },
    )


async def find_session(connection: AsyncConnection, digest: bytes, *, now: datetime) -> Visit | None:
    """Whose session this is, while it and its key last."""
    rows = await connection.execute(
        text("""
        SELECT k.*, s.agent_id, s.agent_name FROM console_session s JOIN api_key k ON k.ref = s.api_key_ref
        WHERE s.digest = :digest AND s.expires_at > :now AND k.revoked_at IS NULL
        """),
        {"digest": digest, "now": now},
    )
    row = rows.mappings().first()
    if row is None:
        return None
    return Visit(key=msgspec.convert(dict(row), Key), agent=Person(row["agent_id"], row["agent_name"]))


async def close_session(connection: AsyncConnection, digest: bytes) -> None:
    """Log somebody out."""
    await connection.execute(text("DELETE FROM console_session WHERE digest = :digest"), {"digest": digest})


async def add_ticket(
    connection: AsyncConnection,
    *,
    digest: bytes,
    key_ref: int,
    agent: Person,
    expires_at: datetime,
) -> None:
    """Store a ticket that logs in once."""
    await connection.execute(
        text("""
        INSERT INTO console_ticket (digest, api_key_ref, agent_id, agent_name, expires_at)
        VALUES (:digest, :key_ref, :agent_id, :agent_name, :expires_at)
        """),
        {
            "digest": digest,
            "key_ref": key_ref,
            "agent_id": agent.id,
            "agent_name": agent.name,
            "expires_at": expires_at,
        },
    )


async def take_ticket(connection: AsyncConnection, digest: bytes, *, now: datetime) -> Visit | None:
    """Use a ticket up; `None` when it was used before, is too old, or never was one."""
    rows = await connection.execute(
        text("""
        WITH taken AS (DELETE FROM console_ticket WHERE digest = :digest OR expires_at <= :now RETURNING *)
        SELECT k.*, t.agent_id, t.agent_name FROM taken t JOIN api_key k ON k.ref = t.api_key_ref
        WHERE t.digest = :digest AND t.expires_at > :now AND k.revoked_at IS NULL
        """),
        {"digest": digest, "now": now},
    )
    row = rows.mappings().first()
    if row is None:
        return None
    return Visit(key=msgspec.convert(dict(row), Key), agent=Person(row["agent_id"], row["agent_name"]))


async def lock_request(connection: AsyncConnection, *, key_ref: int, key: str) -> None:
    """Wait for an earlier request with the same `Idempotency-Key` to end."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"idempotency/{key_ref}/{key}"},
    )


async def find_answered(connection: AsyncConnection, *, key_ref: int, key: str) -> Answered | None:
    """What the request with this key was answered."""
    rows = await connection.execute(
        text("SELECT * FROM idempotent_request WHERE api_key_ref = :key_ref AND key = :key"),
        {"key_ref": key_ref, "key": key},
    )
    row = rows.mappings().first()
    return None if row is None else msgspec.convert(dict(row), Answered)


async def keep_answer(
    connection: AsyncConnection, answered: Answered, *, key_ref: int, key: str, now: datetime
) -> None:
    """Remember an answer for its repetition; a few that are out of date make room."""
    await connection.execute(
        text("""
        DELETE FROM idempotent_request WHERE (api_key_ref, key) IN (
            SELECT api_key_ref, key FROM idempotent_request WHERE created_at < :before
            ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED)
        """),
        {"before": now - REPEATABLE_FOR},
    )
    await connection.execute(
        text("""
        INSERT INTO idempotent_request (api_key_ref, key, fingerprint, status, body, created_at)
        VALUES (:key_ref, :key, :fingerprint, :status, :body, :now)
        """),
        {
            "key_ref": key_ref,
            "key": key,
            "fingerprint": answered.fingerprint,
            "status": answered.status,
            "body": answered.body,
            "now": now,
        },
    )
