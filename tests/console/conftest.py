"""A visitor who is logged in at the console."""

from collections.abc import AsyncIterator

import httpx
import pytest
from support.bridge import Bridge
from support.desk import NewKey, Visit

from gateway.access import Scope


@pytest.fixture
async def visit(bridge: Bridge, new_key: NewKey) -> AsyncIterator[Visit]:
    """Logs somebody in; the client keeps their cookie."""
    clients: list[httpx.AsyncClient] = []

    async def log_in(*scopes: Scope, name: str = "Mei Lin") -> httpx.AsyncClient:
        client = httpx.AsyncClient(base_url=bridge.url, trust_env=False)
        clients.append(client)
        token = await new_key(*(scopes or (Scope.READ, Scope.DESK)))
        answer = await client.post("/console/login", data={"key": token, "name": name})
        assert answer.status_code == 303, answer.text
        return client

    yield log_in
    for client in clients:
        await client.aclose()
