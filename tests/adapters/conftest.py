"""Fixtures of the adapters' tests: a served reference helpdesk, a hook that listens, an adapter between."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from serving import Listener, served

from adapters import registry
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.server import MemoryHelpdesk


@pytest.fixture(scope="session")
async def listener_server() -> AsyncIterator[Listener]:
    """One listener for the whole run."""
    listener = Listener()
    async with served(listener) as address:
        listener.address = address
        yield listener


@pytest.fixture
def listener(listener_server: Listener) -> Listener:
    """The listener, with nothing heard yet."""
    listener_server.start_over()
    return listener_server


@pytest.fixture
async def helpdesk(listener: Listener) -> AsyncIterator[MemoryHelpdesk]:
    """A reference helpdesk that sends its webhooks to the listener."""
    helpdesk = MemoryHelpdesk()
    helpdesk.subscribe(listener.url, "memory-webhook-secret", attempts=3, backoff=0.01)
    yield helpdesk
    await helpdesk.aclose()


@pytest.fixture
async def address(helpdesk: MemoryHelpdesk) -> AsyncIterator[str]:
    """Where the reference helpdesk is served."""
    async with served(helpdesk) as address:
        yield address


@pytest.fixture
async def memory(address: str) -> AsyncIterator[Memory]:
    """The adapter, connected to the reference helpdesk over HTTP."""
    adapter = registry.build(
        "memory",
        {"base_url": address, "token": "memory-token", "webhook_secret": "memory-webhook-secret"},
    )
    assert isinstance(adapter, Memory)
    yield adapter
    await adapter.aclose()


@pytest.fixture
def now() -> datetime:
    """The time now."""
    return datetime.now(UTC)
