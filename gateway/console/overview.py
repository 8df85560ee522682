"""The first page: all conversations, and how it goes."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncConnection

import rules.store as rules_store
from adapters.model import Channel, Status
from gateway.console import charts
from gateway.console.login import redirect
from gateway.console.pages import render
from gateway.console.sessions import Visitor, visitors
from gateway.house import House
from rules.store import reading as rules_reading
from sync.lease import Holder
from sync.store import desk, reading
from sync.store.reading import Wanted

ON_A_PAGE = 40
REPLIES_MEASURED = 2000
COUNTED = 20_000
"""The charts count the latest so many: a page that follows along must stay cheap."""
HOLDERS = tuple(holder.value for holder in Holder)


@get("/console", include_in_schema=False, guards=[visitors()])
async def show_overview(
    *,
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    status: FromQuery[str] = "",
    channel: FromQuery[str] = "",
    lease: FromQuery[str] = "",
    at: FromQuery[datetime | None] = None,
    before: FromQuery[int | None] = None,
) -> Response[Any]:
    """Conversations by their last message, with charts above."""
    visitor: Visitor = request.auth
    if not visitor.reads:
        return redirect("/console/desk")
    chosen = {"status": status, "channel": channel, "lease": lease}
    wanted = Wanted(status=status or None, channel=channel or None, lease=lease or None)
    after = (at, before) if at and before else None
    async with house.engine.connect() as database:
        found = await reading.liveliest(database, wanted, after=after, most=ON_A_PAGE + 1)
        failed = await rules_reading.count_failed(database, [c.ref for c in found])
        numbers = await _numbers(database)
    shown = found[:ON_A_PAGE]
    return render(
        request,
        "overview.html",
        conversations=shown,
        failed=failed,
        chosen=chosen,
        choices={"status": tuple(Status), "channel": tuple(Channel), "lease": HOLDERS},
        older=_older(chosen, shown[-1]) if len(found) > ON_A_PAGE else None,
        paged=after is not None,
        **numbers,
    )


def _older(chosen: dict[str, str], last: Any) -> str:
    position = {"at": last.last_message_at.isoformat(), "before": last.ref}
    return f"/console?{urlencode({k: v for k, v in chosen.items() if v} | position)}"


async def _numbers(database: AsyncConnection) -> dict[str, Any]:
    replies = await reading.first_replies(database, most=REPLIES_MEASURED)
    openings = await rules_store.load_openings(database, [(r.conversation_ref, r.turn) for r in replies])
    waits = [
        reply.at - openings[reply.conversation_ref, reply.turn]
        for reply in replies
        if (reply.conversation_ref, reply.turn) in openings
    ]
    verdicts = await rules_reading.count_verdicts(database, most=COUNTED)
    return {
        "counted": COUNTED,
        "waiting": await desk.count_offered(database),
        "leases": await reading.count_leases(database, most=COUNTED),
        "failed_turns": verdicts.get("unresolved", 0),
        "verdict_bars": charts.verdict_bars(verdicts),
        "rule_bars": charts.rule_bars(await desk.count_by_rule(database, most=COUNTED)),
        "responses": charts.response_bars(waits),
    }
