"""Two helpdesks, mirrored through one gateway: for tests of what is kept equal between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text
from support.bridge import QUICK, SECRET, eventually, free_port, helpdesk_for, housed, memory_at

from adapters.manifest import Capability
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.records import Conversation, Customer
from adapters.vendors.memory.server import MemoryHelpdesk
from config.settings import Settings
from gateway import links
from gateway.house import House

SIDES = ("crm", "shop")
FIELDS: dict[str, Any] = {
    "name": {"owner": "crm"},
    "attributes.city": {"merge": "newest"},
    "attributes.labels": {"merge": "union"},
    "attributes.stage": {"merge": "lattice", "order": ["lead", "trial", "paying"]},
    "attributes.notes": {"merge": "append"},
    "attributes.tier": {"owner": "crm", "direction": "out"},
    "attributes.vip": {"merge": "ask"},
}
CASE_FIELDS: dict[str, Any] = {
    "tags": {"merge": "union"},
    "status": {"merge": "lattice", "order": ["pending", "open", "snoozed", "resolved"]},
    "subject": {"owner": "crm"},
    "attributes.order": {"merge": "newest"},
    "attributes.flags": {"merge": "union"},
    "attributes.level": {"merge": "lattice", "order": ["low", "high"]},
}


@dataclass
class Mirrored:
    """Two helpdesks called `crm` and `shop`, and the house between them."""

    sides: dict[str, MemoryHelpdesk]
    house: House
    http: httpx.AsyncClient
    cases: dict[tuple[str, int], Conversation] = field(default_factory=dict)
    """The linked conversations, by side and number."""

    async def linked(self, number: int = 1, **details: Any) -> tuple[str, str]:
        """A customer known at both sides, and to us as one person; their ids there."""
        ids = (f"crm-{number}", f"shop-{number}")
        proof = {"email": f"mei{number}@example.com", "verified": ["email"]}
        for side, customer in zip(SIDES, ids, strict=True):
            self.sides[side].state.welcome(customer, **{"name": "Mei", **proof, **details})
        await self.settled()
        return ids

    def customer(self, side: str, number: int = 1) -> Customer:
        """A linked customer as one side has them."""
        return self.sides[side].state.customer(f"{side}-{number}")

    def edit(self, side: str, number: int = 1, **attributes: Any) -> None:
        """A person at one side changes attributes; `None` takes one away."""
        customer = self.customer(side, number)
        merged = {**customer.attributes, **attributes}
        kept = {name: value for name, value in merged.items() if value is not None}
        self.sides[side].state.change_customer(customer, by="agent", attributes=kept)

    async def case(self, number: int = 1, **details: Any) -> tuple[int, int]:
        """A conversation at each side, linked as one case; our refs of them."""
        refs = await self.two_conversations(number, **details)
        async with self.house.engine.begin() as connection:
            await links.link(self.house, connection, *refs)
        await self.settled()
        return refs

    async def two_conversations(self, number: int = 1, **details: Any) -> tuple[int, int]:
        """A conversation at each side; our refs of them."""
        ids = []
        for side in SIDES:
            state = self.sides[side].state
            customer = state.welcome(f"{side}-{number}", name="Mei")
            opened = state.open(customer, channel="email")
            if details:
                state.change(opened, by="agent", **details)
            ids.append(opened.id)
            self.cases[side, number] = opened
        await self.settled()
        found = await self.rows("SELECT ref, connection, id FROM conversation")
        refs = {(row.connection, row.id): row.ref for row in found}
        crm, shop = (refs[place] for place in zip(SIDES, ids, strict=True))
        return crm, shop

    def move(self, side: str, status: str, number: int = 1) -> None:
        """A person at one side moves the status of a conversation."""
        self.sides[side].state.change(self.cases[side, number], by="agent", status=status)

    def tag(self, side: str, *tags: str, number: int = 1) -> None:
        """A person at one side gives a conversation these tags and no others."""
        self.sides[side].state.change(self.cases[side, number], by="agent", tags=list(tags))

    def note(self, side: str, number: int = 1, **attributes: Any) -> None:
        """A person at one side changes attributes of a conversation; `None` takes one away."""
        merged = {**self.cases[side, number].attributes, **attributes}
        kept = {name: value for name, value in merged.items() if value is not None}
        self.sides[side].state.change(self.cases[side, number], by="agent", attributes=kept)

    def call(self, side: str, subject: str, number: int = 1) -> None:
        """A person at one side changes the subject of a conversation."""
        self.sides[side].state.change(self.cases[side, number], by="agent", subject=subject)

    def says(self, name: str, number: int = 1) -> list[Any]:
        """What each side says of a field of the case."""
        cases = [self.cases[side, number] for side in SIDES]
        _, dot, attribute = name.partition("attributes.")
        found = [each.attributes.get(attribute) if dot else getattr(each, name) for each in cases]
        found = ["" if value is None and not dot else value for value in found]
        return [sorted(value) if isinstance(value, list) else value for value in found]

    def case_writes(self, side: str) -> int:
        """How many requests that change conversations a side has seen."""
        return sum(
            entry.method in {"PATCH", "POST"} and entry.path.startswith("/api/conversations/")
            for entry in self.sides[side].requests
        )

    def writes(self, side: str) -> int:
        """How many requests that change customers a side has seen."""
        return sum(entry.method == "PATCH" for entry in self.sides[side].requests)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """What the database holds."""
        async with self.house.engine.connect() as connection:
            return list((await connection.execute(text(query), values)).all())

    async def settled(self, within: float = 20.0) -> None:
        """Wait until nothing is under way: no webhook, no event, no command."""
        quiet = 0

        async def idle() -> bool:
            nonlocal quiet
            for helpdesk in self.sides.values():
                await helpdesk.drain()
            (row,) = await self.rows(
                "SELECT (SELECT count(*) FROM inbox WHERE state = 'pending')"
                " + (SELECT count(*) FROM command WHERE state IN ('waiting', 'in_flight')) AS n"
            )
            quiet = quiet + 1 if row.n == 0 else 0
            return quiet > 2

        await eventually(idle, what="nothing is under way", within=within)


@pytest.fixture(params=["conditional", "plain"])
def writing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Helpdesks that write conversations conditionally, as Zendesk does, and such that don't, as Chatwoot."""
    if request.param == "plain":
        kept = Memory.manifest.capabilities - {Capability.CONDITIONAL_CONVERSATION}
        monkeypatch.setattr(Memory, "manifest", msgspec.structs.replace(Memory.manifest, capabilities=kept))
    return str(request.param)


