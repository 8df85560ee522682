"""How backfills and polls stand, as any process tells Prometheus."""

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.bridge import Bridge
from support.pulling import puller, seed

from gateway.pulling import PullStoppedError
from gateway.reconciling import reconcile


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A breaker that stays out of the way: what is tested lies behind it."""
    return {"breaker": {"failures": 1000}}


async def told(bridge: Bridge) -> dict[tuple[str, ...], float]:
    """The series about pulling: name and labels without the connection, with their values."""
    async with httpx.AsyncClient(base_url=bridge.url, trust_env=False) as http:
        page = (await http.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if family.name.startswith(("deskbridge_pull_", "deskbridge_poll_")):
                assert sample.labels.pop("connection") == "shop"
                labels = [
                    sample.labels[name] for name in ("purpose", "kind", "state") if name in sample.labels
                ]
                found[family.name.removeprefix("deskbridge_"), *labels] = sample.value
    return found


async def test_a_backfill_tells_how_far_it_came(quiet: Bridge) -> None:
    """Another process may have run it: it is read from the database."""
    assert await told(quiet) == {}
    seed(quiet.helpdesk, 150)
    await puller(quiet).backfill()
    found = await told(quiet)
    assert found["pull_records", "backfill", "conversations"] == 150
    assert found["pull_records", "backfill", "messages"] == len(quiet.helpdesk.messages)
    assert found["pull_pages", "backfill", "conversations"] == 2
    assert found["pull_pages", "backfill", "messages"] == 150
    states = {state: found["pull_state", "backfill", state] for state in ("running", "done", "stopped")}
    assert states == {"running": 0, "done": 1, "stopped": 0}
    assert 0 <= found["pull_page_age_seconds", "backfill"] < 60
    assert ("poll_lag_seconds",) not in found
    await reconcile(puller(quiet))
    assert (await told(quiet))["pull_state", "reconcile", "done"] == 1


async def test_polls_that_fail_are_told_of_and_their_lag_grows(quiet: Bridge) -> None:
    """Until one comes to its end again."""
    seed(quiet.helpdesk, 5)
    await puller(quiet).poll()
    found = await told(quiet)
    assert (found["pull_state", "poll", "running"], found["pull_state", "poll", "stopped"]) == (1, 0)
    before = found["poll_lag_seconds",]
    assert 0 <= before < 60
    quiet.helpdesk.misbehave("error", times=None, method="GET", status=401)
    with pytest.raises(PullStoppedError):
        await puller(quiet).poll()
    found = await told(quiet)
    assert (found["pull_state", "poll", "running"], found["pull_state", "poll", "stopped"]) == (0, 1)
    assert found["poll_lag_seconds",] > before
    quiet.helpdesk.behave()
    behind = found["poll_lag_seconds",]
    await puller(quiet).poll()
    found = await told(quiet)
    assert (found["pull_state", "poll", "running"], found["pull_state", "poll", "stopped"]) == (1, 0)
    assert found["poll_lag_seconds",] < behind
    (run,) = await quiet.rows("SELECT reason FROM pull_run WHERE purpose = 'poll'")
    assert run.reason is None
