"""What a hook answers to others than events: handshakes, strangers, and faults of our own."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import httpx
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from adapters import registry
from adapters.contract import Receipt, Webhook
from adapters.errors import BadSignature
from adapters.signatures import Signature
from adapters.vendors.memory.adapter import Memory
from adapters.webhook import HookReply
from config.clock import utc_now
from gateway.hooks import Hooks
from gateway.metrics import Metrics

SETTINGS = {"base_url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"}
EVENT = b'{"id": "e", "type": "unheard_of", "conversation": {"id": "c"}}'


class Picky(Memory):
    """A vendor that asks for a challenge to be echoed, and never sends again after a 5xx."""

    manifest = Memory.manifest
    signature: ClassVar[Signature | None] = None
    unavailable: ClassVar[int] = 429

    def greet(self, webhook: Webhook) -> HookReply:
        """Echo the challenge of whoever knows the word."""
        if webhook.query.get("word") != "open":
            raise BadSignature("that is not the word")
        return HookReply(status=200, body=webhook.query["challenge"].encode())


class Broken(Memory):
    """An adapter with a mistake in it."""

    manifest = Memory.manifest

    def verify(self, webhook: Webhook, *, now: Any) -> Receipt:
        """Trip over something."""
        raise KeyError(webhook.method, now)


@pytest.fixture
async def door() -> AsyncIterator[httpx.AsyncClient]:
    """Hooks before a database that is down."""
    engine = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    classes = {"plain": Memory, "picky": Picky, "broken": Broken}
    adapters = {name: registry.make(each, SETTINGS, connection=name) for name, each in classes.items()}
    hooks = Hooks(engine=engine, adapters=adapters, body_limit=4096, clock=utc_now, metrics=Metrics())
    transport = httpx.ASGITransport(app=hooks)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="https://d.example/hooks") as http:
        yield http
    await hooks.close()
    for adapter in adapters.values():
        await adapter.aclose()
    await engine.dispose()


async def test_a_challenge_is_echoed_without_the_database(door: httpx.AsyncClient) -> None:
    """Nothing is stored, so nothing needs to be there; strangers get nothing."""
    answer = await door.get("/picky", params={"word": "open", "challenge": "42"})
    assert (answer.status_code, answer.text) == (200, "42")
    assert (await door.get("/picky", params={"challenge": "42"})).status_code == 401


async def test_who_has_no_handshake_is_told_to_post(door: httpx.AsyncClient) -> None:
    """405, and how."""
    answer = await door.get("/plain")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_temporary_fault_is_answered_as_the_vendor_needs_it(door: httpx.AsyncClient) -> None:
    """So that it sends again; by default with 503."""
    assert (await door.post("/picky", content=EVENT)).status_code == 429


async def test_an_adapters_mistake_loses_no_event(door: httpx.AsyncClient) -> None:
    """It is ours, and passing: the vendor sends again, and is told when."""
    answer = await door.post("/broken", content=EVENT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
