"""Which schema the code needs, and whether a database has it.

The migrations' file names tell: Alembic takes longer to import than most commands take in all.
"""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from config.refusal import RefusalError
from gateway import store

MIGRATIONS = Path(__file__).with_name("migrations")


class SchemaMismatchError(RefusalError):
    """The database's schema isn't the one this version works with; the message names the cure."""


def revisions() -> list[str]:
    """All revisions that this version knows, the newest last."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py"))


def refuse_newer(revision: str | None) -> None:
    """Raise SchemaMismatchError on a revision that this version doesn't know."""
    if revision is not None and revision not in revisions():
        raise SchemaMismatchError(
            f"the database's schema ({revision}) is newer than this version of Deskbridge;"
            " install the version that wrote it, or restore a backup from before the upgrade"
        )


async def require_current(engine: AsyncEngine) -> None:
    """Raise SchemaMismatchError unless the schema is exactly the code's."""
    async with engine.connect() as connection:
        revision = await store.read_revision(connection)
    refuse_newer(revision)
    needed = revisions()[-1]
    if revision != needed:
        raise SchemaMismatchError(
            f"the database's schema ({revision or 'empty'}) is older than this version of Deskbridge"
            f" needs ({needed}); run: deskbridge db upgrade"
        )
