"""Schema migrations."""

from sqlmodel import SQLModel

from config.database import open_engine


async def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest schema."""
    import knowledge.tables  # noqa: F401, PLC0415
    import rules.tables  # noqa: F401, PLC0415
    import sync.tables  # noqa: F401, PLC0415

    engine = open_engine(url, name="deskbridge-migrate")
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    await engine.dispose()
