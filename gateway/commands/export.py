"""The commands under `deskbridge export`."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from config.clock import utc_now
from config.settings import Settings
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import err, moment, out
from gateway.database import open_database
from gateway.export.manifest import Run
from gateway.export.running import Terms
from gateway.export.running import export as export_log
from gateway.export.verifying import open_log
from gateway.export.verifying import verify as verify_log
from sync.store import log

app = typer.Typer()


class _Rate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class _Shown:
    """Shows a run as one bar per table."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, totals: Mapping[str, int]) -> None:
        """Show the tables that have rows."""
        for table, rows in totals.items():
            if rows:
                self._tasks[table] = self._progress.add_task(table, total=rows)

    def advance(self, table: str, rows: int) -> None:
        """Move a table's bar."""
        self._progress.advance(self._tasks[table], rows)


@app.callback(invoke_without_command=True)
def export(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--out", help="The log's directory; made if need be.", file_okay=False)
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="TIMESTAMP",
            help="First run only: leave out conversations that have been quiet since.",
        ),
    ] = None,
    config: ConfigOption = None,
    *,
    redact: Annotated[bool, typer.Option("--redact", help="Mask e-mail, phone and names.")] = False,
) -> None:
    """Write the conversation log as JSON Lines; a second run continues where the first stopped."""
    if context.invoked_subcommand is not None:
        return
    if to is None:
        raise typer.BadParameter("name the log's directory: --out DIR")
    run(_export(settings_from(config), Terms(directory=to, since=since, redacted=redact)))


async def _export(settings: Settings, terms: Terms) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    shown = Progress(*columns, console=err) if err.is_terminal else None
    async with open_database(settings) as engine:
        with shown or nullcontext():
            done = await export_log(
                engine, terms, clock=utc_now, watch=_Shown(shown) if shown is not None else None
            )
    if done is None:
        out.print("nothing new", highlight=False)
        return
    if terms.since is not None and done.number > 1:
        err.print("--since counts in a log's first run only; this one went on where the last stopped")
    _tell(done, terms.directory)


def _tell(done: Run, directory: Path) -> None:
    for file in done.files:
        out.print(f"{file.rows:>10,}  {file.name}", highlight=False)
    seconds = (done.finished_at - done.started_at).total_seconds()
    rows = sum(file.rows for file in done.files)
    out.print(f"run {done.number} in {directory}: {rows:,} rows in {seconds:.1f} s", highlight=False)


@app.command("verify")
def verify(directory: Annotated[Path, typer.Argument(help="A log's directory.")]) -> None:
    """Compare every file of a log with its manifest; exit code 1 when something is wrong."""
    manifest = open_log(directory)
    files = [file for run_ in manifest.runs for file in run_.files]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as shown:
        task = shown.add_task("verifying", total=sum(file.bytes for file in files))
        problems = verify_log(directory, manifest, lambda size: shown.advance(task, size))
    for problem in problems:
        err.print(problem, highlight=False, markup=False)
    if problems:
        raise typer.Exit(1)
    rows = sum(file.rows for file in files)
    out.print(f"{len(manifest.runs)} runs, {len(files)} files, {rows:,} rows: all well", highlight=False)


@app.command("adopt")
def adopt(config: ConfigOption = None) -> None:
    """After restoring a dump from another server: let its rows be exported from here."""
    run(_adopt(settings_from(config)))


async def _adopt(settings: Settings) -> None:
    async with open_database(settings) as engine, engine.begin() as connection:
        adopted = await log.adopt(connection)
    out.print(f"{adopted:,} rows adopted", highlight=False)
