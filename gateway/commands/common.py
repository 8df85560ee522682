"""What every command shares."""

import gc
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from config.database import open_engine
from config.logging import configure_logging
from config.settings import Settings, load_settings
from gateway.house import database_url
from gateway.migrate import require_current

COLLECT_EVERY = (20_000, 50, 100)
out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The settings file.", envvar="DESKBRIDGE_CONFIG")
]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    uvloop.run(work)


def settle_memory() -> None:
    """Keep the collector off what start-up made: a busy process would walk those modules again and again.

    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)


def settings_from(config: Path | None) -> Settings:
    """The settings, with logging set up as they say."""
    settings = load_settings(config)
    configure_logging(settings.log_level, human=sys.stderr.isatty())
    return settings


def moment(value: str) -> datetime:
    """A date (in UTC) or a time with an offset."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("not a time; write 2026-11-11 or 2026-11-11T20:00:00+08:00") from None
    if len(value) == len("2026-11-11"):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    if parsed.tzinfo is None:
        raise typer.BadParameter("a time without an offset; write 2026-11-11T20:00:00+08:00")
    return parsed.astimezone(UTC)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The database alone, for commands that need no adapters; refused unless its schema is the code's."""
    async with AsyncExitStack() as stack:
        engine = open_engine(await database_url(settings, stack), name="deskbridge-cli", pool_size=2)
        stack.push_async_callback(engine.dispose)
        await require_current(engine)
        yield engine
