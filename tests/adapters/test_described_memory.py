"""The reference helpdesk, described in YAML, against its adapter in Python: both must say and do the same."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import structs

from adapters import registry
from adapters.contract import Adapter
from adapters.declared.adapter import described
from adapters.model import (
    Assign,
    Author,
    Change,
    ChangeTags,
    Command,
    FindConversation,
    FindCustomer,
    FindMessage,
    Identity,
    IdentityKind,
    Note,
    Person,
    PullKind,
    Reply,
    SetStatus,
    Status,
    UpdateCustomer,
)
from adapters.testing import AdapterSuite
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.memory.server import MemoryHelpdesk

Described = described(Path(__file__).with_name("described") / "memory.yaml")
FIXTURES = Memory.home() / "fixtures"
WEBHOOKS = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))}
SECRETS = {"token": "memory-token", "webhook_secret": "memory-webhook-secret"}


class TestDescribedMemory(AdapterSuite):
    """It passes the kit on the fixtures of the adapter in Python."""

    adapter: ClassVar[type[Adapter]] = Described
    folder: ClassVar[Path | None] = FIXTURES


@pytest.fixture
async def pair(address: str) -> AsyncIterator[tuple[Adapter, Adapter]]:
    """Both before the same helpdesk."""
    settings = {"base_url": address, **SECRETS}
    made = [registry.make(each, settings, connection="shop") for each in (Memory, Described)]
    yield made[0], made[1]
    for adapter in made:
        await adapter.aclose()


@pytest.mark.parametrize("name", WEBHOOKS)
async def test_every_webhook_means_the_same(name: str, pair: tuple[Adapter, Adapter]) -> None:
    """Record for record, field for field."""
    python, yaml = (list(adapter.parse(WEBHOOKS[name])) for adapter in pair)
    assert yaml == python


async def walked(adapter: Adapter, kind: PullKind, scope: str) -> list[Change]:
    """Everything in a list."""
    cursor, found = None, []
    while True:
        page = await adapter.pull(kind, cursor, scope=scope)
        found += page.changes
        if page.last:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("kind", PullKind)
async def test_every_list_is_the_same(
    kind: PullKind, helpdesk: MemoryHelpdesk, pair: tuple[Adapter, Adapter]
) -> None:
    """More than a page of each."""
    for number in range(60):
        helpdesk.customer_says(f"cus_{number}", "hello", name=f"Ann {number}", email=f"a{number}@example.com")
    for _ in range(60):
        said = helpdesk.customer_says("cus_1", "and again")
    python, yaml = [await walked(adapter, kind, said.conversation_id) for adapter in pair]
    assert yaml == python
    assert len(yaml) >= 60
    await helpdesk.drain()


def commands(conversation_id: str) -> list[Command]:
    """Commands of every kind that both know."""
    at: dict[str, Any] = {"conversation_id": conversation_id}
    return [
        Reply(key="k1", text="Hello 你好", author=Author.AI, **at),
        Reply(key="k2", text="I am here", author=Author.AGENT, person=Person("agent_1", "Lin"), **at),
        Note(key="k3", text="VIP", **at),
        Assign(key="k4", assignee_id="agent_1", **at),
        Assign(key="k5", **at),
        ChangeTags(key="k6", add=("a", "b"), **at),
        ChangeTags(key="k7", remove=("a",), **at),
        SetStatus(key="k8", status=Status.RESOLVED, **at),
        UpdateCustomer(key="k9", customer_id="cus_1", attributes={"tier": "gold", "gone": None}),
        UpdateCustomer(key="k10", customer_id="cus_1", name="Ann"),
    ]


async def test_every_command_does_the_same(helpdesk: MemoryHelpdesk, pair: tuple[Adapter, Adapter]) -> None:
    """Each in a conversation of its own; then both look alike, and what was said is found."""
    left = []
    for adapter in pair:
        customer = f"cus_{len(left) + 1}"
        number = helpdesk.customer_says(customer, "hello", name="x").conversation_id
        for command in commands(number):
            changed = (
                structs.replace(command, customer_id=customer)
                if isinstance(command, UpdateCustomer)
                else command
            )
            await adapter.push(changed)
        said = [
            (m.author, m.text, m.private, m.token) for m in helpdesk.messages if m.conversation_id == number
        ]
        conversation = await adapter.find(FindConversation(conversation_id=number))
        found = await adapter.find(FindCustomer(identity=Identity(IdentityKind.VENDOR, customer)))
        query = FindMessage(
            conversation_id=number, token="k1", text="", private=False, since=helpdesk.messages[0].created_at
        )
        message = await adapter.find(query)
        left.append(
            (
                said,
                conversation.tags,
                conversation.status,
                conversation.assignee,
                found.name,
                found.attributes,
                message.text,
            )
        )  # type: ignore[union-attr]
    assert left[0] == left[1]
    assert left[1][1:] == (("b",), Status.RESOLVED, None, "Ann", {"tier": "gold"}, "Hello 你好")
    await helpdesk.drain()
