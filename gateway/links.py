"""Linking conversations at several connections, and undoing that: one transaction, their lanes locked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import casework
from gateway.keys import new_key
from sync import cases, fields
from sync.cases import RefusedLinkError, UnknownConversationError
from sync.fields import News
from sync.store import cases as store
from sync.store import inbox, threads, tickets
from sync.store.cases import LinkedConversation
from sync.store.customers import PeopleMovedError
from sync.store.inbox import lane_of

if TYPE_CHECKING:
    from gateway.house import House

log = structlog.get_logger()


class Case(Struct, frozen=True, kw_only=True):
    """The conversations that are one matter; empty for one that isn't linked."""

    conversations: list[LinkedConversation]


async def show(connection: AsyncConnection, ref: int) -> Case:
    """The case of a conversation. Raises UnknownConversationError."""
    await _known(connection, [ref])
    return Case(conversations=await store.linked(connection, ref))


async def link(house: "House", connection: AsyncConnection, ref: int, other: int) -> Case:
    """Make one case of two conversations and all that are linked with them; their fields are merged at once.

    Raises UnknownConversationError or RefusedLinkError.
    """
    if ref == other:
        raise RefusedLinkError(f"{ref} can't be linked with itself")
    await _lock(connection, [ref, other])
    await store.add(connection, [ref, other])
    try:
        held = await store.hold(connection, [ref, other])
    except PeopleMovedError as error:
        raise RefusedLinkError("one of them is being linked just now: try again") from error
    case, rules, now = held[ref], casework.rules_of(house.settings), house.clock()
    cases.link(case, held[other])
    refs = await threads.next_refs(connection)
    fields.hear(case, rules, News(at=now, now=now, new_ref=refs.next, asked=True))
    await casework.save_shared(connection, case, rules, new_key=new_key, now=now)
    return Case(conversations=await store.linked(connection, ref))


async def unlink(house: "House", connection: AsyncConnection, ref: int) -> Case:
    """Let a conversation go its own way; nothing that was written is taken back. What is left of its case.

    Raises UnknownConversationError or RefusedLinkError.
    """
    await _lock(connection, [ref])
    try:
        case = (await store.hold(connection, [ref])).get(ref)
    except PeopleMovedError as error:
        raise RefusedLinkError("its case is being changed just now: try again") from error
    if case is None:
        return Case(conversations=[])
    rest = case.kin
    gone = cases.unlink(case, at=house.clock())
    await store.save(connection, [case, *rest])
    await store.remove(connection, gone)
    left = rest[0].ref if rest else ref
    return Case(conversations=await store.linked(connection, left))


async def _lock(connection: AsyncConnection, refs: Iterable[int]) -> None:
    """Nothing is told of them until we are done; lanes are locked in order, so nobody waits in a ring."""
    found = await _known(connection, refs)
    for lane in sorted(lane_of(home, id_) for home, id_ in found.values()):
        await inbox.lock_lane(connection, lane)


async def _known(connection: AsyncConnection, refs: Iterable[int]) -> dict[int, tuple[str, str]]:
    wanted = list(refs)
    found = await store.addresses(connection, wanted)
    for ref in wanted:
        if ref not in found:
            raise UnknownConversationError(f"there is no conversation {ref}")
    return found


async def link_handed_over(house: "House") -> None:
    """Make one case of each conversation that was handed to a desk elsewhere, and what was opened for it.

    What an earlier hand-off had opened there leaves the case: it is done with, and must not be reopened.
    """
    async with house.engine.connect() as connection:
        found = await tickets.unlinked(connection, house.clock())
    for each in found:
        try:
            async with house.engine.begin() as connection:
                if each.instead_of is not None:
                    await _lock(connection, [each.instead_of, each.conversation, each.ticket])
                    await unlink(house, connection, each.instead_of)
                await link(house, connection, each.conversation, each.ticket)
        except RefusedLinkError as error:
            log.info("not_linked", conversation=each.conversation, other=each.ticket, why=str(error))
