"""One page of a vendor's list, by its description."""

from typing import Any, assert_never

import cel
import httpx
from msgspec import UNSET

from adapters.declared import description as declared
from adapters.declared import paging
from adapters.declared.expressions import ABSENT, facts
from adapters.declared.paging import Walk
from adapters.declared.reading import Reader, text_of
from adapters.declared.requests import Caller, answered
from adapters.model import (
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    MessagePosted,
    Page,
    PullKind,
)
from adapters.times import EPOCH

Pulled = CustomerChanged | ConversationChanged | MessagePosted


async def pull(
    kind: PullKind,
    listing: declared.Listing,
    walk: Walk,
    *,
    scope: str,
    caller: Caller,
    reader: Reader,
    base_url: str,
) -> Page:
    """The page that a walk has come to, oldest first. Raises as requests and records do."""
    asked = walk.asked(listing)
    if listing.next.by == "link" and walk.mark is not None:
        response = await caller.follow(walk.mark)
    else:
        response = await caller.send(listing, caller.facts(page=asked, conversation_id=scope))
    known = {**answered(response, page=asked), "settings": reader.settings}
    told = facts(**known)
    items = listing.items.value(told)
    raws = items if isinstance(items, list) else []
    before = await _head(listing, walk, asked=asked, scope=scope, caller=caller, reader=reader)
    changes = [
        _pulled(kind, listing, raw, scope=scope, reader=reader, known=known) for raw in [*before, *raws]
    ]
    times = [None if change.occurred_at == EPOCH else change.occurred_at for change in changes]
    mark = _mark(listing, told, response, base_url)
    is_over = items is ABSENT or (listing.last is not None and listing.last.holds(told))
    leads_nowhere = mark is None and listing.next.by in {"cursor", "link", "nothing"}
    onward, last = walk.step(listing, times[len(before) :], mark=mark, over=is_over or leads_nowhere)
    total = listing.total.value(told) if listing.total is not None else None
    return Page(
        changes=tuple(changes[index] for index in paging.new_ones(walk, listing, times)),
        cursor=onward.cursor(),
        last=last,
        total=total if isinstance(total, int) else None,
    )


async def _head(
    listing: declared.Listing,
    walk: Walk,
    *,
    asked: dict[str, Any],
    scope: str,
    caller: Caller,
    reader: Reader,
) -> list[Any]:
    """What comes before the first page."""
    if listing.head is None or walk.page:
        return []
    response = await caller.send(listing.head, caller.facts(page=asked, conversation_id=scope))
    found = listing.head.items.value(facts(**answered(response, page=asked), settings=reader.settings))
    return found if isinstance(found, list) else []


def _mark(
    listing: declared.Listing, told: cel.Context, response: httpx.Response, base_url: str
) -> str | None:
    """Where the next page is, as the vendor says."""
    match listing.next.by:
        case "link":
            return paging.following(response, base_url)
        case "cursor":
            assert listing.next.cursor is not None
            return text_of(listing.next.cursor.value(told)) or None
        case _:
            return None


def _pulled(
    kind: PullKind,
    listing: declared.Listing,
    raw: Any,
    *,
    scope: str,
    reader: Reader,
    known: dict[str, Any],
) -> Pulled:
    match kind:
        case PullKind.MESSAGES:
            message = reader.message(raw, sent_at=EPOCH)
            return MessagePosted(
                message=message, conversation=ConversationRecord(id=scope), occurred_at=message.sent_at
            )
        case PullKind.CONVERSATIONS:
            conversation = reader.conversation(raw)
            return ConversationChanged(
                conversation=conversation,
                customer=_customer(listing, raw, reader=reader, known=known),
                occurred_at=EPOCH if conversation.updated_at is UNSET else conversation.updated_at,
            )
        case PullKind.CUSTOMERS:
            customer = reader.customer(raw)
            return CustomerChanged(
                customer=customer, occurred_at=EPOCH if customer.updated_at is UNSET else customer.updated_at
            )
        case _:
            assert_never(kind)


def _customer(
    listing: declared.Listing, raw: Any, *, reader: Reader, known: dict[str, Any]
) -> CustomerRecord | None:
    if listing.customer is None:
        return None
    item = facts(it=raw, answer=known["answer"], settings=reader.settings)
    found = listing.customer.value(item)
    return reader.customer(found) if isinstance(found, dict) else None
