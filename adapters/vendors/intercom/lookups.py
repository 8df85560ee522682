"""Walking and looking things up: searches by the time of their last change, parts with their conversation.

No order is documented for searches of conversations, so a walk asks for all that has changed since the one
before it, page by page, and remembers the latest time that it has met for the next.
"""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Self
from urllib.parse import quote

import httpx
import msgspec

from adapters.contract import Adapter
from adapters.errors import Rejected
from adapters.model import (
    Change,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    Found,
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
from adapters.vendors.intercom import mapping
from adapters.vendors.intercom.mapping import Account

PAGE_SIZE = 150
_DAY = 86_400
_CANONICAL = re.compile(r'</contacts/([^>/]+)>;\s*rel="canonical"')
_FIELDS = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "phone", IdentityKind.EXTERNAL: "external_id"}


class Merged(Rejected):
    """The contact was merged into another."""

    def __init__(self, into: str) -> None:
        super().__init__("the contact was merged into another", status=HTTPStatus.GONE)
        self.into = into


class Walk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a walk has come: what changed after `since`, from the page `after`; `newest` was met."""

    since: int = 0
    after: str | None = None
    newest: int = 0

    @classmethod
    def at(cls, cursor: str | None) -> Self:
        """The walk that a cursor stands for."""
        return msgspec.json.decode(cursor, type=cls) if cursor else cls()

    def step(self, items: Sequence[Raw], after: str | None) -> tuple[list[Raw], str, bool]:
        """What is new on this page, oldest first; the cursor from here on; whether it is over."""
        new = sorted((each for each in items if _seconds(each) >= self.since), key=_seconds)
        newest = max([self.newest, *map(_seconds, new)])
        is_over = not after or after == self.after
        further = Walk(since=max(self.since, newest)) if is_over else Walk(self.since, after, newest)
        return new, msgspec.json.encode(further).decode(), is_over


async def pull(
    vendor: Adapter, account: Account, kind: PullKind, cursor: str | None, scope: str | None
) -> Page:
    """One page: of a conversation's messages all that are new, of the rest a page of a search."""
    if kind is PullKind.MESSAGES:
        return await _messages(vendor, account, scope or "", cursor)
    walk, is_contacts = Walk.at(cursor), kind is PullKind.CUSTOMERS
    what, items = ("contacts", "data") if is_contacts else ("conversations", "conversations")
    answer = await vendor.call("POST", f"/{what}/search", json=_search(walk, by_day=is_contacts))
    pages = answer.get("pages") or {}
    after = (pages.get("next") or {}).get("starting_after")
    found = [each for each in answer.get(items) or () if each]
    new, further, is_over = walk.step(found, after)
    changes: list[Change] = [
        _contact(each, account) if is_contacts else _thread(each, account) for each in new
    ]
    return Page(changes=tuple(changes), cursor=further, last=is_over, total=answer.get("total_count"))


Known = FindConversation | FindCustomer | GetMessage | FindMessage


async def find(vendor: Adapter, account: Account, query: Known) -> Found:
    """What a query asks for."""
    if isinstance(query, FindCustomer):
        return await _find_customer(vendor, account, query.identity)
    path, params = plain(query.conversation_id)
    raw = await vendor.look(path, params=params)
    if not raw:
        return None
    if isinstance(query, FindConversation):
        return mapping.conversation(raw, account)
    said = mapping.messages(raw, account)
    if isinstance(query, GetMessage):
        return next((each for each in said if each.id == query.message_id), None)
    return await _ours(said, query)


async def _ours(said: Sequence[MessageRecord], query: FindMessage) -> MessageRecord | None:
    """Our message, from the latest back to `query.since`: Intercom keeps no token."""

    async def all_at_once() -> AsyncIterator[Sequence[MessageRecord]]:
        yield said[::-1]

    return await look_back(all_at_once(), query)


async def _find_customer(vendor: Adapter, account: Account, identity: Identity) -> CustomerRecord | None:
    """The contact with exactly this address; users before leads. Of a merged one, what it became."""
    if identity.kind is IdentityKind.VENDOR:
        raw = await _by_id(vendor, identity.value)
        return mapping.customer(raw, account) if raw else None
    asked = {"query": {"field": _FIELDS[identity.kind], "operator": "=", "value": identity.value}}
    answer = await vendor.call("POST", "/contacts/search", json=asked)
    found = sorted((answer or {}).get("data") or (), key=lambda each: each.get("role") != "user")
    return next((mapping.customer(each, account) for each in found), None)


async def _by_id(vendor: Adapter, number: str) -> Raw | None:
    """A contact. One that was merged is answered with 410, which names the one that it is now."""
    try:
        raw: Raw = await vendor.call("GET", f"/contacts/{quote(number, safe='')}")
    except Merged as error:
        found: Raw | None = await vendor.look(f"/contacts/{error.into}")
        return found
    except Rejected as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return None
        raise
    return raw


def merged(response: httpx.Response) -> Merged | None:
    """What 410 says of a contact that was merged."""
    found = _CANONICAL.search(response.headers.get("link", ""))
    return Merged(found[1]) if response.status_code == HTTPStatus.GONE and found else None


def plain(thread: str) -> tuple[str, Raw]:
    """Path and parameters of a conversation with its latest 500 parts, in plain text."""
    return f"/conversations/{thread}", {"display_as": "plaintext"}


async def _messages(vendor: Adapter, account: Account, thread: str, cursor: str | None) -> Page:
    """All of a conversation's messages come at once; those after the cursor are new."""
    path, params = plain(thread)
    raw = await vendor.call("GET", path, params=params)
    seen = msgspec.json.decode(cursor, type=tuple[int, int, str]) if cursor else (-1, 0, "")
    new = [each for each in mapping.messages(raw, account) if mapping.position(each) > seen]
    conversation = ConversationRecord(id=thread)
    changes = tuple(
        MessagePosted(message=each, conversation=conversation, occurred_at=each.sent_at) for each in new
    )
    last = msgspec.json.encode(mapping.position(new[-1])).decode() if new else cursor
    return Page(changes=changes, cursor=last, last=True)


def _search(walk: Walk, *, by_day: bool) -> Raw:
    """Contacts are found by whole days only: what comes from the day before is passed over."""
    since = max(0, walk.since - (2 * _DAY if by_day else 1))
    asked: Raw = {
        "query": {"field": "updated_at", "operator": ">", "value": since},
        "pagination": {"per_page": PAGE_SIZE},
    }
    if walk.after:
        asked["pagination"]["starting_after"] = walk.after
    if by_day:
        asked["sort"] = {"field": "updated_at", "order": "ascending"}
    return asked


def _thread(raw: Raw, account: Account) -> ConversationChanged:
    conversation, customer = mapping.conversation(raw, account), mapping.customer_of(raw, account)
    return ConversationChanged(conversation=conversation, customer=customer, occurred_at=_at(raw))


def _contact(raw: Raw, account: Account) -> CustomerChanged:
    return CustomerChanged(customer=mapping.customer(raw, account), occurred_at=_at(raw))


def _at(raw: Raw) -> datetime:
    return moment(raw.get("updated_at")) or EPOCH


def _seconds(raw: Raw) -> int:
    return int(_at(raw).timestamp())
