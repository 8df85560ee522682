"""Walking and looking things up in HubSpot: everything by the time of its last change, oldest first."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.contract import Adapter
from adapters.model import (
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    FindMessage,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Page,
    PullKind,
    Raw,
)
from adapters.speech import look_back
from adapters.times import EPOCH, moment
from adapters.vendors.hubspot import mapping
from adapters.vendors.hubspot.mapping import Account

THREADS = "/conversations/v3/conversations/threads"
CONTACTS = "/crm/v3/objects/contacts"
_BEGINNING = "1970-01-01T00:00:00Z"
_PAGE, _SEARCH_END = 100, 9_900
"""A search ends at its ten thousandth result: before it, it begins anew where it has come to."""


class Walk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a walk has come: from `since`, by the page `after`; `newest` was met."""

    since: str = _BEGINNING
    after: str | None = None
    newest: str = _BEGINNING

    def cursor(self) -> str:
        """The walk as a cursor."""
        return msgspec.json.encode(self).decode()


def _at(cursor: str | None) -> Walk:
    return msgspec.json.decode(cursor, type=Walk) if cursor else Walk()


async def pull(
    vendor: Adapter, account: Account, kind: PullKind, cursor: str | None, scope: str | None
) -> Page:
    """One page."""
    walk = _at(cursor)
    match kind:
        case PullKind.MESSAGES:
            return await _messages(vendor, account, scope or "", walk)
        case PullKind.CONVERSATIONS:
            params = {"latestMessageTimestampAfter": walk.since, "sort": "latestMessageTimestamp"}
            answer = await vendor.call("GET", THREADS, params=_paged(params, walk))
            threads = _ordered(answer, "latestMessageTimestamp")
            told = tuple(
                ConversationChanged(conversation=mapping.conversation(raw, account), occurred_at=_time(at))
                for at, raw in threads
            )
            return _page(answer, walk, told, [at for at, _ in threads])
        case _:
            answer = await vendor.call("POST", f"{CONTACTS}/search", json=_search(walk, account))
            contacts = _ordered(answer, "updatedAt")
            found = tuple(
                CustomerChanged(customer=mapping.customer(raw, account), occurred_at=_time(at))
                for at, raw in contacts
            )
            return _page(answer, walk, found, [at for at, _ in contacts])


async def find_message(vendor: Adapter, account: Account, query: FindMessage) -> MessageRecord | None:
    """Our message, looked for among the latest: HubSpot keeps no token."""

    async def latest_first() -> AsyncIterator[Sequence[MessageRecord]]:
        answer = await latest(vendor, query.conversation_id)
        read = (mapping.message(each, account) for each in answer)
        yield sorted(filter(None, read), key=lambda each: each.sent_at, reverse=True)

    return await look_back(latest_first(), query)


async def latest(vendor: Adapter, thread: str) -> list[Raw]:
    """The latest hundred of a thread's messages, the latest first; none of a thread that isn't there."""
    params = {"limit": _PAGE, "sort": "-createdAt"}
    answer = await vendor.look(f"{THREADS}/{thread}/messages", params=params)
    return [each for each in (answer or {}).get("results") or () if each]


async def get_message(vendor: Adapter, account: Account, query: GetMessage) -> MessageRecord | None:
    """A message by its id, with its whole text."""
    path = f"{THREADS}/{query.conversation_id}/messages/{quote(query.message_id, safe='')}"
    raw = await vendor.look(path)
    if raw and mapping.is_cut(raw):
        raw |= await vendor.look(f"{path}/original-content") or {}
    return mapping.message(raw, account) if raw else None


async def find_customer(vendor: Adapter, account: Account, identity: Identity) -> CustomerRecord | None:
    """The contact with this id, e-mail address or phone number."""
    if identity.kind is IdentityKind.PHONE:
        asked = _search(Walk(), account, {"propertyName": "phone", "operator": "EQ", "value": identity.value})
        answer = await vendor.call("POST", f"{CONTACTS}/search", json=asked)
        return next((mapping.customer(each, account) for each in answer.get("results") or ()), None)
    params = {"properties": ",".join(_properties(account))}
    if identity.kind is IdentityKind.EMAIL:
        params["idProperty"] = "email"
    raw = await vendor.look(f"{CONTACTS}/{quote(identity.value, safe='')}", params=params)
    return mapping.customer(raw, account) if raw else None


def _properties(account: Account) -> list[str]:
    return [*mapping.STANDARD, *(each for each in account.properties if each not in mapping.STANDARD)]


def _search(walk: Walk, account: Account, wanted: Raw | None = None) -> Raw:
    since = str(int(_time(walk.since).timestamp() * 1000))
    changed = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": since}
    return {
        "filterGroups": [{"filters": [wanted or changed]}],
        "sorts": ["lastmodifieddate"],
        "properties": _properties(account),
        "limit": _PAGE,
        "after": walk.after or "0",
    }


async def _messages(vendor: Adapter, account: Account, thread: str, walk: Walk) -> Page:
    """The last page is asked for again by the next walk, which passes over what it has had."""
    params = _paged({"sort": "createdAt"}, walk)
    answer = await vendor.call("GET", f"{THREADS}/{thread}/messages", params=params)
    read = (mapping.message(raw, account) for _, raw in _ordered(answer, "createdAt"))
    new = [each for each in read if each and each.sent_at > _time(walk.newest)]
    conversation = ConversationRecord(id=thread)
    told = tuple(
        MessagePosted(message=each, conversation=conversation, occurred_at=each.sent_at) for each in new
    )
    after = _next(answer)
    newest = new[-1].sent_at.isoformat() if new else walk.newest
    further = Walk(after=after or walk.after, newest=newest)
    return Page(changes=told, cursor=further.cursor(), last=not after or after == walk.after)


def _page(answer: Any, walk: Walk, told: tuple[Any, ...], times: Sequence[str]) -> Page:
    newest = max([walk.newest, *times], key=_time)
    after = _next(answer)
    is_over = after is None or after == walk.after
    must_begin_anew = after is not None and after.isdecimal() and _SEARCH_END <= int(after) < _SEARCH_END * 2
    if is_over or (must_begin_anew and newest != walk.since):
        further = Walk(since=newest, newest=newest)
    else:
        further = Walk(since=walk.since, after=after, newest=newest)
    return Page(changes=told, cursor=further.cursor(), last=is_over, total=answer.get("total"))


def _next(answer: Any) -> str | None:
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return str(after) if after else None


def _paged(params: Raw, walk: Walk) -> Raw:
    return {"limit": _PAGE, **params, **({"after": walk.after} if walk.after else {})}


def _ordered(answer: Any, name: str) -> list[tuple[str, Raw]]:
    """What a page holds, with its times, oldest first."""
    found = [(str(each.get(name) or _BEGINNING), each) for each in answer.get("results") or () if each]
    return sorted(found, key=lambda pair: _time(pair[0]))


def _time(value: str) -> Any:
    return moment(value) or EPOCH
