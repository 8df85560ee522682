"""Backfills and reconciliations: how far they are, what they found."""

from datetime import datetime
from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import QueryParameter
from msgspec import Struct

from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import RefPath
from gateway.api.paging import Cursor, Limit, decode, following
from gateway.api.problems import documented
from gateway.house import House
from gateway.pulling import Purpose
from sync.store import pulls, reconciling
from sync.store.pulls import Counts
from sync.store.reconciling import Difference

BACKFILLS = "/v1/backfills"
RECONCILIATIONS = "/v1/reconciliations"
DIFFERENCES = 200

OfConnection = Annotated[str | None, QueryParameter(description="Only of this connection.")]


class Backfill(Struct, frozen=True, kw_only=True):
    """An import of a connection's history: `running`, `stopped` (with the reason) or `done`."""

    ref: int
    connection: str
    state: str
    since: datetime | None
    started_at: datetime
    ended_at: datetime | None
    reason: str | None
    counts: dict[str, Counts]


class BackfillPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[Backfill]
    next: str | None


class Reconciliation(Backfill, frozen=True, kw_only=True):
    """A comparison of a whole connection: how many records were compared, and how many differed."""

    compared: int
    differed: int


class ReconciliationPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[Reconciliation]
    next: str | None


class FullReconciliation(Struct, frozen=True, kw_only=True):
    """A reconciliation with what became of its differences; the first 200 of them one by one."""

    reconciliation: Reconciliation
    outcomes: dict[str, int]
    differences: list[Difference]


@get(
    BACKFILLS,
    guards=[require(Scope.READ)],
    operation_id="listBackfills",
    summary="List backfills",
    description="Newest first.",
    tags=["Pulling"],
    responses=documented(400),
)
async def list_backfills(
    *,
    house: NamedDependency[House],
    connection: OfConnection = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> BackfillPage:
    """One page of backfills."""
    found, link = await _runs(
        house, BACKFILLS, Purpose.BACKFILL, connection=connection, cursor=cursor, limit=limit
    )
    return BackfillPage(items=[_backfill(run) for run in found], next=link)


@get(
    RECONCILIATIONS,
    guards=[require(Scope.READ)],
    operation_id="listReconciliations",
    summary="List reconciliations",
    description="Newest first.",
    tags=["Pulling"],
    responses=documented(400),
)
async def list_reconciliations(
    *,
    house: NamedDependency[House],
    connection: OfConnection = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ReconciliationPage:
    """One page of reconciliations."""
    found, link = await _runs(
        house, RECONCILIATIONS, Purpose.RECONCILE, connection=connection, cursor=cursor, limit=limit
    )
    return ReconciliationPage(items=[_reconciliation(run) for run in found], next=link)


@get(
    "/v1/reconciliations/{ref:int}",
    guards=[require(Scope.READ)],
    operation_id="getReconciliation",
    summary="One reconciliation",
    description="What differed and why: each is `healed`, `unhealed` (with the reason) or `marked` as gone.",
    tags=["Pulling"],
    responses=documented(400, 404),
)
async def get_reconciliation(ref: RefPath, house: NamedDependency[House]) -> FullReconciliation:
    """One reconciliation."""
    async with house.engine.connect() as database:
        run = await pulls.find_run(database, ref, purpose=Purpose.RECONCILE)
        if run is None:
            raise NotFoundException(detail=f"there is no reconciliation {ref}")
        return FullReconciliation(
            reconciliation=_reconciliation(run),
            outcomes=await reconciling.count_outcomes(database, ref),
            differences=await reconciling.list_differences(database, ref, most=DIFFERENCES),
        )


async def _runs(
    house: House, path: str, purpose: Purpose, *, connection: str | None, cursor: str | None, limit: int
) -> tuple[list[pulls.Run], str | None]:
    async with house.engine.connect() as database:
        found = await pulls.list_runs(
            database, purpose=purpose, name=connection, before=decode(cursor), most=limit + 1
        )
    position = found[limit - 1].ref if len(found) > limit else None
    link = following(path=path, query={"connection": connection}, limit=limit, position=position)
    return found[:limit], link


def _fields(run: pulls.Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Backfill.__struct_fields__}


def _backfill(run: pulls.Run) -> Backfill:
    return Backfill(**_fields(run))


def _reconciliation(run: pulls.Run) -> Reconciliation:
    return Reconciliation(
        **_fields(run),
        compared=sum(counts.read for counts in run.counts.values()),
        differed=sum(counts.differed for counts in run.counts.values()),
    )
