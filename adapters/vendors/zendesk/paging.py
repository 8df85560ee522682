"""Walking Zendesk: exports by their cursor, lists by theirs; one page at a time."""

from typing import Any, assert_never

from adapters.contract import Adapter
from adapters.model import (
    Change,
    ConversationChanged,
    ConversationDeleted,
    ConversationRecord,
    CustomerChanged,
    MessagePosted,
    Page,
    PullKind,
    Raw,
)
from adapters.vendors.zendesk import lookups, mapping
from adapters.vendors.zendesk.mapping import Account

_SINCE_EVER = 0


async def pull(
    vendor: Adapter, account: Account, kind: PullKind, cursor: str | None, scope: str | None
) -> Page:
    """One page: of a ticket's comments in their order, of the rest as it was last touched."""
    match kind:
        case PullKind.MESSAGES:
            return await _comments(vendor, account, scope or "", cursor)
        case PullKind.CONVERSATIONS:
            answer = await _export(vendor, "tickets", cursor)
            return _page(answer, cursor, [_ticket(raw, account) for raw in _ordered(answer["tickets"])])
        case PullKind.CUSTOMERS:
            answer = await _export(vendor, "users", cursor)
            users = filter(mapping.is_customer, _ordered(answer["users"]))
            return _page(answer, cursor, [_user(raw) for raw in users])
        case _:
            assert_never(kind)


async def _export(vendor: Adapter, what: str, cursor: str | None) -> Any:
    """The page of an export after `cursor`.

    The first names a time, which must be a minute old at least; every other only the cursor, as the vendor's
    own `after_url` does.
    """
    params: Raw = {"cursor": cursor} if cursor else {"start_time": _SINCE_EVER}
    return await vendor.call("GET", f"/api/v2/incremental/{what}/cursor", params=params)


def _page(answer: Any, cursor: str | None, changes: list[Change]) -> Page:
    """The cursor at the end of an export is where the next walk begins."""
    after = answer.get("after_cursor")
    last = bool(answer.get("end_of_stream")) or not after or after == cursor
    return Page(changes=tuple(changes), cursor=after or cursor, last=last)


async def _comments(vendor: Adapter, account: Account, ticket: str, cursor: str | None) -> Page:
    """An empty page bears no cursor: the one that led there is kept."""
    path, params = lookups.comments(ticket, after=cursor, newest=False)
    answer = await vendor.call("GET", path, params=params)
    conversation = ConversationRecord(id=ticket)
    posted = tuple(
        MessagePosted(message=message, conversation=conversation, occurred_at=message.sent_at)
        for message in lookups.read(answer, account)
    )
    meta = answer.get("meta") or {}
    after = meta.get("after_cursor") or cursor
    return Page(changes=posted, cursor=after, last=not meta.get("has_more") or after == cursor)


def _ordered(exported: list[Raw] | None) -> list[Raw]:
    return sorted(exported or (), key=mapping.seen_at)


def _ticket(raw: Raw, account: Account) -> ConversationChanged | ConversationDeleted:
    if mapping.is_deleted(raw):
        return ConversationDeleted(conversation_id=str(raw["id"]), occurred_at=mapping.seen_at(raw))
    conversation = mapping.conversation(raw, account)
    return ConversationChanged(conversation=conversation, occurred_at=mapping.seen_at(raw))


def _user(raw: Raw) -> CustomerChanged:
    return CustomerChanged(customer=mapping.customer(raw), occurred_at=mapping.seen_at(raw))
