"""Conflicts over shared fields: what they are, resolving them, undoing that."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, RequestBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Person
from gateway import conflicts as deeds
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import LARGEST_REF
from gateway.api.desk import ActBody
from gateway.api.etag import tagged
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.paging import Cursor, Limit, decode, following
from gateway.api.problems import documented
from gateway.house import House
from sync.resolving import Choice, Resolution
from sync.store import conflicts
from sync.store.conflicts import FieldConflict

LIST = "/v1/conflicts"
ConflictPath = Annotated[int, PathParameter(ge=1, le=LARGEST_REF, description="The conflict's ref.")]


class StateFilter(StrEnum):
    """Which conflicts."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


class ConflictPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[FieldConflict]
    next: str | None


class ResolveBody(ActBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decides, and what: `ours`, `theirs`, or with `value` the `value` given here."""

    choice: Choice
    value: Any = None


@get(
    LIST,
    guards=[require(Scope.READ)],
    operation_id="listConflicts",
    summary="List conflicts over shared fields",
    description="Latest first. Without `state`, those that wait for a person.",
    tags=["Conflicts"],
    responses=documented(400),
)
async def list_conflicts(
    house: NamedDependency[House],
    wanted: Annotated[
        StateFilter, QueryParameter(name="state", description="Only in this state.")
    ] = StateFilter.OPEN,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ConflictPage:
    """One page of conflicts."""
    async with house.engine.connect() as database:
        found = await conflicts.conflicts(database, state=wanted.value, before=decode(cursor), most=limit + 1)
    position = found[limit - 1].ref if len(found) > limit else None
    link = following(path=LIST, query={"state": wanted.value}, limit=limit, position=position)
    return ConflictPage(items=found[:limit], next=link)


@get(
    f"{LIST}/{{ref:int}}",
    guards=[require(Scope.READ)],
    operation_id="getConflict",
    summary="One conflict",
    description="Both values with their authors and times, and what they started from. Sends an `ETag`.",
    tags=["Conflicts"],
    responses={200: ResponseSpec(FieldConflict, description="The conflict"), **documented(400, 404)},
)
async def get_conflict(
    ref: ConflictPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """One conflict."""
    async with house.engine.connect() as database:
        found = await conflicts.conflict(database, ref)
    if found is None:
        raise NotFoundException(detail=f"there is no conflict {ref}")
    return tagged(request, found)


def _person(data: ActBody) -> Person:
    return Person(id=data.agent.id, name=data.agent.name or data.agent.id)


def _described(action: str, name: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "path": f"{LIST}/{{ref:int}}/{action}",
        "guards": [require(Scope.DESK)],
        "operation_id": name,
        "summary": summary,
        "description": description,
        "tags": ["Conflicts"],
        "status_code": 200,
        "responses": {
            200: ResponseSpec(FieldConflict, description="The conflict as it is now"),
            **documented(400, 404, 409, 422),
        },
    }


@post(
    **_described(
        "resolve",
        "resolveConflict",
        "Resolve a conflict",
        "The chosen value is written to every connection that holds another. It can be undone.",
    )
)
async def resolve(
    ref: ConflictPath,
    data: RequestBody[ResolveBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Decide a conflict."""
    resolution = Resolution(
        ref=ref, choice=data.choice, value=data.value, person=_person(data), at=house.clock()
    )

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await deeds.resolve(house, connection, resolution))

    return await once(house, request, idempotency_key, work)


@post(
    **_described(
        "undo",
        "undoConflict",
        "Undo a resolution",
        "The conflict is open again, and every side gets back what it held; 409 if it was edited since.",
    )
)
async def undo(
    ref: ConflictPath,
    data: RequestBody[ActBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Take a resolution back."""
    person = _person(data)

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await deeds.undo(house, connection, ref, person))

    return await once(house, request, idempotency_key, work)
