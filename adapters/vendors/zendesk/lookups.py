"""Looking things up in Zendesk: comments from the latest back, users by any of their addresses."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.contract import Adapter
from adapters.model import (
    CustomerRecord,
    FindMessage,
    GetMessage,
    Identity,
    IdentityKind,
    MessageRecord,
    OpenConversation,
    Raw,
)
from adapters.speech import look_back
from adapters.vendors.zendesk import mapping
from adapters.vendors.zendesk.events import FIRST_COMMENT
from adapters.vendors.zendesk.mapping import Account

_SEARCHED_PAGES = 3
_MOST_PAGES = 50  # a ticket holds 5000 comments at most
_CANDIDATES = 3


def comments(ticket: str, *, after: str | None = None, size: int = 100, newest: bool) -> tuple[str, Raw]:
    """Path and parameters of one page of a ticket's comments, with their authors."""
    params: Raw = {"page[size]": size, "include": "users", "sort": "-created_at" if newest else "created_at"}
    if after:
        params["page[after]"] = after
    return f"/api/v2/tickets/{ticket}/comments", params


async def _look(vendor: Adapter, ticket: str, **wanted: Any) -> Any:
    path, params = comments(ticket, **wanted)
    return await vendor.look(path, params=params)


def read(answer: Any, account: Account) -> list[MessageRecord]:
    """The messages on a page."""
    users = mapping.by_id(answer.get("users"))
    return [mapping.message(raw, users, account) for raw in answer["comments"]]


async def find_message(vendor: Adapter, account: Account, query: FindMessage) -> MessageRecord | None:
    """Our comment, looked for from the latest back to `query.since`, at most three hundred comments."""
    pages = _from_the_latest(vendor, account, query.conversation_id, most=_SEARCHED_PAGES)
    return await look_back(pages, query)


async def get_message(vendor: Adapter, account: Account, query: GetMessage) -> MessageRecord | None:
    """A comment by its id, or the ticket's first one: Zendesk can only list them. Ids grow."""
    if query.message_id == FIRST_COMMENT:
        answer = await _look(vendor, query.conversation_id, size=1, newest=False)
        return next(iter(read(answer, account)), None) if answer else None
    if not query.message_id.isdecimal():
        return None
    async for messages in _from_the_latest(vendor, account, query.conversation_id, most=_MOST_PAGES):
        for message in messages:
            if int(message.id) <= int(query.message_id):
                return message if message.id == query.message_id else None
    return None


async def _from_the_latest(
    vendor: Adapter, account: Account, ticket: str, *, most: int
) -> AsyncIterator[list[MessageRecord]]:
    after: str | None = None
    for _ in range(most):
        answer = await _look(vendor, ticket, after=after, newest=True)
        if not answer:
            return
        yield read(answer, account)
        after = _next(answer)
        if after is None:
            return


def _next(answer: Any) -> str | None:
    meta = answer.get("meta") or {}
    return meta.get("after_cursor") if meta.get("has_more") else None


async def find_customer(vendor: Adapter, identity: Identity) -> CustomerRecord | None:
    """The end user with exactly this address, one of their secondary ones included."""
    if identity.kind is IdentityKind.VENDOR:
        if not identity.value.isdecimal():
            return None
        answer = await vendor.look(f"/api/v2/users/{identity.value}")
        candidates = [answer["user"]] if answer else []
    else:
        answer = await vendor.look("/api/v2/users/search", params=_search(identity))
        candidates = answer["users"] if answer else []
    for raw in [each for each in candidates if mapping.is_customer(each)][:_CANDIDATES]:
        record = await _whole(vendor, raw)
        if _has(record, identity):
            return record
    return None


async def requester(vendor: Adapter, command: OpenConversation) -> int:
    """The user that a ticket is opened for: one who is known by a proven address, else a new one.

    What is only stated picks nobody: whoever types another's address would write in their name, and the
    answers would go there.
    """
    proven = [each for each in command.identities if each.verified]
    for identity in (*_of_kind(command.identities, IdentityKind.VENDOR), *proven):
        found = await find_customer(vendor, identity)
        if found is not None:
            return int(found.id)
    stated = {each.kind: each.value for each in reversed(proven)}
    user: Raw = {"name": command.customer_name or "?", "role": "end-user", "skip_verify_email": True}
    user["external_id"] = stated.get(IdentityKind.EXTERNAL) or f"{mapping.MARK}:{command.key}"
    names = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "phone"}
    user |= {names[kind]: value for kind, value in stated.items() if kind in names}
    # Not a plain creation: after an unknown outcome the same user is found again by their external id.
    answer = await vendor.call("POST", "/api/v2/users/create_or_update", json={"user": user})
    return int(answer["user"]["id"])


async def _whole(vendor: Adapter, raw: Raw) -> CustomerRecord:
    """A user with all addresses, and which of them are proven."""
    answer = await vendor.look(f"/api/v2/users/{raw['id']}/identities")
    return mapping.customer(raw, answer.get("identities") if answer else None)


def _search(identity: Identity) -> Raw:
    value = identity.value.replace('"', "")
    if identity.kind is IdentityKind.EXTERNAL:
        return {"external_id": value}
    return {"query": f'{identity.kind.value}:"{value}"'}


def _has(record: CustomerRecord, identity: Identity) -> bool:
    wanted = (identity.kind, identity.value.casefold())
    return wanted in {(each.kind, each.value.casefold()) for each in record.identities}


def _of_kind(identities: Sequence[Identity], kind: IdentityKind) -> list[Identity]:
    return [each for each in identities if each.kind is kind]
