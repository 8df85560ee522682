"""A worker: takes lanes, dispatches commands, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from config.clock import Clock
from gateway.dispatcher import Dispatcher
from gateway.lanes import LaneWorker, Worked
from gateway.leader import Leader
from gateway.metrics import Metrics
from gateway.wakeups import Wakeups
from knowledge.store import WAKE_KNOWLEDGE
from sync.store.inbox import WAKE_LANES
from sync.store.threads import WAKE_DISPATCHERS

log = structlog.get_logger()
LOOK_ANYWAY = timedelta(seconds=5)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
PACE = 0.01
"""How often at most live events are worked, in seconds: at a flood, each time more of them."""
LIVELY, LONGEST_REST = 1.0, 0.1
"""For so many seconds after a live event, a batch of history is followed by a rest of up to so many."""
DRAIN = timedelta(seconds=15)


class Worker:
    """The loops of one process."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        lanes: LaneWorker,
        dispatcher: Dispatcher,
        refresh_knowledge: Callable[[], Awaitable[object]],
        leader: Leader,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._lanes = lanes
        self._dispatcher = dispatcher
        self._refresh_knowledge = refresh_knowledge
        self._leader = leader
        self._clock = clock
        self._metrics = metrics
        self._wakeups = Wakeups(engine, [WAKE_LANES, WAKE_DISPATCHERS, WAKE_KNOWLEDGE])
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._live_at = 0.0

    @property
    def listening(self) -> bool:
        """Whether it is connected and at work."""
        return self._wakeups.ready.is_set() and not self._stopping

    async def start(self) -> None:
        """Start the loops; returns once this worker is known to the others."""
        self._spawn(self._wakeups.run())
        await self._wakeups.ready.wait()
        self._dispatcher.worker = self._wakeups.worker
        self._spawn(self._leader.run())
        self._spawn(self._persist("lanes", self._work_lanes))
        self._spawn(self._persist("dispatcher", self._dispatch))
        self._spawn(self._persist("knowledge", self._follow_knowledge))

    async def stop(self) -> None:
        """Finish or release what is held, then stop."""
        self._stopping = True
        listening, *loops = self._tasks
        # A lane's transaction that is cut short rolls back: its events stay pending.
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._dispatcher.drain(DRAIN)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _persist(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop through faults of the database, saying once that it stands and once that it goes."""
        pause = FIRST_PAUSE
        troubled = False
        while True:
            try:
                await loop()
            except (DBAPIError, OSError, TimeoutError) as error:
                if not troubled:
                    log.error("loop_interrupted", loop=name, error=repr(error))
                troubled = True
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                if troubled:
                    log.info("loop_resumed", loop=name)
                troubled, pause = False, FIRST_PAUSE

    async def _work_lanes(self) -> None:
        wake = self._wakeups.event(WAKE_LANES)
        wake.clear()
        loop = asyncio.get_running_loop()
        began = loop.time()
        worked = await self._lanes.work()
        if not worked.lanes:
            await _wait(wake, LOOK_ANYWAY)
            return
        self._measure(worked)
        ended = loop.time()
        if worked.received:
            self._live_at = ended
            if not worked.more:
                await _wait(wake, LOOK_ANYWAY)
            await asyncio.sleep(began + PACE - loop.time())
        elif ended - self._live_at < LIVELY:
            # Only history was worked, and customers are about: the rest of the path needs its turn, too.
            await asyncio.sleep(min(LONGEST_REST, 2 * (ended - began)))

    async def _dispatch(self) -> None:
        await self._dispatcher.round(self._wakeups.event(WAKE_DISPATCHERS))

    async def _follow_knowledge(self) -> None:
        wake = self._wakeups.event(WAKE_KNOWLEDGE)
        await wake.wait()
        wake.clear()
        await self._refresh_knowledge()

    def _measure(self, worked: Worked) -> None:
        now = self._clock()
        for received in worked.received:
            self._metrics.observe_lag("worked", now - received)
        self._metrics.events.labels("done").inc(worked.events - worked.parked)
        self._metrics.events.labels("parked").inc(worked.parked)
        for verdict in worked.verdicts:
            self._metrics.turns.labels(verdict).inc()
        for rule in worked.hand_offs:
            self._metrics.hand_offs.labels(rule).inc()
        for connection in worked.undelivered:
            self._metrics.undelivered.labels(connection).inc()
        for rule in worked.expired:
            self._metrics.expired.labels(rule).inc()


async def _wait(event: asyncio.Event, limit: timedelta) -> None:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await event.wait()
    except TimeoutError:
        pass
