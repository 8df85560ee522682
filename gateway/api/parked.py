"""What was parked: to look at, to try out, to replay, to drop."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, RequestBody
from msgspec import Meta, Struct, field
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Origin
from gateway import access
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.paging import MOST, Cursor, Limit, decode_parts, encode, following
from gateway.api.problems import documented
from gateway.house import House
from gateway.parking import deeds
from gateway.parking.deeds import Batch, Choice, LeftOut, UnknownParkedError
from gateway.parking.effects import Effect
from gateway.parking.rehearsing import Rehearsal, rehearse
from gateway.parking.showing import clean, clean_detail, show
from sync.parking import EXPLANATIONS, Behind, Item, Kind, Parked, ParkingAct, Reason, item
from sync.store import parking
from sync.store.parking import Deed, Place, Wanted
from sync.views import Attempt

LIST = "/v1/parked"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_KINDS = tuple(Kind)

Id = Annotated[str, PathParameter(description="Such as `event-123` or `command-456`.")]
DryRun = Annotated[bool, QueryParameter(description="Only say what would happen.")]
OlderThan = Annotated[
    int | None, QueryParameter(ge=0, description="Only what has been parked for so many seconds.")
]
Connection = Annotated[str | None, QueryParameter(description="Only of this connection.")]


class ParkedPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[Parked]
    next: str | None


class FullParked(Struct, frozen=True, kw_only=True):
    """All about one: what its reason means and what cures it, what was tried, what waits behind it."""

    parked: Parked
    meaning: str
    cure: str
    key: str
    body: Any
    note: str
    attempts: list[Attempt]
    history: list[ParkingAct]
    behind: Behind


class ReplayBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to replay.

    As `replay`, an event changes what is known but nothing acts on it; `live` lets it act as if it had just
    come. `force` overrules the objections that can be.
    """

    origin: Literal["replay", "live"] = field(default="replay", name="as")
    force: bool = False
    why: Annotated[str, Meta(max_length=500)] = ""


