"""Looking things up in Chatwoot: by our mark where it is kept, by content where it is not."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from adapters.contract import Adapter
from adapters.model import (
    CustomerRecord,
    FindMessage,
    Identity,
    IdentityKind,
    MessageRecord,
    Raw,
)
from adapters.speech import look_back
from adapters.vendors.chatwoot import mapping

Call = Callable[..., Awaitable[Any]]

_PAGES = 5
_SEARCHED = {
    IdentityKind.EMAIL: "email",
    IdentityKind.PHONE: "phone_number",
    IdentityKind.EXTERNAL: "identifier",
}


async def find_message(call: Call, path: str, query: FindMessage) -> MessageRecord | None:
    """Our message, looked for from the latest back to `query.since`, at most a hundred messages."""
    return await look_back(_from_the_latest(call, path), query)


async def _from_the_latest(call: Call, path: str) -> AsyncIterator[list[MessageRecord]]:
    params: dict[str, str] | None = None
    for _ in range(_PAGES):
        messages = [mapping.message(raw) for raw in (await call("GET", path, params=params))["payload"]]
        yield messages
        if messages:
            params = {"before": messages[0].id}


async def find_customer(vendor: Adapter, path: str, identity: Identity) -> CustomerRecord | None:
    """The contact with exactly this address: Chatwoot's own search finds parts of words, too."""
    if identity.kind is IdentityKind.VENDOR:
        answer = await vendor.look(f"{path}/{identity.value}")
        return mapping.customer(answer["payload"]) if answer else None
    found = await search_contact(vendor.call, path, identity)
    return mapping.customer(found) if found else None


async def search_contact(call: Call, path: str, identity: Identity) -> Raw | None:
    """The same, as Chatwoot shows it."""
    field = _SEARCHED[identity.kind]
    answer = await call("GET", f"{path}/search", params={"q": identity.value})
    wanted = identity.value.casefold()
    found: Iterator[Raw] = iter(answer["payload"])
    return next((raw for raw in found if (raw.get(field) or "").casefold() == wanted), None)


async def get_message(vendor: Adapter, path: str, message_id: str) -> MessageRecord | None:
    """The message with this id: the first of those after the one before it."""
    if not message_id.isdecimal():
        return None
    answer = await vendor.look(path, params={"after": int(message_id) - 1})
    found = (answer or {}).get("payload") or ()
    return next((mapping.message(raw) for raw in found if str(raw["id"]) == message_id), None)
