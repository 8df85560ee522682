"""The index in this process: loaded from the database, swapped whole, never changed in place."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import store
from knowledge.retrieval import IndexedRevision, LanguageIndex

Snapshot = Mapping[str, LanguageIndex]


def build(revisions: Iterable[IndexedRevision]) -> Snapshot:
    """An index for each language; pure and CPU-bound."""
    by_language: dict[str, list[IndexedRevision]] = defaultdict(list)
    for revision in revisions:
        by_language[revision.language].append(revision)
    return {language: LanguageIndex(group) for language, group in by_language.items()}


class KnowledgeIndex:
    """The current snapshot of all knowledge; empty until loaded."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self._snapshot: Snapshot = snapshot or {}
        self._state: store.State | None = None
        self._refreshing = asyncio.Lock()

    @classmethod
    async def load(cls, connection: AsyncConnection) -> Self:
        """An index of what the database holds now."""
        index = cls()
        await index.refresh(connection)
        return index

    @property
    def languages(self) -> frozenset[str]:
        """The languages that there is knowledge in."""
        return frozenset(self._snapshot)

    def language(self, language: str) -> LanguageIndex | None:
        """The index of one language, as it is now."""
        return self._snapshot.get(language)

    async def refresh(self, connection: AsyncConnection) -> bool:
        """Take in what has changed; one cheap query when nothing has. True when it changed.

        Questions are answered from the old snapshot until the new one is whole.
        """
        async with self._refreshing:
            # Read first: a change that lands in between is seen again, never missed.
            state = await store.load_state(connection)
            if state == self._state:
                return False
            revisions = await store.load_indexed(connection)
            self._snapshot = await asyncio.to_thread(build, revisions)
            self._state = state
            return True
