"""What live Zendesk accounts answered (recorded by others) is read, undescribed nulls and all."""

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from vendors.zendesk import SETTINGS

from adapters import registry
from adapters.contract import Adapter
from adapters.model import (
    Channel,
    ConversationChanged,
    CustomerRecord,
    FindCustomer,
    Identity,
    IdentityKind,
    Note,
    PullKind,
    Status,
)
from gateway.limits.headers import read

NOW = datetime(2026, 11, 14, tzinfo=UTC)


class Exchange(NamedTuple):
    """One recorded request and its answer."""

    what: str
    status: int
    headers: dict[str, str]
    answer: Any


@pytest.fixture
def recorded(reference: Path) -> list[Exchange]:
    """All recorded exchanges."""
    paths = sorted((reference / "recorded" / "zendesk").glob("Test*.json"))
    return [exchange for path in paths for exchange in _exchanges(json.loads(path.read_text("utf-8")))]


def _exchanges(cassette: dict[str, Any]) -> Iterator[Exchange]:
    for each in cassette["http_interactions"]:
        asked, told = each["request"], each["response"]
        body = told["body"]
        raw = base64.b64decode(body["base64_string"]) if "base64_string" in body else body["string"].encode()
        content = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
        headers = {name.lower(): values[0] for name, values in told["headers"].items()}
        answer = json.loads(content) if content.startswith(b"{") else None
        yield Exchange(f"{asked['method']} {asked['uri']}", told["status"]["code"], headers, answer)


def answering(answer: Any, status: int = 200) -> Adapter:
    """The adapter before a vendor that answers this."""
    vendor = httpx.MockTransport(lambda _: httpx.Response(status, json=answer))
    return registry.build("zendesk", {"base_url": "https://acme.zendesk.com", **SETTINGS}, transport=vendor)


def _all(recorded: list[Exchange], kind: str) -> list[Any]:
    """Every answer that holds this, in success."""
    return [each.answer for each in recorded if each.status < 300 and kind in (each.answer or {})]


async def test_tickets_are_read(recorded: list[Exchange]) -> None:
    """Also those without assignee, group, type and priority, which the description calls impossible."""
    tickets = [ticket for answer in _all(recorded, "tickets") for ticket in answer["tickets"]]
    tickets += [answer["ticket"] for answer in _all(recorded, "ticket")]
    assert len(tickets) > 20
    page = await answering({"tickets": tickets, "end_of_stream": True}).pull(PullKind.CONVERSATIONS, None)
    read = [change.conversation for change in page.changes if isinstance(change, ConversationChanged)]
    assert len(read) == len(tickets)
    assert {each.status for each in read} <= {Status.PENDING, Status.OPEN, Status.SNOOZED, Status.RESOLVED}
    assert {each.channel for each in read} == {Channel.OTHER}
    sample = next(each for each in read if each.id == "1")
    assert sample.tags == ("sample", "support", "zendesk")
    assert sample.updated_at == datetime(2024, 2, 7, 0, 11, 18, tzinfo=UTC)


async def test_the_comments_id_is_found_in_the_audit(recorded: list[Exchange]) -> None:
    """It is an event among others, and has an id of its own."""
    answers = [each for each in _all(recorded, "audit") if "ticket" in each]
    commented = [
        (answer, event["id"])
        for answer in answers
        for event in answer["audit"]["events"]
        if event["type"] == "Comment"
    ]
    assert commented
    for answer, number in commented:
        pushed = await answering(answer).push(Note(key="k", conversation_id="1", text="test"))
        assert pushed.id == str(number)
        assert pushed.at is not None


async def test_users_are_read(recorded: list[Exchange]) -> None:
    """With hardly anything filled in."""
    users = [answer["user"] for answer in _all(recorded, "user")]
    end_users = [each for each in users if each["role"] == "end-user"]
    assert end_users
    for each in end_users:
        query = FindCustomer(identity=Identity(IdentityKind.VENDOR, str(each["id"])))
        found = await answering({"user": each, "identities": None}).find(query)
        assert isinstance(found, CustomerRecord)
        assert (found.name, found.language, found.attributes) == (each["name"], "en-US", {})


def test_what_the_headers_tell_of_the_limits(recorded: list[Exchange]) -> None:
    """The manifest names the right ones: the account's, and the packed one of the list of tickets."""
    account, _, lists = answering({}).manifest.limits
    told = [read(each.headers, account.headers, NOW) for each in recorded]
    assert {each.limit for each in told} == {700}
    assert all(each.remaining is not None for each in told)
    assert any(each.reset for each in told)
    packed = [read(each.headers, lists.headers, NOW) for each in recorded if "tickets.json" in each.what]
    assert any((each.limit, each.remaining) == (100, 95) for each in packed)