@asynccontextmanager
async def mirroring(
    database_url: str, directory: Path, *, ai: bool = False, worker_inside: bool = True, **more: Any
) -> AsyncIterator[Mirrored]:
    """Two helpdesks and a gateway, with its worker unless the test brings its own, over real HTTP."""
    url, ports = f"http://127.0.0.1:{free_port()}", {side: free_port() for side in SIDES}
    sides = {side: helpdesk_for(url, side) for side in SIDES}
    for side, helpdesk in sides.items():
        helpdesk.subscribe(f"{url}/hooks/{side}", SECRET, attempts=6, backoff=0.05)
    usual: dict[str, Any] = {
        "connections": {side: memory_at(port, ai=ai) for side, port in ports.items()},
        "fields": {"customer": FIELDS, "conversation": CASE_FIELDS},
        "delivery": QUICK["delivery"],
    }
    settings = Settings(database_url=database_url, data_dir=directory, public_url=url, **usual | more)
    served = [(sides[side], port) for side, port in ports.items()]
    async with housed(settings, *served, worker_inside=worker_inside) as parts:
        yield Mirrored(sides=sides, house=parts["house"], http=parts["http"])


@pytest.fixture
async def mirrored(database_url: str, tmp_path: Path) -> AsyncIterator[Mirrored]:
    """Two helpdesks, mirrored through one gateway."""
    async with mirroring(database_url, tmp_path) as found:
        yield found
        await asyncio.sleep(0)
