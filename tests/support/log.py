"""A log to export: rows as the tables hold them, without an engine running."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.export.manifest import Manifest, Run, load
from gateway.export.running import Terms, export
from sync.tables import Conversation, Customer, Message

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


async def add_customer(connection: AsyncConnection, ref: int, name: str = "Ann", **attributes: Any) -> None:
    """Store a customer."""
    await connection.execute(
        insert(Customer).values(ref=ref, main_ref=ref, name=name, attributes=attributes, created_at=NOON)
    )


async def add_conversation(
    connection: AsyncConnection,
    ref: int,
    *,
    customer: int | None = None,
    at: datetime = NOON,
    channel: str = "chat",
    stream: str = "",
) -> None:
    """Store a conversation that was last active `at`."""
    await connection.execute(
        insert(Conversation).values(
            ref=ref,
            connection="shop",
            id=f"con_{ref}",
            customer_ref=customer,
            channel=channel,
            stream=stream,
            status="pending",
            created_at=at,
            last_message_at=at,
            lease_holder="ai",
            lease_epoch=1,
            lease_since=at,
        )
    )


async def add_message(
    connection: AsyncConnection, ref: int, conversation: int, words: str = "Hello", *, at: datetime = NOON
) -> None:
    """Store a customer's message."""
    await connection.execute(
        insert(Message).values(
            ref=ref,
            conversation_ref=conversation,
            id=f"msg_{ref}",
            author="customer",
            text=words,
            origin="live",
            sent_at=at,
            seen_at=at,
        )
    )


@dataclass
class Log:
    """A log's directory, and the database it is of."""

    engine: AsyncEngine
    directory: Path

    async def export(self, *, since: datetime | None = None, redacted: bool = False) -> Run | None:
        """Run the export once."""
        terms = Terms(directory=self.directory, since=since, redacted=redacted)
        return await export(self.engine, terms, clock=lambda: NOON)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Do something to the database in a transaction."""
        async with self.engine.begin() as connection:
            await work(connection)

    @property
    def manifest(self) -> Manifest:
        """The manifest as a reader sees it."""
        found = load(self.directory)
        assert found is not None
        return found

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table that the manifest vouches for, in order."""
        return [
            row
            for run in self.manifest.runs
            for file in run.files
            if file.table == table
            for row in msgspec.json.Decoder().decode_lines((self.directory / file.name).read_bytes())
        ]

    def refs(self, table: str) -> list[int]:
        """The refs of those rows."""
        return [row["ref"] for row in self.rows(table)]
