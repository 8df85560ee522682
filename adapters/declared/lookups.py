"""Looking things up by their description."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, Expression, facts
from adapters.declared.reading import Reader
from adapters.declared.requests import Caller, answered
from adapters.errors import Rejected
from adapters.model import (
    CustomerRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    FindOpened,
    Found,
    GetMessage,
    IdentityKind,
    MessageRecord,
    Query,
)
from adapters.speech import resembles

_BIT = timedelta(seconds=1)
"""Vendors count in seconds."""


def described(find: declared.Find, query: Query) -> declared.Lookup | declared.Search | None:
    """How a query is described, if it is."""
    match query:
        case FindMessage():
            return find.message
        case GetMessage():
            return find.get_message
        case FindConversation():
            return find.conversation
        case FindOpened():
            return find.opened
        case FindCustomer():
            kind: Any = query.identity.kind.value
            return find.customer.get(kind)
        case _:
            return None


async def look_up(
    how: declared.Lookup | declared.Search, query: Query, caller: Caller, reader: Reader
) -> Found:
    """What is asked for; `None` if it isn't there."""
    if isinstance(how, declared.Search):
        assert isinstance(query, FindMessage)
        return await _find_message(how, query, caller, reader)
    raw = await _ask(how, how.found, query, caller, reader)
    if raw is None:
        return None
    match query:
        case GetMessage():
            return reader.message(raw)
        case FindCustomer():
            return _exactly(reader.customer(raw), query)
        case _:
            return reader.conversation(raw)


async def _find_message(
    how: declared.Search, query: FindMessage, caller: Caller, reader: Reader
) -> MessageRecord | None:
    """Our message: by its token, else the latest that says the same since we sent it."""
    listed = await _ask(how, how.items, query, caller, reader)
    messages = [reader.message(raw) for raw in listed] if isinstance(listed, list) else []
    recent = sorted(
        (each for each in messages if each.sent_at >= query.since.replace(microsecond=0) - _BIT),
        key=lambda each: each.sent_at,
        reverse=True,
    )
    ours = (each for each in recent if each.token == query.token)
    return next(ours, None) or next((each for each in recent if resembles(each, query)), None)


def _exactly(customer: CustomerRecord, query: FindCustomer) -> CustomerRecord | None:
    """The customer, if it bears the address that was asked for: searches find parts of words, too."""
    kind, wanted = query.identity.kind, query.identity.value.casefold()
    if kind is IdentityKind.VENDOR:
        return customer
    borne = {each.value.casefold() for each in customer.identities if each.kind is kind}
    return customer if wanted in borne else None


async def _ask(
    how: declared.Request, wanted: Expression, query: Query, caller: Caller, reader: Reader
) -> Any:
    """What an expression finds in the answer; `None` where there is none, or nothing at that address."""
    asked = msgspec.to_builtins(query)
    try:
        response: httpx.Response = await caller.send(how, caller.facts(query=asked))
    except Rejected as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return None
        raise
    found = wanted.value(facts(**answered(response, query=asked), settings=reader.settings))
    return None if found is ABSENT else found
