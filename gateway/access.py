"""Who may do what: API keys, their scopes, and the sessions and tickets of the console.

Whatever is handed out has 256 random bits, so its SHA-256 is all that needs keeping.
"""

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from config.clock import Clock
from gateway import store
from gateway.store import Key, Visit

PREFIX = "dbk_"
SESSION_LASTS = timedelta(hours=12)
TICKET_LASTS = timedelta(minutes=10)


class Scope(StrEnum):
    """What a key opens: `admin` opens everything."""

    READ = "read"
    DESK = "desk"
    OPERATE = "operate"
    ADMIN = "admin"


def may(key: Key, scope: Scope) -> bool:
    """Whether the key opens this."""
    return scope in key.scopes or Scope.ADMIN in key.scopes


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


async def create_key(
    connection: AsyncConnection, *, name: str, scopes: list[Scope], clock: Clock
) -> tuple[int, str]:
    """A new key: its ref, and the token, which is shown this once."""
    token = PREFIX + secrets.token_urlsafe(32)
    ref = await store.add_key(
        connection, name=name, digest=digest(token), scopes=[scope.value for scope in scopes], now=clock()
    )
    return ref, token


async def create_ticket(connection: AsyncConnection, *, key_ref: int, agent: Person, clock: Clock) -> str:
    """A ticket for `/console/login?ticket=…`: it logs in once, within ten minutes."""
    ticket = secrets.token_urlsafe(32)
    await store.add_ticket(
        connection,
        digest=digest(ticket),
        key_ref=key_ref,
        agent=agent,
        expires_at=clock() + TICKET_LASTS,
    )
    return ticket


async def log_in(connection: AsyncConnection, visit: Visit, *, clock: Clock) -> str:
    """Open a session; the token for its cookie."""
    token = secrets.token_urlsafe(32)
    await store.open_session(
        connection,
        digest=digest(token),
        key_ref=visit.key.ref,
        agent=visit.agent,
        now=clock(),
        lasts=SESSION_LASTS,
    )
    return token
