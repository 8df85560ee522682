"""The composition root: everything a process is made of, opened and closed in order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters import registry
from adapters.contract import Adapter
from adapters.stand_in import StandIn
from config.clock import Clock, utc_now
from config.settings import PACKAGED, ConnectionSettings, Settings
from gateway import storage
from gateway.database import open_database
from gateway.dispatcher import Dispatcher
from gateway.files.carrying import Carrier
from gateway.files.guard import Guard
from gateway.fitting import require_fitting
from gateway.jobs import forget_files, look_at_voices, look_at_waiting, report_overlaps
from gateway.keys import new_key
from gateway.lanes import LaneWorker
from gateway.leader import Leader
from gateway.limits.limits import Limits
from gateway.limits.transport import open_limits
from gateway.links import link_handed_over
from gateway.metrics import Metrics
from gateway.pull_jobs import pull_jobs
from gateway.scene import Policies
from gateway.worker import Worker
from knowledge.answers import Answer, Answerer, Question
from knowledge.index import KnowledgeIndex
from rules.policy import load_policies, measures
from sync.store.workers import count_workers

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the edges (HTTP, worker, CLI) are given."""

    settings: Settings
    clock: Clock
    engine: AsyncEngine
    adapters: dict[str, Adapter]
    policies: Policies
    index: KnowledgeIndex
    limits: Limits
    files: Carrier
    metrics: Metrics

    async def answer(self, question: Question) -> Answer:
        """Answer from the knowledge as it is now."""
        answerer = Answerer(self.index, self.engine, threshold=self.settings.answers.threshold)
        return await answerer.answer(question, now=self.clock())

    async def refresh_knowledge(self) -> None:
        """Take in what was imported or withdrawn meanwhile."""
        async with self.engine.connect() as connection:
            await self.index.refresh(connection)

    def lane_worker(self) -> LaneWorker:
        """A lane worker with these parts."""
        return LaneWorker(
            engine=self.engine,
            settings=self.settings,
            adapters=self.adapters,
            policies=lambda: self.policies,
            clock=self.clock,
            new_key=new_key,
        )

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(
            engine=self.engine,
            settings=self.settings,
            adapters=self.adapters,
            answer=self.answer,
            files=self.files,
            limits=self.limits,
            clock=self.clock,
            metrics=self.metrics,
            new_key=new_key,
        )

    def worker(self) -> Worker:
        """A worker with these parts."""
        look = partial(look_at_waiting, self.engine, self.clock, self.policies.measures.silence_after)
        age = partial(storage.age_payloads, self.engine, self.settings.storage.keep_payloads)
        voices = partial(look_at_voices, self.engine, self.clock, self.settings)
        pulling = pull_jobs(
            engine=self.engine,
            settings=self.settings,
            adapters=self.adapters,
            clock=self.clock,
            new_key=new_key,
        )
        overlaps = partial(report_overlaps, self.engine, self.metrics)
        return Worker(
            engine=self.engine,
            lanes=self.lane_worker(),
            dispatcher=self._dispatcher(),
            refresh_knowledge=self.refresh_knowledge,
            leader=Leader(
                self.engine,
                {
                    "waiting": (look, timedelta(seconds=1)),
                    "voices": (voices, timedelta(seconds=1)),
                    "links": (partial(link_handed_over, self), timedelta(seconds=1)),
                    "overlaps": (overlaps, timedelta(seconds=1)),
                    "payloads": (age, storage.EVERY),
                    "files": (partial(forget_files, self.engine, self.clock), timedelta(seconds=30)),
                    **pulling,
                },
            ),
            clock=self.clock,
            metrics=self.metrics,
        )


def _open_adapter(name: str, chosen: ConnectionSettings, transport: httpx.AsyncBaseTransport) -> Adapter:
    """A connection's adapter; a broken one is told of, and doesn't keep the others from working."""
    adapter = registry.build_or_stand_in(
        chosen.adapter, chosen.settings, connection=name, transport=transport
    )
    if isinstance(adapter, StandIn):
        log.error("adapter_broken", connection=name, adapter=chosen.adapter, error=adapter.reason)
    return adapter


@asynccontextmanager
async def open_house(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[House]:
    """Open everything; refuses a database whose schema isn't the code's (see `open_database`)."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_database(settings, name="deskbridge", pool_size=20))
        metrics = Metrics()
        limits, transports = await stack.enter_async_context(
            open_limits(settings, clock=clock, metrics=metrics)
        )
        adapters = {
            name: _open_adapter(name, chosen, transports[name])
            for name, chosen in settings.connections.items()
        }
        for adapter in adapters.values():
            stack.push_async_callback(adapter.http.aclose)
        require_fitting(settings, adapters)
        policies = load_policies(settings.policies, desks=settings.desks)
        async with engine.connect() as connection:
            index = await KnowledgeIndex.load(connection)
            limits.divide_among(await count_workers(connection) + 1)
        guard = Guard(settings.attachments)
        stack.push_async_callback(guard.aclose)
        yield House(
            files=Carrier(guard, settings.attachments, adapters, engine),
            settings=settings,
            clock=clock,
            engine=engine,
            adapters=adapters,
            policies=Policies(policies, measures(policies), load_policies(PACKAGED / "policies")),
            index=index,
            limits=limits,
            metrics=metrics,
        )
