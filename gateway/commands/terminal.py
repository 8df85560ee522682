"""Where commands write to, and how they read what was typed."""

from datetime import UTC, date, datetime, time

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)


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
