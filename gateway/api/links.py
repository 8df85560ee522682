"""Links between conversations at several connections: made, undone, shown."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import RequestBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import links as deeds
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import LARGEST_REF, RefPath
from gateway.api.etag import tagged
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.problems import documented
from gateway.house import House
from gateway.links import Case

PATH = "/v1/conversations/{ref:int}/links"


class LinkBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conversation that is about the same matter."""

    other: Annotated[int, Meta(ge=1, le=LARGEST_REF, examples=[4711])]


@get(
    PATH,
    guards=[require(Scope.READ)],
    operation_id="getLinks",
    summary="What a conversation is linked with",
    description="All conversations of its case, itself among them; none if it isn't linked.",
    tags=["Conversations"],
    responses={200: ResponseSpec(Case, description="The case"), **documented(400, 404)},
)
async def get_links(
    ref: RefPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """A conversation's case."""
    async with house.engine.connect() as database:
        return tagged(request, await deeds.show(database, ref))


@put(
    PATH,
    guards=[require(Scope.DESK)],
    operation_id="linkConversations",
    summary="Link two conversations",
    description=(
        "They are one case from now on, with all that are linked with either: the fields that are shared are"
        " merged and kept equal. Messages and leases stay each their own. Linked already, nothing happens."
    ),
    tags=["Conversations"],
    responses={
        200: ResponseSpec(Case, description="The case as it is now"),
        **documented(400, 404, 409, 422),
    },
)
async def put_link(
    ref: RefPath,
    data: RequestBody[LinkBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Make one case of two conversations."""

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await deeds.link(house, connection, ref, data.other))

    return await once(house, request, idempotency_key, work)


@delete(
    PATH,
    guards=[require(Scope.DESK)],
    operation_id="unlinkConversation",
    summary="Unlink a conversation",
    description="It goes its own way; the others stay linked. What was written stays. Shows who is left.",
    tags=["Conversations"],
    status_code=200,
    responses={
        200: ResponseSpec(Case, description="What is left of its case"),
        **documented(400, 404, 409, 422),
    },
)
async def delete_links(
    ref: RefPath,
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Take a conversation out of its case."""

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await deeds.unlink(house, connection, ref))

    return await once(house, request, idempotency_key, work)
