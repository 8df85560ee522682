"""A real PostgreSQL of the tests' own, and a fresh database for each test that wants one."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from config.clock import utc_now
from config.database import open_engine
from config.embedded import EmbeddedPostgres
from config.settings import PACKAGED

IN_MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
_numbers = itertools.count(1)


class Databases:
    """Makes and drops databases on one server."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._engine = create_async_engine(server.url(), isolation_level="AUTOCOMMIT")

    async def hurry(self) -> None:
        """Don't wait for the disk: these databases needn't outlive a power failure."""
        for setting in ("fsync", "full_page_writes"):
            await self._execute(f"ALTER SYSTEM SET {setting} = off")
        await self._execute("SELECT pg_reload_conf()")

    async def create(self, template: str = "template0") -> str:
        """The name of a new database, a copy of `template`."""
        name = f"test_{next(_numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    @asynccontextmanager
    async def copy_of(self, template: str) -> AsyncIterator[str]:
        """The address of a copy that is dropped in the end."""
        name = await self.create(template)
        yield self.url(name)
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """A database's address."""
        return self._server.url(name)

    async def close(self) -> None:
        """Let go of the server."""
        await self._engine.dispose()

    async def _execute(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real PostgreSQL of this test run's own, in memory if there is much of it."""
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM
    directory = Path(tempfile.mkdtemp(prefix="deskbridge-test-", dir=IN_MEMORY if roomy else None))
    directory.chmod(0o755)
    server = EmbeddedPostgres(directory / "pg")
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
async def databases(postgres: EmbeddedPostgres) -> AsyncIterator[Databases]:
    """Databases on that server."""
    found = Databases(postgres)
    await found.hurry()
    yield found
    await found.close()


@pytest.fixture(scope="session")
async def template(databases: Databases) -> str:
    """The name of a migrated database that each test's own is copied from."""
    from gateway.migrate import upgrade  # noqa: PLC0415 - only tests with a database pay for it

    name = await databases.create()
    await upgrade(databases.url(name))
    return name


@pytest.fixture
async def database_url(databases: Databases, template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database."""
    async with databases.copy_of(template) as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on this test's own database."""
    engine = open_engine(database_url, name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def knowing_template(databases: Databases, template: str) -> str:
    """The name of a database that holds the demo shop's knowledge, to be copied."""
    from knowledge.importing import import_path  # noqa: PLC0415 - as above

    name = await databases.create(template)
    engine = open_engine(databases.url(name), name="tests")
    async with engine.begin() as connection:
        await import_path(connection, PACKAGED / "knowledge", now=utc_now())
    await engine.dispose()
    return name


@pytest.fixture
async def knowledge_url(databases: Databases, knowing_template: str) -> AsyncIterator[str]:
    """The address of a fresh database that holds the demo shop's knowledge."""
    async with databases.copy_of(knowing_template) as url:
        yield url


@pytest.fixture
def own_postgres(tmp_path: Path) -> EmbeddedPostgres:
    """A server that the test may stop; its directory is open to the user that it runs as."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return EmbeddedPostgres(tmp_path / "pg")
