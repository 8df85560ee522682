"""The timeline page of one conversation."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gateway import timeline
from gateway.access import Scope
from gateway.api.conversations import LARGEST_REF
from gateway.console import story
from gateway.console.pages import render
from gateway.console.sessions import visitors
from gateway.house import House
from sync.store import desk, reading


def ref_of(text: str) -> int:
    """The ref in an address. Raises NotFoundException for what can't be one."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= LARGEST_REF:
        raise NotFoundException
    return int(text[:20])


@get("/console/conversations/{ref:str}", include_in_schema=False, guards=[visitors(Scope.READ)])
async def show_conversation(
    ref: FromPath[str], house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Everything that happened, as one can read it."""
    async with house.engine.connect() as database:
        found = await reading.conversation(database, ref_of(ref))
        if found is None:
            raise NotFoundException
        customer = await reading.customer(database, found.customer_ref) if found.customer_ref else None
        entries = await timeline.tell(database, found.ref)
        hand_offs = await desk.hand_offs_of(database, found.ref)
    return render(
        request,
        "conversation.html",
        conversation=found,
        customer=customer,
        stretches=story.stretches(entries),
        kind_of=story.kind_of,
        open_hand_off=next((h for h in hand_offs if h.state in desk.OPEN), None),
    )
