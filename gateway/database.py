"""The database that a process works on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from config.database import open_engine
from config.embedded import EmbeddedPostgres
from config.settings import Settings
from gateway.schema import require_current


async def database_url(settings: Settings, stack: AsyncExitStack) -> str:
    """The configured database, or the embedded one, started and stopped with `stack`."""
    if settings.database_url:
        return settings.database_url
    server = EmbeddedPostgres(settings.data_dir.resolve() / "postgres")
    stack.callback(server.stop)
    return server.url()


@asynccontextmanager
async def open_database(
    settings: Settings, *, name: str = "deskbridge-cli", pool_size: int = 2
) -> AsyncIterator[AsyncEngine]:
    """An engine on the database, `name` as it shows there; refused unless the schema is the code's."""
    async with AsyncExitStack() as stack:
        engine = open_engine(await database_url(settings, stack), name=name, pool_size=pool_size)
        stack.push_async_callback(engine.dispose)
        await require_current(engine)
        yield engine
