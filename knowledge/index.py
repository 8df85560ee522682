"""The index in this process: loaded from the database, swapped whole, never changed in place."""

from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection


class KnowledgeIndex:
    """The current snapshot of all knowledge; empty until loaded."""

    @classmethod
    async def load(cls, connection: AsyncConnection) -> Self:
        """An index of what the database holds now."""
        index = cls()
        await index.refresh(connection)
        return index

    async def refresh(self, connection: AsyncConnection) -> bool:
        """Take in what has changed; one cheap query when nothing has. True when it changed."""
        raise NotImplementedError
