"""How the vendors' limits stand."""

from datetime import datetime

from litestar import get
from litestar.di import NamedDependency
from msgspec import Struct

from gateway.access import Scope
from gateway.api.auth import require
from gateway.house import House
from gateway.limits.limits import outlook


class VendorLimit(Struct, frozen=True, kw_only=True):
    """One limit of one account. `empty_at`: when it is used up if it goes on so; `null` if never."""

    account: str
    name: str
    window_seconds: float
    limit: int
    remaining: int
    closed_until: datetime | None
    empty_at: datetime | None
    outlook: str


class VendorLimits(Struct, frozen=True, kw_only=True):
    """All limits. `shared`: counted over all processes; otherwise this is what the answering one knows."""

    shared: bool
    items: list[VendorLimit]


@get(
    "/v1/limits",
    guards=[require(Scope.READ)],
    operation_id="listLimits",
    summary="How the vendors' limits stand",
    tags=["Operations"],
)
async def list_limits(house: NamedDependency[House]) -> VendorLimits:
    """How much of each is left, until when it is closed, when it will be empty."""
    reports = await house.limits.report()
    return VendorLimits(
        shared=house.limits.shared,
        items=[
            VendorLimit(
                account=each.account,
                name=each.name,
                window_seconds=each.window.total_seconds(),
                limit=each.level.limit,
                remaining=each.level.remaining,
                closed_until=each.closed_until,
                empty_at=each.empty_at,
                outlook=outlook(each),
            )
            for each in reports
        ],
    )
