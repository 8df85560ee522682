"""Schema migrations: bringing a database up."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from config.database import open_engine
from gateway import store
from gateway.schema import MIGRATIONS, refuse_newer
from gateway.storage import make_ahead


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, run over a connection of ours."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest schema. Raises SchemaMismatchError on one newer still."""
    engine = open_engine(url, name="deskbridge-migrate")
    try:
        async with engine.begin() as connection:
            refuse_newer(await store.read_revision(connection))
            await connection.run_sync(_upgrade)
        await make_ahead(engine)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")
