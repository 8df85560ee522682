"""Reading messages and users: lists go backwards from the latest, a hundred messages at a time."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from msgspec import UNSET

from adapters.contract import Adapter
from adapters.model import (
    ConversationRecord,
    CustomerRecord,
    FindMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Page,
    Raw,
)
from adapters.times import EPOCH
from adapters.vendors.sunshine import mapping

Call = Callable[..., Awaitable[Any]]
_BACK = "back:"
_PAGES = 5


async def pull_messages(call: Call, path: str, conversation_id: str, cursor: str | None) -> Page:
    """One page, oldest first.

    The vendor has no first page, only a latest one. So a long conversation is first walked back to its
    beginning, by pages that hold nothing, and then forward; a short one is a single page.
    """
    back = cursor is None or cursor.startswith(_BACK)
    place = (cursor or "").removeprefix(_BACK)
    params = {f"page[{'before' if back else 'after'}]": place} if place else None
    answer = await call("GET", f"{path}/messages", params=params) or {}
    messages = _in_order(answer)
    more = bool((answer.get("meta") or {}).get("hasMore")) and bool(messages)
    if back and more:
        return Page(changes=(), cursor=f"{_BACK}{messages[0].id}", last=False)
    return Page(
        changes=tuple(_posted(each, conversation_id) for each in messages),
        cursor=messages[-1].id if messages else cursor,
        last=cursor is None if back else not more,
    )


def _posted(message: MessageRecord, conversation_id: str) -> MessagePosted:
    writer = mapping.author_of(message.raw)
    thread = ConversationRecord(id=conversation_id, customer_id=writer.id if writer else UNSET)
    return MessagePosted(message=message, conversation=thread, occurred_at=message.sent_at)


async def find_message(call: Call, path: str, query: FindMessage) -> MessageRecord | None:
    """Our message, looked for from the latest back to `query.since`; of several parts, once all are there."""
    since = query.since - timedelta(seconds=1)
    params: dict[str, str] | None = None
    for _ in range(_PAGES):
        answer = await call("GET", f"{path}/messages", params=params) or {}
        ours = [raw for raw in answer.get("messages") or () if mapping.part_of(raw, query.token)]
        for raw in ours:
            if mapping.is_last_part(raw):
                return mapping.message(raw, otherwise=EPOCH)
        messages = _in_order(answer)
        if not messages or messages[0].sent_at < since or not (answer.get("meta") or {}).get("hasMore"):
            break
        params = {"page[before]": messages[0].id}
    return None


async def find_customer(vendor: Adapter, path: str, identity: Identity) -> CustomerRecord | None:
    """The user with this id, external id or e-mail. One path takes both ids, so the answer is compared."""
    if identity.kind is IdentityKind.EMAIL:
        answer = await vendor.look(f"{path}/users", params={"filter[identities.email]": identity.value})
        users = (answer or {}).get("users") or ()
        wanted = (IdentityKind.EMAIL, identity.value.casefold())
    else:
        answer = await vendor.look(f"{path}/users/{quote(identity.value, safe='')}")
        users = [(answer or {}).get("user")]
        wanted = (identity.kind, identity.value.casefold())
    records = [mapping.customer(raw) for raw in users if raw and raw.get("id")]
    return next((each for each in records if wanted in _addresses(each)), None)


def _addresses(record: CustomerRecord) -> set[tuple[IdentityKind, str]]:
    return {(each.kind, each.value.casefold()) for each in record.identities}


def _in_order(answer: Raw) -> list[MessageRecord]:
    messages = [mapping.message(raw, otherwise=EPOCH) for raw in answer.get("messages") or ()]
    return sorted(messages, key=lambda each: each.sent_at)


async def switchboard_integrations(call: Call, path: str) -> list[tuple[str, ...]]:
    """All the names that each of the switchboard's integrations goes by."""
    boards = ((await call("GET", f"{path}/switchboards")) or {}).get("switchboards") or ()
    found: list[tuple[str, ...]] = []
    for board in boards:
        answer = await call("GET", f"{path}/switchboards/{board['id']}/switchboardIntegrations") or {}
        for each in answer.get("switchboardIntegrations") or ():
            names = (each.get(name) for name in ("name", "id", "integrationId", "integrationType"))
            found.append(tuple(str(name) for name in names if name))
    return found
