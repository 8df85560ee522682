"""What every command shares that runs here, not over the API."""

import gc
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from config.logging import configure_logging
from config.settings import Settings, load_settings

COLLECT_EVERY = (20_000, 50, 100)

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
