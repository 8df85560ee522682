"""Carrying the plan out: each fault on whatever target there is when its time has come."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx

from tests.faults.evidence import Struck
from tests.faults.ground import Child, Ground
from tests.faults.plan import WEBHOOK_KINDS, Kind, Planned

FIRST_CLOCKS = (-60.0, 30.0)
"""By how many seconds each vendor's clock is wrong at first; it only ever jumps ahead (see the plan)."""
BACK_AFTER = (0.2, 2.0)
"""How long, in seconds, a killed process or engine stays away."""
_FREEZING = frozenset({Kind.FREEZE_BRIEFLY, Kind.FREEZE_LONG, Kind.FREEZE_MINUTE})


class Injector:
    """Injects the faults of a plan into a running ground."""

    def __init__(self, ground: Ground, http: httpx.AsyncClient) -> None:
        self._ground = ground
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()
        self._engine_free = asyncio.Lock()
        self._away: set[str] = set()
        self._clocks = dict(zip(ground.vendor_urls, FIRST_CLOCKS, strict=True))
        self.struck: list[Struck] = []

    async def keep_running(self) -> None:
        """Start again what ended by itself, as any service manager does; until cancelled."""
        while True:
            for child in self._ground.ours:
                if child.ended and child.name not in self._away:
                    child.start()
            await asyncio.sleep(1.0)

    async def run(self, plan: Sequence[Planned]) -> None:
        """Play the plan from now on; returns when its last fault is over."""
        began = time.monotonic()
        for name, url in self._ground.vendor_urls.items():
            await self._http.put(f"{url}/control/clock", json={"ahead": self._clocks[name]})
        for planned in plan:
            await asyncio.sleep(max(0.0, began + planned.at - time.monotonic()))
            task = asyncio.create_task(self._inject(planned))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def make_peace(self) -> None:
        """No more faults: vendors behave, everything runs."""
        for url in self._ground.vendor_urls.values():
            (await self._http.delete(f"{url}/control/misbehave")).raise_for_status()
        for child in self._ground.ours:
            child.thaw()
            if not child.running:
                child.start()
        await self._ground.answering()
        await self._ground.engine.dispose()  # its sessions died with PostgreSQL

    async def _inject(self, planned: Planned) -> None:
        match planned.kind:
            case Kind.KILL_WORKER:
                await self._kill(planned, self._ground.workers)
            case Kind.KILL_SERVE:
                await self._kill(planned, self._ground.serves)
            case kind if kind in _FREEZING:
                await self._freeze(planned)
            case Kind.POSTGRES_FAST | Kind.POSTGRES_IMMEDIATE:
                await self._restart_postgres(planned)
            case Kind.REDIS_FLUSH:
                await self._flush_redis(planned)
            case Kind.REDIS_KILL:
                await self._kill_redis(planned)
            case Kind.VENDOR_CLOCK:
                await self._set_clock(planned)
            case _:
                await self._misbehave(planned)

    def _note(self, planned: Planned, target: str) -> None:
        self.struck.append(Struck(at=datetime.now(UTC), kind=planned.kind.value, target=target))

    async def _kill(self, planned: Planned, targets: Sequence[Child]) -> None:
        child = await _choose(targets, planned.draw)
        self._note(planned, child.name)
        self._away.add(child.name)
        child.kill()
        low, high = BACK_AFTER
        await asyncio.sleep(low + planned.draw * (high - low))
        child.start()
        self._away.discard(child.name)

    async def _freeze(self, planned: Planned) -> None:
        child = await _choose(self._ground.workers, planned.draw)
        self._note(planned, f"{child.name} for {planned.seconds:g} s")
        child.freeze()
        await asyncio.sleep(planned.seconds)
        child.thaw()

    async def _restart_postgres(self, planned: Planned) -> None:
        mode = "fast" if planned.kind is Kind.POSTGRES_FAST else "immediate"
        async with self._engine_free:
            self._note(planned, "postgres")
            await asyncio.to_thread(self._ground.restart_postgres, mode)

    async def _flush_redis(self, planned: Planned) -> None:
        async with self._engine_free:
            self._note(planned, "redis")
            await self._ground.flush_redis()

    async def _kill_redis(self, planned: Planned) -> None:
        async with self._engine_free:
            self._note(planned, "redis")
            self._ground.kill_redis()
            await asyncio.sleep(2.0 + 3.0 * planned.draw)
            self._ground.start_redis()
            await asyncio.sleep(0.3)

    async def _set_clock(self, planned: Planned) -> None:
        name, url = self._vendor(planned)
        self._note(planned, f"{name} {planned.ahead:+g} s")
        self._clocks[name] += planned.ahead
        (await self._http.put(f"{url}/control/clock", json={"ahead": self._clocks[name]})).raise_for_status()

    async def _misbehave(self, planned: Planned) -> None:
        _, url = self._vendor(planned)
        body = {
            "fault": planned.kind.value,
            "times": planned.times,
            "path": "" if planned.kind in WEBHOOK_KINDS else planned.path,
            "retry_after": 0.5,
        }
        if planned.seconds:
            body["seconds"] = planned.seconds
        (await self._http.post(f"{url}/control/misbehave", json=body)).raise_for_status()

    def _vendor(self, planned: Planned) -> tuple[str, str]:
        return list(self._ground.vendor_urls.items())[int(planned.draw * len(self._ground.vendor_urls))]


async def _choose(targets: Sequence[Child], draw: float) -> Child:
    """One of those that run now; waits until there is one."""
    while not (running := [child for child in targets if child.running]):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.2)
    return running[int(draw * len(running))]


def count(struck: Sequence[Struck], faults_met: Callable[[], Counter[str]]) -> Counter[str]:
    """How often each kind struck: ours as noted, theirs as the vendors' own logs say."""
    return Counter(each.kind for each in struck) + faults_met()
