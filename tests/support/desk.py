"""Keys for the API, and a conversation that waits for a person."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from support.bridge import Bridge

from config.clock import utc_now
from gateway import access
from gateway.access import Scope
from gateway.house import House

NewKey = Callable[..., Awaitable[str]]
Visit = Callable[..., Awaitable[httpx.AsyncClient]]

MEI = {"id": "mei", "name": "Mei Lin"}
OTTO = {"id": "otto", "name": "Otto"}


async def key_of(house: House, *scopes: Scope, name: str = "tests") -> str:
    """A new API key."""
    async with house.engine.begin() as connection:
        _, token = await access.create_key(connection, name=name, scopes=list(scopes), clock=utc_now)
    return token


async def open_api(bridge: Any, *scopes: Scope) -> httpx.AsyncClient:
    """Its API, with a key of these scopes, or one that opens all of it."""
    http: httpx.AsyncClient = bridge.http
    http.headers["Authorization"] = f"Bearer {await key_of(bridge.house, *(scopes or (Scope.ADMIN,)))}"
    return http


@pytest.fixture
def new_key(bridge: Bridge) -> NewKey:
    """Makes API keys."""
    return partial(key_of, bridge.house)


@pytest.fixture
async def api(bridge: Bridge) -> httpx.AsyncClient:
    """The bridge's API, with a key that opens all of it."""
    return await open_api(bridge)


async def hand_over(
    bridge: Bridge, customer: str = "cus_1", text: str = "I want a person", **about: Any
) -> Any:
    """A customer asks for a person; the hand-off's row."""
    said = bridge.helpdesk.customer_says(customer, text, **{"name": "Ann"} | about)
    await bridge.settled()
    (row,) = await bridge.rows(
        "SELECT h.ref, h.conversation_ref, v.id AS conversation_id FROM hand_off h"
        " JOIN conversation v ON v.ref = h.conversation_ref WHERE v.id = :id AND h.state = 'offered'",
        id=said.conversation_id,
    )
    return row


async def act(api: httpx.AsyncClient, ref: int, action: str, **body: Any) -> httpx.Response:
    """Do something at the desk, as Mei unless told otherwise."""
    headers = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
    return await api.post(f"/v1/desk/hand-offs/{ref}/{action}", json={"agent": MEI} | body, headers=headers)
