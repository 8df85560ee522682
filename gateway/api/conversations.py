"""Conversations and their timelines: what the bridge knows, to read."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from adapters.model import Channel, Status
from gateway import timeline
from gateway.access import Scope
from gateway.api.auth import require
from gateway.api.etag import tagged
from gateway.api.paging import Cursor, Limit, decode, following
from gateway.api.problems import documented
from gateway.house import House
from gateway.timeline import Entry
from sync.lease import Holder
from sync.store import desk, reading
from sync.store.reading import Wanted
from sync.views import Conversation, Customer, HandOff, Overlap

LIST = "/v1/conversations"
LARGEST_REF = 2**63 - 1
RefPath = Annotated[int, PathParameter(ge=1, le=LARGEST_REF, description="Our ref of it.")]


class ConversationPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[Conversation]
    next: str | None


class OverlapPage(Struct, frozen=True, kw_only=True):
    """One page; `next` is the path of the one after it, `null` on the last."""

    items: list[Overlap]
    next: str | None


class FullConversation(Struct, frozen=True, kw_only=True):
    """A conversation with its customer and its hand-offs, the open one last."""

    conversation: Conversation
    customer: Customer | None
    hand_offs: list[HandOff]


class Timeline(Struct, frozen=True, kw_only=True):
    """Everything that happened in a conversation, in order."""

    conversation_ref: int
    entries: list[Entry]


@get(
    LIST,
    guards=[require(Scope.READ)],
    operation_id="listConversations",
    summary="List conversations",
    description="Newest first, in an order that never changes: following `next` meets each once.",
    tags=["Conversations"],
    responses=documented(400),
)
async def list_conversations(
    *,
    house: NamedDependency[House],
    status: Annotated[Status | None, QueryParameter(description="Only in this status.")] = None,
    channel: Annotated[Channel | None, QueryParameter(description="Only on this channel.")] = None,
    connection: Annotated[str | None, QueryParameter(description="Only at this connection.")] = None,
    lease: Annotated[Holder | None, QueryParameter(description="Only where they may speak now.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ConversationPage:
    """One page of conversations."""
    wanted = Wanted(status=status, channel=channel, connection=connection, lease=lease)
    async with house.engine.connect() as database:
        found = await reading.newest(database, wanted, before=decode(cursor), most=limit + 1)
    query = {"status": status, "channel": channel, "connection": connection, "lease": lease}
    position = found[limit - 1].ref if len(found) > limit else None
    link = following(path=LIST, query=query, limit=limit, position=position)
    return ConversationPage(items=found[:limit], next=link)


@get(
    "/v1/conversations/{ref:int}",
    guards=[require(Scope.READ)],
    operation_id="getConversation",
    summary="One conversation",
    description="With its customer, its lease and its hand-offs. Sends an `ETag`.",
    tags=["Conversations"],
    responses={200: ResponseSpec(FullConversation, description="The conversation"), **documented(400, 404)},
)
async def get_conversation(
    ref: RefPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """One conversation."""
    async with house.engine.connect() as database:
        found = await _conversation(database, ref)
        customer = await reading.customer(database, found.customer_ref) if found.customer_ref else None
        hand_offs = await desk.hand_offs_of(database, ref)
    return tagged(request, FullConversation(conversation=found, customer=customer, hand_offs=hand_offs))


@get(
    "/v1/conversations/{ref:int}/timeline",
    guards=[require(Scope.READ)],
    operation_id="getTimeline",
    summary="A conversation's timeline",
    description=(
        "Messages, turns with verdict, signals, evidence and citations, decisions with rule, revision and"
        " inputs, lease changes with their causes, commands with every attempt, and hand-offs: one list."
    ),
    tags=["Conversations"],
    responses={200: ResponseSpec(Timeline, description="The timeline"), **documented(400, 404)},
)
async def get_timeline(
    ref: RefPath, house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """A conversation's whole story."""
    async with house.engine.connect() as database:
        await _conversation(database, ref)
        entries = await timeline.tell(database, ref)
    return tagged(request, Timeline(conversation_ref=ref, entries=entries))


@get(
    "/v1/overlaps",
    guards=[require(Scope.READ)],
    operation_id="listOverlaps",
    summary="When a person and the AI spoke at once",
    description=(
        "Latest first. No helpdesk's API can exclude that a person speaks in the very moment in which a reply"
        " is being sent; it is found out afterwards and listed here."
    ),
    tags=["Conversations"],
    responses=documented(400),
)
async def list_overlaps(
    house: NamedDependency[House], cursor: Cursor = None, limit: Limit = 50
) -> OverlapPage:
    """One page of overlaps."""
    async with house.engine.connect() as database:
        found = await reading.overlaps(database, before=decode(cursor), most=limit + 1)
    position = found[limit - 1].ref if len(found) > limit else None
    link = following(path="/v1/overlaps", query={}, limit=limit, position=position)
    return OverlapPage(items=found[:limit], next=link)


async def _conversation(database: Any, ref: int) -> Conversation:
    found = await reading.conversation(database, ref)
    if found is None:
        raise NotFoundException(detail=f"there is no conversation {ref}")
    return found
