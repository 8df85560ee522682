"""Customers: who they are, which of them are one person, and what may be."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, RequestBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import LARGEST_REF, RefPath
from gateway.api.desk import ActBody
from gateway.api.etag import tagged
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.paging import Cursor, Limit, decode, following
from gateway.api.problems import documented
from gateway.house import House
from sync.identity import State
from sync.store import merging, reading
from sync.store.merging import Act
from sync.store.reading import Wanted
from sync.views import Conversation, Customer, CustomerMerge

MERGES = "/v1/customers/merges"
MergePath = Annotated[int, PathParameter(ge=1, le=LARGEST_REF, description="The merge's ref.")]


class FullCustomer(Struct, frozen=True, kw_only=True):
    """A customer with their latest conversations, and the merges that made them one."""

    customer: Customer
    conversations: list[Conversation]
    merges: list[CustomerMerge]


class MergePage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[CustomerMerge]
    next: str | None


class MergeBody(ActBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who merges, and which customer counts as this one from now on."""

    gone: Annotated[int, Meta(ge=1, le=LARGEST_REF, examples=[4711])]


@get(
    "/v1/customers/{ref:int}",
    guards=[require(Scope.READ)],
    operation_id="getCustomer",
    summary="One customer",
    description=(
        "With the identities of all who were found to be the same person, latest conversations and merges."
        " A ref that was merged away shows the customer that it counts as. Sends an `ETag`."
    ),
    tags=["Customers"],
    responses={200: ResponseSpec(FullCustomer, description="The customer"), **documented(400, 404)},
)
async def get_customer(
    ref: RefPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """One customer."""
    async with house.engine.connect() as database:
        customer = await reading.customer(database, ref)
        if customer is None:
            raise NotFoundException(detail=f"there is no customer {ref}")
        wanted = Wanted(customer_ref=customer.ref)
        conversations = await reading.newest(database, wanted, before=None, most=50)
        merges = await merging.merges_of(database, customer.refs)
    return tagged(request, FullCustomer(customer=customer, conversations=conversations, merges=merges))


@get(
    MERGES,
    guards=[require(Scope.READ)],
    operation_id="listMerges",
    summary="List merges and suggestions",
    description="Latest first. Without `state`, what waits for a person: suggested merges.",
    tags=["Customers"],
    responses=documented(400),
)
async def list_merges(
    house: NamedDependency[House],
    wanted: Annotated[
        State, QueryParameter(name="state", description="Only in this state.")
    ] = State.SUGGESTED,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MergePage:
    """One page of merges."""
    async with house.engine.connect() as database:
        found = await merging.merges(database, states=[wanted], before=decode(cursor), most=limit + 1)
    position = found[limit - 1].ref if len(found) > limit else None
    link = following(path=MERGES, query={"state": wanted.value}, limit=limit, position=position)
    return MergePage(items=found[:limit], next=link)


def _described(path: str, name: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "path": path,
        "guards": [require(Scope.DESK)],
        "operation_id": name,
        "summary": summary,
        "description": description,
        "tags": ["Customers"],
        "status_code": 200,
        "responses": {
            200: ResponseSpec(CustomerMerge, description="The merge as it is now"),
            **documented(400, 404, 409, 422),
        },
    }


@post(
    **_described(
        "/v1/customers/{ref:int}/merge",
        "mergeCustomers",
        "Merge two customers",
        "`gone` counts as this one from now on. Conversations stay where they are. It can be undone.",
    )
)
async def merge(
    ref: RefPath,
    data: RequestBody[MergeBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Make one customer of two."""

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(
            await merging.merge(connection, kept=ref, gone=data.gone, act=_act(house, data))
        )

    return await once(house, request, idempotency_key, work)


Deed = Callable[[AsyncConnection, int, Act], Awaitable[CustomerMerge]]


def _deed(action: str, name: str, summary: str, description: str, *, do: Deed) -> HTTPRouteHandler:
    """The operation that does something to a merge, by its ref."""

    @post(**_described(f"{MERGES}/{{ref:int}}/{action}", name, summary, description))
    async def handle(
        ref: MergePath,
        data: RequestBody[ActBody],
        house: NamedDependency[House],
        request: Request[Any, Any, Any],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:
        async def work(connection: AsyncConnection) -> bytes:
            return msgspec.json.encode(await do(connection, ref, _act(house, data)))

        return await once(house, request, idempotency_key, work)

    return handle


undo = _deed(
    "undo",
    "undoMerge",
    "Undo a merge",
    "Everyone goes with those that they were linked to. These two are never linked by a rule again.",
    do=merging.undo,
)
accept = _deed("accept", "acceptMerge", "Accept a suggested merge", "They are one.", do=merging.accept)
dismiss = _deed(
    "dismiss",
    "dismissMerge",
    "Dismiss a suggested merge",
    "They are two people: these are not suggested or linked again.",
    do=merging.dismiss,
)


def _act(house: House, data: ActBody) -> Act:
    who = data.agent
    return Act(person=Person(id=who.id, name=who.name or who.id), at=house.clock())
