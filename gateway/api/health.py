"""Whether it lives, whether it is ready, and its numbers."""

from datetime import datetime

from litestar import Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway import store
from gateway.api.problems import problem
from gateway.house import House
from gateway.pulling import Purpose
from sync.store import conflicts, parking, pulls
from sync.store.inbox import oldest_pending
from sync.store.timers import waiting_since


@get("/healthz", summary="Whether the process lives", security=[{}])
async def healthz() -> dict[str, str]:
    """Answers as long as the process does."""
    return {"status": "ok"}


@get("/readyz", summary="Whether it can take work", security=[{}])
async def readyz(house: NamedDependency[House], state: State) -> Response[bytes] | dict[str, str]:
    """Ready when the database answers and the worker, if there is one here, listens."""
    try:
        async with house.engine.connect() as connection:
            await store.touch(connection)
    except (DBAPIError, OSError, PoolTimeoutError):
        return problem(503, "Not ready", "the database does not answer")
    if state.worker is not None and not state.worker.listening:
        return problem(503, "Not ready", "the worker is not listening")
    return {"status": "ready"}


@get("/metrics", summary="Prometheus metrics", security=[{}])
async def metrics(house: NamedDependency[House]) -> Response[bytes]:
    """The series of this process."""
    async with house.engine.connect() as connection:
        oldest = await oldest_pending(connection)
        waiting = await waiting_since(connection)
        house.metrics.set_parked(await parking.counts(connection), house.clock())
        house.metrics.open_conflicts.set(await conflicts.count_open(connection))
        found = await pulls.states(connection, names=house.settings.connections, purposes=Purpose)
        house.metrics.set_pulls(found, house.clock())
    house.metrics.oldest_event.set(_age(house, oldest))
    house.metrics.oldest_offer.set(_age(house, waiting))
    await house.limits.report()
    return Response(house.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _age(house: House, since: datetime | None) -> float:
    return max(0.0, (house.clock() - since).total_seconds()) if since else 0.0
