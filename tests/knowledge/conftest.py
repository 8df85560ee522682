"""Articles of our own, and ways to import and ask."""

import textwrap
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge.answers import Answer, Answerer, Question
from knowledge.importing import ImportReport, import_path
from knowledge.index import KnowledgeIndex

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEMO = Path(__file__).parents[2] / "config" / "knowledge"


class Shop:
    """A folder of articles, the database they are imported into, and an index of it."""

    def __init__(self, folder: Path, engine: AsyncEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.index = KnowledgeIndex()

    def write(self, name: str, text: str) -> None:
        """Write one file of the folder."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    async def load(self, path: Path | None = None, *, now: datetime = NOW) -> ImportReport:
        """Import the folder (or another), in one transaction."""
        async with self.engine.begin() as connection:
            return await import_path(connection, path or self.folder, now=now)

    async def refresh(self) -> bool:
        """Bring the index up to date."""
        async with self.engine.connect() as connection:
            return await self.index.refresh(connection)

    async def ask(self, *texts: str, earlier: Sequence[str] = (), now: datetime = NOW) -> Answer:
        """Ask, without refreshing the index first."""
        question = Question(texts=texts, earlier=tuple(earlier))
        return await Answerer(self.index, self.engine).answer(question, now=now)


@pytest.fixture
def shop(tmp_path: Path, engine: AsyncEngine) -> Shop:
    """An empty shop."""
    return Shop(tmp_path, engine)


@pytest.fixture
async def clearsail(shop: Shop) -> Shop:
    """The demo shop, imported and indexed."""
    report = await shop.load(DEMO)
    assert not report.problems
    await shop.refresh()
    return shop


@pytest.fixture
def ask(clearsail: Shop) -> Callable[..., Awaitable[Answer]]:
    """Ask the demo shop."""
    return clearsail.ask
