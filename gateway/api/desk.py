"""The built-in desk: hand-offs in their queues, and what agents do with them."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter, RequestBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from gateway import desk_actions
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import LARGEST_REF, RefPath
from gateway.api.etag import tagged
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.paging import Cursor, Limit, decode, following
from gateway.api.problems import documented
from gateway.desk import DeskAction
from gateway.desk_actions import Deed, ReplyText
from gateway.house import House
from sync.store import desk
from sync.views import FullHandOff, HandOff

LIST = "/v1/desk/hand-offs"


class StateFilter(StrEnum):
    """Which hand-offs: `open` ones are offered or claimed."""

    OPEN = "open"
    OFFERED = "offered"
    CLAIMED = "claimed"
    RESOLVED = "resolved"
    RETURNED = "returned"
    TAKEN = "taken"
    EXPIRED = "expired"
    PASSED_ON = "passed_on"
    DELETED = "deleted"
    ALL = "all"


_STATES = {
    StateFilter.OPEN: desk.OPEN,
    StateFilter.ALL: (
        "offered",
        "claimed",
        "resolved",
        "returned",
        "taken",
        "expired",
        "passed_on",
        "deleted",
    ),
}


MOST_NAMED = 50
FileRef = Annotated[int, Meta(ge=1, le=LARGEST_REF, examples=[7])]


class HandOffPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[HandOff]
    next: str | None


class Agent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person at the desk; the customer's reply carries their name."""

    id: Annotated[str, Meta(min_length=1, max_length=200, examples=["mei"])]
    name: Annotated[str, Meta(max_length=200, examples=["Mei Lin"])] = ""


class ActBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who acts."""

    agent: Agent


class ReplyBody(ActBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who replies, what they say, and the files that go along, by the refs that laying them down gave."""

    text: ReplyText
    files: Annotated[list[FileRef], Meta(max_length=MOST_NAMED)] = []


@get(
    LIST,
    guards=[require(Scope.DESK)],
    operation_id="listHandOffs",
    summary="List hand-offs",
    description="Oldest first. Without `state`, those that are open.",
    tags=["Desk"],
    responses=documented(400),
)
async def list_hand_offs(
    house: NamedDependency[House],
    wanted: Annotated[
        StateFilter, QueryParameter(name="state", description="Only in this state.")
    ] = StateFilter.OPEN,
    queue: Annotated[str | None, QueryParameter(description="Only in this queue.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HandOffPage:
    """One page of hand-offs."""
    async with house.engine.connect() as database:
        found = await desk.hand_offs(
            database,
            states=_STATES.get(wanted, (wanted.value,)),
            queue=queue,
            after=decode(cursor),
            most=limit + 1,
        )
    position = found[limit - 1].ref if len(found) > limit else None
    query = {"state": wanted.value, "queue": queue}
    link = following(path=LIST, query=query, limit=limit, position=position)
    return HandOffPage(items=found[:limit], next=link)


@get(
    "/v1/desk/hand-offs/{ref:int}",
    guards=[require(Scope.DESK)],
    operation_id="getHandOff",
    summary="One hand-off, with its package",
    description="The package is what a person needs to take over. Sends an `ETag`.",
    tags=["Desk"],
    responses={200: ResponseSpec(FullHandOff, description="The hand-off"), **documented(400, 404)},
)
async def get_hand_off(
    ref: RefPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """One hand-off."""
    async with house.engine.connect() as database:
        found = await desk.hand_off(database, ref)
    if found is None:
        raise NotFoundException(detail=f"there is no hand-off {ref}")
    return tagged(request, found)


def _described(action: DeskAction, summary: str, description: str) -> dict[str, Any]:
    return {
        "path": f"{LIST}/{{ref:int}}/{action.value}",
        "guards": [require(Scope.DESK)],
        "operation_id": f"{action.value}HandOff",
        "summary": summary,
        "description": description,
        "tags": ["Desk"],
        "status_code": 200,
        "responses": {
            200: ResponseSpec(FullHandOff, description="The hand-off as it is now"),
            **documented(400, 404, 409, 422),
        },
    }


def _action(action: DeskAction, summary: str, description: str) -> HTTPRouteHandler:
    """The operation by which an agent does something that needs no words."""

    @post(**_described(action, summary, description))
    async def handle(
        ref: RefPath,
        data: RequestBody[ActBody],
        house: NamedDependency[House],
        request: Request[Any, Any, Any],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:
        return await _act(house, request, idempotency_key, _deed(ref, action, data))

    return handle


claim = _action(
    DeskAction.CLAIM, "Claim a hand-off", "From now on this agent speaks; 409 when another one does."
)
resolve = _action(DeskAction.RESOLVE, "Resolve the conversation", "Closes it here and at the helpdesk.")
give_back = _action(DeskAction.RETURN, "Return it to the AI", "The AI answers again from now on.")


@post(
    **_described(
        DeskAction.REPLY,
        "Reply to the customer",
        "The helpdesk shows it as said by this agent, who must have claimed the hand-off. `files` go along,"
        " each in one reply only; 409 where the helpdesk or the channel takes none.",
    )
)
async def reply(
    ref: RefPath,
    data: RequestBody[ReplyBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Say something to the customer."""
    deed = msgspec.structs.replace(
        _deed(ref, DeskAction.REPLY, data), text=data.text, files=tuple(data.files)
    )
    return await _act(house, request, idempotency_key, deed)


def _deed(ref: int, action: DeskAction, data: ActBody) -> Deed:
    person = Person(id=data.agent.id, name=data.agent.name or data.agent.id)
    return Deed(hand_off=ref, action=action, agent=person)


async def _act(house: House, request: Request[Any, Any, Any], key: str | None, deed: Deed) -> Response[bytes]:
    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await desk_actions.carry_out(house, connection, deed))

    return await once(house, request, key, work)
