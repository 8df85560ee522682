"""What every command shares."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from config.logging import configure_logging
from config.settings import Settings, load_settings

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The settings file.", envvar="DESKBRIDGE_CONFIG")
]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    uvloop.run(work)


def settings_from(config: Path | None) -> Settings:
    """The settings, with logging set up as they say."""
    settings = load_settings(config)
    configure_logging(settings.log_level, human=sys.stderr.isatty())
    return settings
