"""The commands under `deskbridge db`."""

from contextlib import AsyncExitStack

import typer

from config.settings import Settings
from gateway import migrate
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import out
from gateway.database import database_url

app = typer.Typer(no_args_is_help=True, help="The database.")


@app.callback()
def database() -> None:
    """The database."""


@app.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Bring the database to the newest schema."""
    run(_upgrade(settings_from(config)))


async def _upgrade(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await migrate.upgrade(await database_url(settings, stack))
    out.print("the database is up to date")
