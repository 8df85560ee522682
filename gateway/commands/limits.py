"""The command `deskbridge limits`: how the vendors' limits stand."""

import typer
from rich.table import Table

from config.clock import utc_now
from config.settings import Settings
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import err, out
from gateway.limits.limits import outlook
from gateway.limits.transport import open_limits
from gateway.metrics import Metrics


def limits(config: ConfigOption = None) -> None:
    """Show how much of every vendor's limit is left, and when it will be used up if it goes on so."""
    settings = settings_from(config)
    if settings.redis_url is None:
        told = "no redis_url: each process counts for itself, so ask a running one at /v1/limits"
        err.print(told, highlight=False)
        raise typer.Exit(1)
    run(_limits(settings))


async def _limits(settings: Settings) -> None:
    async with open_limits(settings, clock=utc_now, metrics=Metrics()) as (every, _):
        reports = await every.report()
        shared = every.shared
    table = Table("account", "limit", "used", "of", "in", "outlook")
    for each in reports:
        used, most = str(each.level.used), str(each.level.limit)
        table.add_row(
            each.account, each.name, used, most, f"{each.window.total_seconds():g} s", outlook(each)
        )
    out.print(table)
    if not shared:
        err.print("Redis doesn't answer: this is what is declared, not what is used", highlight=False)
        raise typer.Exit(1)
