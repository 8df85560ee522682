"""Schema migrations: bringing a database up, and refusing one that the code doesn't fit."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from config.database import open_engine
from gateway.storage import make_ahead

LOCATION = Path(__file__).with_name("migrations")


class SchemaMismatchError(RuntimeError):
    """The database's schema isn't the one this version works with; the message names the cure."""


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, run over a connection of ours."""
    config = Config()
    config.set_main_option("script_location", str(LOCATION))
    config.attributes["connection"] = connection
    return config


async def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest schema. Raises SchemaMismatchError on one newer still."""
    engine = open_engine(url, name="deskbridge-migrate")
    try:
        async with engine.begin() as connection:
            revision = await connection.run_sync(_revision)
            _refuse_unknown(revision)
            await connection.run_sync(_upgrade)
        await make_ahead(engine)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _refuse_unknown(revision: str | None) -> None:
    known: Any = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaMismatchError(
            f"the database's schema ({revision}) is newer than this version of Deskbridge;"
            " install the version that wrote it, or restore a backup from before the upgrade"
        )


async def require_current(engine: AsyncEngine) -> None:
    """Raise SchemaMismatchError unless the schema is exactly the code's."""
    async with engine.connect() as connection:
        revision = await connection.run_sync(_revision)
    _refuse_unknown(revision)
    head = _scripts().get_current_head()
    if revision != head:
        raise SchemaMismatchError(
            f"the database's schema ({revision or 'empty'}) is older than this version of Deskbridge"
            f" needs ({head}); run: deskbridge db upgrade"
        )
