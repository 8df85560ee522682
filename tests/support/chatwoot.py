"""The bridge with a Chatwoot on its other side: a real HTTP server whose every request is judged."""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.bridge import QUICK, Bridge, free_port, housed
from support.chatwoot_description import amend
from support.chatwoot_webhooks import SECRETS, Courier, payload
from support.fake_chatwoot import AGENTS, API, OUTGOING, FakeChatwoot, Raw, Thread, contact
from vendors.door import Door

from config.settings import Settings

if TYPE_CHECKING:
    from adapters.testing.judge import Judge


@dataclass(frozen=True)
class Setup:
    """How an account is set up, and how old the installation is."""

    account: int = 3
    number: int = 2207
    hooks: tuple[str, ...] = ("account", "bot")
    bot: bool = True
    keeps_mark: bool = True
    signs: bool = True


class ChatwootAccount(FakeChatwoot):
    """An account served over HTTP (`door`): customers and agents act in it, webhooks tell of it."""

    def __init__(self, setup: Setup, hook: str) -> None:
        super().__init__(
            account=setup.account, number=setup.number, keeps_mark=setup.keeps_mark, active_bot=setup.bot
        )
        self.clock = time.time
        self.courier = Courier(hook, setup.hooks, signs=setup.signs)
        self.door = Door(self)
        self._numbers = itertools.count(self.thread.number + 1)

    def tell(
        self, event: str, thread: Thread, message: Raw | None = None, changed: Raw | None = None
    ) -> None:
        """Send webhooks to those who subscribed."""
        self.courier.pack(event, payload(self, event, thread, message, changed))

    def open_thread(self, name: str = "陳雅婷", **about: Any) -> Thread:
        """A new customer opens the chat."""
        number = next(self._numbers)
        person = contact(
            number + 10_000, name, identifier=f"shop-{number}", email=f"c{number}@example.com", **about
        )
        now = self.clock()
        thread = Thread(number, person, self.first_status, waiting_since=int(now), updated_at=now)
        self.threads[number] = thread
        self.people[person["id"]] = person
        self.tell("contact_created", thread)
        self.tell("conversation_created", thread)
        return thread

    def customer_says(self, text: str, thread: Thread | None = None) -> Thread:
        """A customer writes, a new one unless said otherwise."""
        thread = thread or self.open_thread()
        self.post(thread, text, sender=thread.contact, message_type="incoming")
        return thread

    def agent_says(self, thread: Thread, text: str, agent: int = 6, *, private: bool = False) -> Raw:
        """An agent writes in Chatwoot's own screen."""
        return self.post(thread, text, sender=AGENTS[agent], private=private)

    def assign_to(self, thread: Thread, agent: int) -> None:
        """An agent takes a conversation."""
        self.assign(thread, AGENTS[agent])

    async def drain(self) -> None:
        """Wait until all webhooks are delivered."""
        await self.courier.drain()


@dataclass
class ChatwootBridge(Bridge):
    """A running bridge with a Chatwoot account on its other side."""

    helpdesk: ChatwootAccount  # type: ignore[assignment]
    judge: "Judge | None"

    def said(self, thread: Thread) -> list[Raw]:
        """What the customer was told, in order."""
        return [m for m in thread.messages if m["message_type"] == OUTGOING and not m["private"]]

    def noted(self, thread: Thread) -> list[Raw]:
        """The private notes of a conversation."""
        return [message for message in thread.messages if message["private"]]

    async def offered(self) -> Any:
        """The hand-off that waits at the desk."""
        (row,) = await self.rows("SELECT * FROM hand_off WHERE state = 'offered'")
        return row

    async def lease(self, thread: Thread) -> tuple[str, int]:
        """Who may speak, and since which epoch."""
        return await self.lease_of(str(thread.number))

    async def post(self, body: bytes, headers: Raw) -> int:
        """Deliver a webhook by hand; how it was answered."""
        return (await self.http.post("/hooks/shop", content=body, headers=headers)).status_code

    async def bodies(self) -> list[bytes]:
        """The webhooks that were accepted."""
        found = await self.rows(
            "SELECT p.body FROM payload p JOIN inbox i ON i.ref = p.inbox_ref WHERE i.connection = 'shop'"
        )
        return [row.body for row in found]

    async def causes(self, thread: Thread) -> list[str]:
        """Why the lease moved, in order."""
        found = await self.rows(
            "SELECT l.cause FROM lease_change l JOIN conversation v ON v.ref = l.conversation_ref"
            " WHERE v.id = :id ORDER BY l.epoch",
            id=str(thread.number),
        )
        return [row.cause for row in found]


@pytest.fixture
def chatwoot_setup() -> Setup:
    """The account's set-up; a test that wants another says so."""
    return Setup()


@pytest.fixture
async def chatwoot_bridge(
    knowledge_url: str,
    tmp_path: Path,
    overrides: dict[str, Any],
    chatwoot_setup: Setup,
    specs: Path | None,
) -> AsyncIterator[ChatwootBridge]:
    """A bridge between a Chatwoot account and the house; no request may break the description."""
    vendor_port, url = free_port(), f"http://127.0.0.1:{free_port()}"
    helpdesk = ChatwootAccount(chatwoot_setup, f"{url}/hooks/shop")
    judge = _judge(specs / "chatwoot" / "swagger-4.13.0.json", helpdesk) if specs else None
    helpdesk.door.vendor = judge or helpdesk
    shop = {"adapter": "chatwoot", "settings": _settings(chatwoot_setup, vendor_port)}
    connections = {"connections": {"shop": shop, **overrides.get("connections", {})}}
    settings = Settings(
        database_url=knowledge_url, data_dir=tmp_path, public_url=url, **QUICK | overrides | connections
    )
    async with housed(settings, (helpdesk.door, vendor_port)) as parts, helpdesk.courier:
        there = f"http://127.0.0.1:{vendor_port}"
        yield ChatwootBridge(helpdesk=helpdesk, helpdesk_url=there, judge=judge, **parts)
    assert judge is None or judge.faults == []


def _judge(description: Path, responder: httpx.AsyncBaseTransport) -> "Judge":
    from adapters.testing.judge import Judge  # noqa: PLC0415 - slow to import; only these tests pay for it

    return Judge(description, responder, amend=amend)


def _settings(setup: Setup, port: int) -> Raw:
    given: Raw = {
        "base_url": f"http://127.0.0.1:{port}",
        "account_id": setup.account,
        "token": "user-token",
        "api_channel": "live",
        "inbox_id": API,
    }
    if setup.bot:
        given["bot_token"] = "bot-token"
    if setup.signs:
        given["webhook_secret"] = [SECRETS[hook] for hook in setup.hooks]
    return given
