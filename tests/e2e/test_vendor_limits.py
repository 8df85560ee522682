"""Vendors' limits and failures, seen through the whole bridge."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from support.bridge import Bridge, eventually
from support.connected import ConnectedBridge

from adapters.vendors.memory.allowance import Allowance

QUESTION = "How long does delivery take?"


@pytest.fixture
def overrides(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings that a test wants otherwise; `limits` are those of the connection `shop`."""
    wanted: dict[str, Any] = dict(getattr(request, "param", {}))
    if limits := wanted.pop("limits", None):
        monkeypatch.setenv("DESKBRIDGE_CONNECTIONS__SHOP__LIMITS", json.dumps(limits))
    return wanted


async def answered(bridge: Bridge, conversations: list[str], *, within: float) -> None:
    """Wait until each has its answer."""

    def all_there() -> bool:
        return all(bridge.replies(each) for each in conversations)

    await eventually(all_there, what="all answers", within=within)


SHORT = {"all": {"requests": 100, "seconds": 1.5}, "updates": {"requests": 5, "seconds": 1.5}}


@pytest.mark.parametrize("overrides", [{"limits": SHORT}], indirect=True)
async def test_commands_beyond_a_limit_wait_and_use_up_no_attempt(bridge: Bridge) -> None:
    """Twelve answers where five fit at a time: no 429, each sent at its first attempt."""
    bridge.helpdesk.allow(Allowance(requests=5, seconds=1.5, updates_only=True))
    said = [bridge.helpdesk.customer_says(f"cus_{n}", QUESTION).conversation_id for n in range(12)]
    await answered(bridge, said, within=20)
    await bridge.settled()
    assert [each for each in bridge.helpdesk.requests if each.status == 429] == []
    rows = await bridge.rows("SELECT max(attempts) AS most, count(*) AS n FROM command WHERE kind = 'reply'")
    assert (rows[0].most, rows[0].n) == (1, 12)
    assert (await bridge.rows("SELECT count(*) AS n FROM attempt WHERE outcome = 'held'"))[0].n == 0


async def test_a_refusal_closes_the_limit_and_is_no_ones_fault_after(bridge: Bridge) -> None:
    """Other programs use the account, too: one 429 tells all senders how long to wait."""
    bridge.helpdesk.misbehave("rate_limit", method="POST", path="/messages", times=1, retry_after=1.0)
    said = [bridge.helpdesk.customer_says(f"cus_{n}", QUESTION).conversation_id for n in range(8)]
    started = time.monotonic()
    await answered(bridge, said, within=15)
    refusals = [each for each in bridge.helpdesk.requests if each.status == 429]
    assert len(refusals) == 1
    later = [each.at for each in bridge.helpdesk.requests if each.status == 200 and each.method == "POST"]
    quiet = [(at - refusals[0].at).total_seconds() for at in later if at > refusals[0].at]
    in_flight = [gap for gap in quiet if gap < 0.95]
    assert len(in_flight) < 8
    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize(
    "overrides", [{"delivery": {"concurrency": 8, "per_connection": 4, "first_retry": 0.05}}], indirect=True
)
async def test_a_vendor_that_hangs_holds_up_nobody_else(connected: ConnectedBridge) -> None:
    """It gets its share of the slots; replies at the other connection stay fast."""
    connected.crm.misbehave("time_out_before", method="POST", path="/messages", times=None, seconds=3)
    for n in range(20):
        connected.crm.customer_says(f"crm_{n}", QUESTION)
    await eventually(
        lambda: sum(each.method == "POST" for each in connected.crm.requests) >= 4, what="the vendor hangs"
    )
    for n in range(5):
        said = connected.helpdesk.customer_says(f"cus_{n}", QUESTION)
        await answered(connected, [said.conversation_id], within=2)
    assert sum(each.method == "POST" for each in connected.crm.requests) <= 8
    connected.crm.behave()


@pytest.mark.parametrize(
    "overrides", [{"breaker": {"failures": 3, "pause": 4}, "delivery": {"first_retry": 0.01}}], indirect=True
)
async def test_a_vendor_that_fails_is_left_alone_and_found_again(bridge: Bridge) -> None:
    """Its commands wait, unclaimed; once it is back, all are delivered, none parked or doubled."""
    bridge.helpdesk.misbehave("error", method="POST", path="/messages", times=None)
    said = [bridge.helpdesk.customer_says(f"cus_{n}", QUESTION).conversation_id for n in range(10)]
    posts = lambda: [r for r in bridge.helpdesk.requests if r.method == "POST"]  # noqa: E731
    await eventually(lambda: len(posts()) >= 3, what="the breaker opens")
    opened = datetime.now(UTC)
    await asyncio.sleep(0.8)
    assert sum(each.at > opened for each in posts()) <= 12, "those that were under way, no more"
    shown = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_breaker_open{connection="shop"} 1.0' in shown
    bridge.helpdesk.behave()
    await answered(bridge, said, within=20)
    await bridge.settled()
    assert all(len(bridge.replies(each)) == 1 for each in said)
    assert await bridge.rows("SELECT 1 FROM command WHERE state = 'parked'") == []


async def test_the_limits_of_every_account_are_in_the_metrics(bridge: Bridge) -> None:
    """How large, how much is left, when it will be empty."""
    bridge.helpdesk.allow(Allowance(requests=50, seconds=60))
    said = bridge.helpdesk.customer_says("cus_1", QUESTION)
    await answered(bridge, [said.conversation_id], within=10)
    shown = (await bridge.http.get("/metrics")).text
    assert 'deskbridge_budget_limit{account="shop",limit="all"} 50.0' in shown
    assert 'deskbridge_budget_remaining{account="shop",limit="all"}' in shown
    assert 'deskbridge_budget_empty_at_seconds{account="shop",limit="updates"} 0.0' in shown
