"""Polls and daily reconciliations: plain functions, run by the worker that leads."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Adapter
from config.clock import Clock
from config.settings import Settings
from gateway.fieldwork import catch_up
from gateway.leader import Job
from gateway.pulling import PullBusyError, Puller, PullStoppedError, Purpose
from gateway.reconciling import reconcile
from sync.store import pulls

log = structlog.get_logger()
LOOK_EVERY = timedelta(minutes=10)
"""How often to see whether a reconciliation is due."""


def pull_jobs(
    *,
    engine: AsyncEngine,
    settings: Settings,
    adapters: Mapping[str, Adapter],
    clock: Clock,
    new_key: Callable[[], str],
) -> dict[str, tuple[Job, timedelta]]:
    """What the leader is to run, and how often."""
    pullers = {
        name: Puller(engine=engine, name=name, adapter=adapter, settings=settings.pull, clock=clock)
        for name, adapter in adapters.items()
    }
    jobs: dict[str, tuple[Job, timedelta]] = {
        f"poll:{name}": (partial(poll, pullers[name]), chosen.poll)
        for name, chosen in settings.connections.items()
        if chosen.poll is not None
    }
    every = settings.pull.reconcile_every
    catch = partial(catch_up, engine, settings, new_key=new_key, clock=clock)
    return jobs | {
        f"reconcile:{name}": (partial(reconcile_if_due, engine, puller, every, catch), LOOK_EVERY)
        for name, puller in pullers.items()
    }


async def poll(puller: Puller) -> None:
    """Fetch what webhooks may have lost."""
    try:
        await puller.poll()
    except PullBusyError:
        log.debug("poll_busy", connection=puller.name)
    except PullStoppedError as stopped:
        log.warning("poll_stopped", connection=puller.name, why=str(stopped))


async def reconcile_if_due(
    engine: AsyncEngine, puller: Puller, every: timedelta, catch: Callable[[], Awaitable[int]]
) -> None:
    """Reconcile a connection that was backfilled, unless that was done within `every`; then `catch` up."""
    async with engine.connect() as database:
        filled = await pulls.latest_run(database, name=puller.name, purpose=Purpose.BACKFILL)
        last = await pulls.latest_run(database, name=puller.name, purpose=Purpose.RECONCILE)
    if filled is None or filled.ended_at is None:
        return
    latest = max(run.started_at for run in (filled, last) if run is not None)
    unfinished = last is not None and last.state != "done"
    if not unfinished and puller.clock() - latest < every:
        return
    try:
        run = await reconcile(puller)
    except PullBusyError:
        return
    except PullStoppedError as stopped:
        log.warning("reconciliation_stopped", connection=puller.name, why=str(stopped))
        return
    behind = await catch()
    counts = {kind: f"{each.read} compared, {each.differed} differed" for kind, each in run.counts.items()}
    log.info("reconciled", connection=puller.name, run=run.ref, behind=behind, **counts)
