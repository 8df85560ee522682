"""Fetching what there is, a page at a time: a conversation's messages by id, the rest by last activity."""

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

from adapters.model import (
    Change,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    MessagePosted,
    Page,
    PullKind,
    Raw,
)
from adapters.vendors.chatwoot import mapping
from adapters.vendors.chatwoot.paging import Walk

Call = Callable[..., Awaitable[Any]]

_MESSAGES_PER_PAGE = 100


async def pull(
    call: Call,
    path: str,
    kind: PullKind,
    cursor: str | None,
    *,
    scope: str | None,
    read: Callable[[Raw], ConversationRecord],
) -> Page:
    """One page after the cursor; `read` makes a conversation's record."""
    match kind:
        case PullKind.MESSAGES:
            return await _messages(call, path, scope or "", cursor)
        case PullKind.CONVERSATIONS:
            walk = Walk.at(cursor)
            query = {"status": "all", "assignee_type": "all", "page": walk.page}
            answer = await call("GET", f"{path}/conversations", params=query)
            items, walk, last = walk.step(answer["data"]["payload"])
            total = (answer["data"].get("meta") or {}).get("all_count")
            changes: list[Change] = [_conversation(raw, read) for raw in items]
        case PullKind.CUSTOMERS:
            walk = Walk.at(cursor)
            query = {"sort": "-last_activity_at", "page": walk.page}
            answer = await call("GET", f"{path}/contacts", params=query)
            items, walk, last = walk.step(answer["payload"])
            total = (answer.get("meta") or {}).get("count")
            changes = [
                CustomerChanged(customer=mapping.customer(raw), occurred_at=mapping.seen_at(raw))
                for raw in items
            ]
        case _:
            assert_never(kind)
    return Page(changes=tuple(changes), cursor=walk.cursor(), last=last, total=total)


async def _messages(call: Call, path: str, conversation_id: str, cursor: str | None) -> Page:
    answer = await call(
        "GET", f"{path}/conversations/{conversation_id}/messages", params={"after": cursor or "0"}
    )
    messages = [mapping.message(raw) for raw in answer["payload"]]
    conversation = ConversationRecord(id=conversation_id)
    return Page(
        changes=tuple(
            MessagePosted(message=message, conversation=conversation, occurred_at=message.sent_at)
            for message in messages
        ),
        cursor=messages[-1].id if messages else cursor,
        last=len(messages) < _MESSAGES_PER_PAGE,
    )


def _conversation(raw: Raw, read: Callable[[Raw], ConversationRecord]) -> ConversationChanged:
    return ConversationChanged(
        conversation=read(raw), customer=mapping.customer_of(raw), occurred_at=mapping.seen_at(raw)
    )
