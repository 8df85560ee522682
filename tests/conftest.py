"""Fixtures that every test may use: a real PostgreSQL, a fresh database, the reference material."""

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from config.database import open_engine
from config.embedded import EmbeddedPostgres

pytest_plugins = [
    "support.bridge",
    "support.chatwoot",
    "support.connected",
    "support.desk",
    "support.pulling",
    "support.redis",
    "support.mirrored",
]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The vendors' descriptions and recordings; tests that need them are skipped where they are absent."""
    root = Path(__file__).parent.parent
    path = Path(os.environ.get("DESKBRIDGE_REFERENCE", root.parent / "shared"))
    if not (path / "vendor-specs").is_dir():
        pytest.skip(f"no reference material at {path} (set DESKBRIDGE_REFERENCE)")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real PostgreSQL of this test run's own."""
    directory = Path(tempfile.mkdtemp(prefix="deskbridge-test-"))
    directory.chmod(0o755)
    server = EmbeddedPostgres(directory / "pg")
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated database that each test's own is copied from."""
    from gateway.migrate import upgrade  # noqa: PLC0415 - only tests with a database pay for it

    await _execute(postgres.url(), "CREATE DATABASE template_deskbridge")
    await upgrade(postgres.url("template_deskbridge"))
    return "template_deskbridge"


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database; dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    await _execute(postgres.url(), f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.url(name)
    await _execute(postgres.url(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on this test's own database."""
    engine = open_engine(database_url, name="tests")
    yield engine
    await engine.dispose()
