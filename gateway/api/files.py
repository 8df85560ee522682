"""Files beside messages: those that came, to be saved; and those that people at the desk send."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.conversations import RefPath
from gateway.api.idempotency import IdempotencyKey, once
from gateway.api.problems import documented
from gateway.desk_actions import UnknownHandOffError
from gateway.files import opening, receiving
from gateway.house import House
from sync.store import desk, reading
from sync.views import DeskFile, Message

NumberPath = Annotated[int, PathParameter(ge=1, le=1000, description="Its place in the message, from 1.")]


class Messages(Struct, frozen=True, kw_only=True):
    """What was said in the conversation of a hand-off, in order."""

    hand_off_ref: int
    messages: list[Message]


@get(
    "/v1/messages/{ref:int}/attachments/{number:int}",
    guards=[require(Scope.READ, Scope.DESK)],
    operation_id="getAttachment",
    summary="A file beside a message",
    description=(
        "Fetched from the helpdesk while you wait, looked at, and handed on to be saved; none is kept here."
        " With the scope `desk` alone: of conversations that were handed to people."
    ),
    tags=["Conversations"],
    media_type="application/octet-stream",
    responses=documented(400, 404, 410, 413, 415, 502, 504),
)
async def get_attachment(
    ref: RefPath, number: NumberPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Stream:
    """Hand out one file."""
    async with house.engine.connect() as database:
        wanted = await opening.find(database, request.auth, ref, number)
    return opening.response(await opening.fetch(house, wanted))


@get(
    "/v1/desk/hand-offs/{ref:int}/messages",
    guards=[require(Scope.DESK)],
    operation_id="getHandOffMessages",
    summary="What was said in its conversation",
    description="Until now, with files: the package holds what was said until the hand-off.",
    tags=["Desk"],
    responses=documented(400, 404),
)
async def get_messages(ref: RefPath, house: NamedDependency[House]) -> Messages:
    """The messages that an agent at the desk reads."""
    async with house.engine.connect() as database:
        found = await desk.hand_off(database, ref)
        if found is None:
            raise UnknownHandOffError(f"there is no hand-off {ref}")
        said = await reading.messages_of(database, found.conversation_ref)
    return Messages(hand_off_ref=ref, messages=said)


@post(
    "/v1/desk/hand-offs/{ref:int}/files",
    guards=[require(Scope.DESK)],
    operation_id="layDownFile",
    summary="Lay down a file for a reply",
    description=(
        "The body is the file. Name its `ref` in the `files` of a reply within an hour; it is kept until that"
        " was sent. What is no reply's by then is forgotten."
    ),
    tags=["Desk"],
    status_code=200,
    # However large the settings allow it to be: what comes in is counted, and lies on the disk.
    request_max_body_size=None,
    responses={
        200: ResponseSpec(DeskFile, description="The file as it will be sent"),
        **documented(400, 404, 409, 413, 415, 422),
    },
)
async def lay_down(
    ref: RefPath,
    name: Annotated[str, QueryParameter(min_length=1, max_length=500, description="What it is called.")],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Take a file in."""
    async with house.engine.connect() as database:
        await receiving.check_place(house, database, ref)
    declared = request.headers.get("content-type", "")
    received = await receiving.receive(house, request.stream(), name=name, declared=declared)

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await receiving.keep(house, connection, ref, received))

    with received.upload.file:
        told = b"\0".join([name.encode(), declared.encode(), received.digest()])
        return await once(house, request, idempotency_key, work, content=told)
