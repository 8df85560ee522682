"""The commands `deskbridge backfill` and `deskbridge reconcile`."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from adapters import registry
from adapters.model import PullKind
from config.clock import utc_now
from config.settings import ConfigError, Settings
from gateway.commands.common import ConfigOption, run, settings_from
from gateway.commands.terminal import err, moment, out
from gateway.database import open_database
from gateway.fieldwork import catch_up
from gateway.keys import new_key
from gateway.limits.transport import open_limits
from gateway.metrics import Metrics
from gateway.pulling import PullBusyError, Puller, PullStoppedError, Purpose, Watch
from gateway.reconciling import reconcile as reconcile_all
from sync.store import pulls, reconciling
from sync.store.pulls import Run
from sync.store.workers import count_workers

LINE_EVERY = 5.0
SHOWN = 20
"""So many differences are told of one by one."""

ConnectionName = Annotated[str, typer.Argument(help="A connection's name in the settings.")]
Anew = Annotated[bool, typer.Option("--anew", help="Begin again instead of going on where it was cut off.")]


class Lines:
    """Says in plain lines how far it is: for logs."""

    def __init__(self) -> None:
        self._next = 0.0
        self._began = time.monotonic()
        self._first: int | None = None

    def progress(self, run: Run) -> None:
        """One line now and then."""
        now = time.monotonic()
        read = sum(counts.read for counts in run.counts.values())
        self._first = read if self._first is None else self._first
        if now >= self._next:
            self._next = now + LINE_EVERY
            rate = (read - self._first) / max(0.001, now - self._began)
            err.print(f"{_counted(run)}; {rate:,.0f} records/s", highlight=False)

    def waiting(self, why: str) -> None:
        """Why nothing moves."""
        err.print(f"waiting: {why}", highlight=False, markup=False)


class Bars:
    """Shows a bar for each kind of record, with the rate and the time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def progress(self, run: Run) -> None:
        """Move the bars."""
        for kind, counts in run.counts.items():
            task = self._tasks.get(kind)
            if task is None:
                task = self._tasks[kind] = self._progress.add_task(kind, total=None, rate="")
            total = counts.read if counts.complete else counts.total
            self._progress.update(task, completed=counts.read, total=total)
            speed = self._progress.tasks[task].speed
            self._progress.update(task, rate=f"{speed:,.0f}/s" if speed else "")

    def waiting(self, why: str) -> None:
        """Why nothing moves, above the bars."""
        self._progress.console.print(f"waiting: {why}", highlight=False, markup=False)


@asynccontextmanager
async def _watching() -> AsyncIterator[Watch]:
    if not err.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description:13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        yield Bars(progress)


@asynccontextmanager
async def _pulling(settings: Settings, name: str) -> AsyncIterator[Puller]:
    chosen = settings.connections.get(name)
    if chosen is None:
        known = ", ".join(settings.connections) or "none"
        raise ConfigError(f"no connection is called {name!r}; the settings name: {known}")
    async with (
        open_database(settings) as engine,
        open_limits(settings, clock=utc_now, metrics=Metrics()) as (limits, transports),
        aclosing(
            registry.build(chosen.adapter, chosen.settings, connection=name, transport=transports[name])
        ) as adapter,
        _watching() as watch,
    ):
        async with engine.connect() as database:
            limits.divide_among(await count_workers(database) + 1)
        yield Puller(
            engine=engine,
            name=name,
            adapter=adapter,
            settings=settings.pull,
            clock=utc_now,
            watch=watch,
        )


def backfill(
    connection: ConnectionName,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=moment, metavar="TIMESTAMP", help="Leave out conversations that have been quiet since."
        ),
    ] = None,
    config: ConfigOption = None,
    *,
    anew: Anew = False,
) -> None:
    """Import a connection's customers, conversations and messages as history: nothing acts on them."""
    run(_backfill(settings_from(config), connection, since, anew=anew))


async def _backfill(settings: Settings, name: str, since: datetime | None, *, anew: bool) -> None:
    try:
        async with _pulling(settings, name) as puller:
            done = await puller.backfill(since, anew=anew)
    except (PullStoppedError, PullBusyError) as stopped:
        _stop(stopped, f"deskbridge backfill {name}")
    out.print(f"backfill {done.ref} of {name}: {_counted(done)}", highlight=False)


def reconcile(
    connection: Annotated[
        str | None, typer.Argument(help="A connection's name in the settings; all, unless given.")
    ] = None,
    config: ConfigOption = None,
    *,
    last: Annotated[bool, typer.Option("--last", help="Show the latest report instead.")] = False,
    anew: Anew = False,
) -> None:
    """Compare what a connection holds with what we hold, heal what differs, mark what is gone."""
    settings = settings_from(config)
    names = [connection] if connection else list(settings.connections)
    for name in names:
        run(_show_last(settings, name) if last else _reconcile(settings, name, anew=anew))


async def _reconcile(settings: Settings, name: str, *, anew: bool) -> None:
    try:
        async with _pulling(settings, name) as puller:
            await reconcile_all(puller, anew=anew)
        async with open_database(settings) as engine:
            behind = await catch_up(engine, settings, new_key=new_key, clock=utc_now)
    except (PullStoppedError, PullBusyError) as stopped:
        _stop(stopped, f"deskbridge reconcile {name}")
    await _show_last(settings, name)
    if behind:
        out.print(f"{behind:,} records are behind in shared fields and will be written", highlight=False)


async def _show_last(settings: Settings, name: str) -> None:
    async with open_database(settings) as engine, engine.connect() as database:
        found = await pulls.latest_run(database, name=name, purpose=Purpose.RECONCILE)
        if found is None:
            out.print(f"{name} was never reconciled: deskbridge reconcile {name}", highlight=False)
            return
        outcomes = await reconciling.count_outcomes(database, found.ref)
        first = await reconciling.list_differences(database, found.ref, most=SHOWN)
    compared = sum(counts.read for counts in found.counts.values())
    differed = sum(outcomes.values())
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items())) or "all equal"
    when = f"{found.started_at:%Y-%m-%d %H:%M} UTC, {found.state}"
    out.print(
        f"{name}: {compared:,} compared, {differed:,} differed: {told} ({when})",
        highlight=False,
        markup=False,
    )
    if found.reason:
        out.print(f"  {found.reason}", highlight=False, markup=False)
    for each in first:
        why = f"{each.kind} {each.id}: {', '.join(each.why)}: {each.outcome}"
        out.print(f"  {why}{f' ({each.reason})' if each.reason else ''}", highlight=False, markup=False)
    if differed > SHOWN:
        out.print(f"  and {differed - SHOWN:,} more: GET /v1/reconciliations/{found.ref}", highlight=False)


def _stop(stopped: Exception, command: str) -> None:
    err.print(f"[bold red]stopped:[/] {escape(str(stopped))}", highlight=False, soft_wrap=True)
    err.print(f"nothing is lost; to go on: {command}", highlight=False)
    raise typer.Exit(1)


def _counted(run_: Run) -> str:
    parts = []
    for kind in PullKind:
        counts = run_.counts.get(kind.value)
        if counts is not None:
            of = f" of {counts.total:,}" if counts.total and not counts.complete else ""
            problem = f" ({counts.problem})" if counts.problem else ""
            parts.append(f"{counts.read:,}{of} {kind}{problem}")
    return ", ".join(parts) or "nothing yet"