class ReplayManyBody(ReplayBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which to replay: the next `limit` after `cursor`; commands are sent `per_second` at most."""

    kind: Kind | None = None
    connection: str | None = None
    reason: Reason | None = None
    older_than: Annotated[int, Meta(ge=0)] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 50
    per_second: Annotated[float, Meta(gt=0, le=100)] = 5.0


class DropBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is given up."""

    why: Annotated[str, Meta(min_length=3, max_length=500, pattern=r"\S", examples=["told on the phone"])]


class Replayed(Struct, frozen=True, kw_only=True):
    """As it is after the replay has begun; or, on a dry run, what one would do."""

    parked: Parked
    rehearsal: Rehearsal | None = None


class ReplayedMany(Struct, frozen=True, kw_only=True):
    """Which were (or, on a dry run, would be) replayed, and which were left out; `next` continues."""

    replayed: list[str]
    left_out: list[LeftOut]
    next: str | None


def _parts(place: Place) -> tuple[int, int, int]:
    return (place.parked_at - _EPOCH) // _MICRO, _KINDS.index(place.item.kind), place.item.ref


def _place(cursor: str | None) -> Place | None:
    parts = decode_parts(cursor, 3)
    if parts is None:
        return None
    return Place(_EPOCH + parts[0] * _MICRO, Item(_KINDS[parts[1] % len(_KINDS)], parts[2]))


def _last(found: list[Parked], limit: int) -> tuple[int, int, int] | None:
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    return _parts(Place(last.parked_at or last.created_at, last.item))


def _item(written: str) -> Item:
    try:
        return item(written)
    except ValueError as error:
        raise UnknownParkedError(str(error)) from error


def _before(house: House, older_than: int | None) -> datetime | None:
    return None if older_than is None else house.clock() - timedelta(seconds=older_than)


def _personal(request: Request[Any, Any, Any]) -> bool:
    return access.may(request.auth, Scope.READ)


def _cleaned(parked: Parked, *, personal: bool) -> Parked:
    return msgspec.structs.replace(parked, detail=clean_detail(parked.detail, personal=personal))


@get(
    LIST,
    guards=[require(Scope.OPERATE)],
    operation_id="listParked",
    summary="List what is parked",
    description="Events and commands in one list, the longest parked first.",
    tags=["Parked"],
    responses=documented(400),
)
async def list_parked(
    *,
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    kind: Annotated[Kind | None, QueryParameter(description="Only events, or only commands.")] = None,
    connection: Connection = None,
    reason: Annotated[Reason | None, QueryParameter(description="Only for this reason.")] = None,
    older_than: OlderThan = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ParkedPage:
    """One page of what is parked."""
    wanted = Wanted(kind=kind, connection=connection, reason=reason, parked_before=_before(house, older_than))
    async with house.engine.connect() as database:
        found = await parking.parked(database, wanted, after=_place(cursor), most=limit + 1)
    query = {
        "kind": kind,
        "connection": connection,
        "reason": reason,
        "older_than": None if older_than is None else str(older_than),
    }
    link = following(path=LIST, query=query, limit=limit, position=_last(found, limit))
    personal = _personal(request)
    return ParkedPage(items=[_cleaned(one, personal=personal) for one in found[:limit]], next=link)


@get(
    f"{LIST}/{{id:str}}",
    guards=[require(Scope.OPERATE)],
    operation_id="getParked",
    summary="One that is or was parked",
    description=(
        "With its body, every attempt, what was done about it, and what waits behind it. Secrets are never"
        " shown; texts and personal data only to keys that also have the scope `read`."
    ),
    tags=["Parked"],
    responses={200: ResponseSpec(FullParked, description="All about it"), **documented(404)},
)
async def get_parked(
    parked_id: Annotated[str, PathParameter(name="id", description="Such as `event-123`.")],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
) -> FullParked:
    """One that is or was parked."""
    personal = _personal(request)
    async with house.engine.connect() as database:
        found = await deeds.find(database, _item(parked_id))
        key, body, note = await _body(database, found, personal=personal)
        attempts = await parking.attempts_of(database, found.ref) if found.kind is Kind.COMMAND else []
        history = await parking.acts_of(database, found.item)
        behind = await parking.behind(database, found)
    explained = EXPLANATIONS[found.reason]
    return FullParked(
        parked=_cleaned(found, personal=personal),
        meaning=explained.meaning,
        cure=explained.cure,
        key=key,
        body=body,
        note=note,
        attempts=[
            msgspec.structs.replace(one, detail=clean_detail(one.detail, personal=personal))
            for one in attempts
        ],
        history=[
            msgspec.structs.replace(act, failed_detail=clean_detail(act.failed_detail, personal=personal))
            for act in history
        ],
        behind=behind,
    )


async def _body(database: AsyncConnection, found: Parked, *, personal: bool) -> tuple[str, Any, str]:
    if found.kind is Kind.COMMAND:
        facts = (await parking.facts(database, [found.ref]))[found.ref]
        shown = show(msgspec.json.encode(facts.body), personal=personal)
        return facts.key, shown.body, shown.note
    stored = await parking.event(database, found.ref)
    if stored is None:
        return "", None, "its body has aged out"
    event, key = stored
    shown = show(event.body, personal=personal)
    return key, shown.body, shown.note


@post(
    f"{LIST}/{{id:str}}/replay",
    guards=[require(Scope.OPERATE)],
    operation_id="replayParked",
    summary="Replay one",
    description=(
        "An event goes back to its place in its lane, a command to its place in its order, under the same"
        " key: no event is applied twice, and a message is looked for at the vendor before it is sent."
    ),
    tags=["Parked"],
    status_code=200,
    responses={200: ResponseSpec(Replayed, description="As it is now"), **documented(400, 404, 409, 422)},
)
async def replay_parked(
    *,
    parked_id: Annotated[str, PathParameter(name="id", description="Such as `event-123`.")],
    data: RequestBody[ReplayBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Replay one."""
    wanted, choice = _item(parked_id), Choice(origin=Origin(data.origin), force=data.force)
    personal = _personal(request)
    if dry_run:
        async with house.engine.connect() as database:
            found = await deeds.find(database, wanted)
        rehearsal = await rehearse(house, found, choice.origin)
        return _plain(_rehearsed(found, rehearsal, personal=personal))

    async def work(connection: AsyncConnection) -> bytes:
        done = await deeds.replay(house, connection, wanted, choice, _deed(house, request, data.why))
        return msgspec.json.encode(Replayed(parked=_cleaned(done, personal=personal)))

    return await once(house, request, idempotency_key, work)


def _rehearsed(found: Parked, rehearsal: Rehearsal, *, personal: bool) -> Replayed:
    effects = [
        Effect(what=one.what, at=one.at, detail=clean(one.detail, personal=personal))
        for one in msgspec.convert(msgspec.to_builtins(rehearsal.effects), list[Effect])
    ]
    would = clean_detail(rehearsal.would, personal=personal)
    return Replayed(
        parked=_cleaned(found, personal=personal),
        rehearsal=msgspec.structs.replace(rehearsal, would=would, effects=effects),
    )


@post(
    f"{LIST}/replay",
    guards=[require(Scope.OPERATE)],
    operation_id="replayManyParked",
    summary="Replay many",
    description=(
        "The next batch that fits the filter. Left out are those that were replayed three times and parked"
        " again (poison), and those that the last word has overtaken, unless forced."
    ),
    tags=["Parked"],
    status_code=200,
    responses={200: ResponseSpec(ReplayedMany, description="What was done"), **documented(400, 422)},
)
async def replay_many(
    *,
    data: RequestBody[ReplayManyBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Replay a batch."""
    wanted = Wanted(
        kind=data.kind,
        connection=data.connection,
        reason=data.reason,
        parked_before=_before(house, data.older_than),
    )
    choice = Choice(origin=Origin(data.origin), force=data.force, per_second=data.per_second)
    after = _place(data.cursor)
    if dry_run:
        async with house.engine.connect() as database:
            batch = await deeds.preview_batch(database, wanted, choice, after=after, most=data.limit)
        return _plain(_many(batch))

    async def work(connection: AsyncConnection) -> bytes:
        deed = _deed(house, request, data.why)
        done = await deeds.replay_batch(house, connection, wanted, choice, deed, after=after, most=data.limit)
        return msgspec.json.encode(_many(done))

    return await once(house, request, idempotency_key, work)


def _many(batch: Batch) -> ReplayedMany:
    following_on = encode(*_parts(batch.last)) if batch.last else None
    return ReplayedMany(replayed=batch.replayed, left_out=batch.left_out, next=following_on)


@post(
    f"{LIST}/{{id:str}}/drop",
    guards=[require(Scope.OPERATE)],
    operation_id="dropParked",
    summary="Drop one",
    description="It is given up for good; who did it, when and why is kept, and told on the timeline.",
    tags=["Parked"],
    status_code=200,
    responses={200: ResponseSpec(Replayed, description="As it is now"), **documented(400, 404, 409, 422)},
)
async def drop_parked(
    parked_id: Annotated[str, PathParameter(name="id", description="Such as `event-123`.")],
    data: RequestBody[DropBody],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Drop one."""
    wanted, personal = _item(parked_id), _personal(request)

    async def work(connection: AsyncConnection) -> bytes:
        done = await deeds.drop(connection, wanted, _deed(house, request, data.why))
        return msgspec.json.encode(Replayed(parked=_cleaned(done, personal=personal)))

    return await once(house, request, idempotency_key, work)


def _deed(house: House, request: Request[Any, Any, Any], why: str) -> Deed:
    return Deed(by=request.auth.name, why=why, now=house.clock())


def _plain(value: Struct) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json")
