"""Reconciling says what differed and why, heals it without acting, and finds what is gone."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.bridge import Bridge
from support.pulling import ASKED, held, puller, seed, stored

from gateway.pulling import PullStoppedError
from gateway.reconciling import reconcile
from sync.store import reconciling


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A breaker that stays out of the way: what is tested lies behind it."""
    return {"breaker": {"failures": 1000}}


async def differences(bridge: Bridge, run: int) -> dict[tuple[str, str], tuple[tuple[str, ...], str]]:
    """What a run found, by kind and id: why, and what became of it."""
    async with bridge.house.engine.connect() as database:
        found = await reconciling.list_differences(database, run, most=1000)
    return {(each.kind.value, each.id): (each.why, each.outcome) for each in found}


async def gone(bridge: Bridge) -> list[str]:
    """The conversations marked as gone."""
    rows = await bridge.rows("SELECT id FROM conversation WHERE deleted_at IS NOT NULL ORDER BY id")
    return [row.id for row in rows]


async def test_equal_sides_differ_in_nothing(quiet: Bridge) -> None:
    """After a backfill everything is compared, and nothing is accepted."""
    seed(quiet.helpdesk, 40)
    await puller(quiet).backfill()
    run = await reconcile(puller(quiet))
    assert await differences(quiet, run.ref) == {}
    assert {kind: counts.read for kind, counts in run.counts.items()} == {
        "customers": 26,
        "conversations": 40,
        "messages": len(quiet.helpdesk.messages),
    }
    assert [counts.accepted for counts in run.counts.values()] == [0, 0, 0]


async def test_what_differs_is_told_healed_and_never_acts(quiet: Bridge, api: httpx.AsyncClient) -> None:
    """Lost status, tags, name and messages: each is named, each is equal afterwards, nobody is answered."""
    helpdesk = quiet.helpdesk
    seed(helpdesk, 12)
    await puller(quiet).backfill()
    one, two, three = list(helpdesk.state.conversations.values())[7:10]
    helpdesk.set_status(one.id, "snoozed")
    helpdesk.change_tags(one.id, add=["lost"])
    helpdesk.customer_says(two.customer_id, ASKED, conversation_id=two.id)
    helpdesk.state.change_customer(helpdesk.state.customer(three.customer_id), by="agent", name="Ann Lee")
    run = await reconcile(puller(quiet))
    assert await differences(quiet, run.ref) == {
        ("conversations", one.id): (("status", "tags"), "healed"),
        ("messages", two.id): (("missing",), "healed"),
        ("customers", three.customer_id): (("name",), "healed"),
    }
    assert await stored(quiet) == held(helpdesk)
    for table in ("turn", "command", "decision"):
        assert await quiet.rows(f"SELECT 1 FROM {table}") == []
    told = (await api.get(f"/v1/reconciliations/{run.ref}")).json()
    assert told["outcomes"] == {"healed": 3}
    assert told["reconciliation"]["differed"] == 3
    (item,) = (await api.get("/v1/reconciliations")).json()["items"]
    assert item["compared"] == told["reconciliation"]["compared"] > 20
    assert (await api.get("/v1/reconciliations/999999")).status_code == 404


async def test_what_can_not_be_healed_says_why(quiet: Bridge) -> None:
    """A message that only we hold stays, and is told of."""
    seed(quiet.helpdesk, 4)
    await puller(quiet).backfill()
    async with quiet.house.engine.begin() as database:
        await database.execute(
            text("""
            INSERT INTO message (ref, conversation_ref, id, author, text, private, attachments, origin,
                sent_at, seen_at)
            SELECT 1, ref, 'msg_ours', 'customer', 'only here', false, '[]', 'live', now(), now()
            FROM conversation ORDER BY ref LIMIT 1
            """)
        )
    run = await reconcile(puller(quiet))
    ((_, told),) = (await differences(quiet, run.ref)).items()
    assert told == (("1 only here",), "unhealed")


async def test_what_the_helpdesk_deleted_is_marked_and_stays(quiet: Bridge) -> None:
    """Found by a whole pass, and confirmed by asking for it by name."""
    helpdesk = quiet.helpdesk
    seed(helpdesk, 9)
    await puller(quiet).backfill()
    first, second, *_ = helpdesk.state.conversations.values()
    helpdesk.delete_conversation(first.id)
    helpdesk.delete_customer(second.customer_id)
    run = await reconcile(puller(quiet))
    assert await gone(quiet) == sorted(
        each for each in await stored(quiet) if each not in helpdesk.state.conversations
    )
    (row,) = await quiet.rows("SELECT value FROM identity WHERE deleted_at IS NOT NULL")
    assert row.value == second.customer_id
    assert run.counts["customers"].gone == 1
    found = await differences(quiet, run.ref)
    assert found["conversations", first.id] == (("gone",), "marked")


async def test_a_partial_pass_finds_no_deletion(quiet: Bridge) -> None:
    """A pass that could not read every page knows nothing of what it didn't see."""
    helpdesk = quiet.helpdesk
    seed(helpdesk, 20)
    await puller(quiet).backfill()
    victim = next(iter(helpdesk.state.conversations))
    helpdesk.delete_conversation(victim)
    helpdesk.misbehave("error", times=None, path="/messages")
    with pytest.raises(PullStoppedError):
        await reconcile(puller(quiet, attempts=2))
    assert await gone(quiet) == []
    helpdesk.behave()
    run = await reconcile(puller(quiet))
    assert run.state == "done"
    assert await gone(quiet) == [victim]


async def test_what_a_moving_list_skipped_is_not_taken_for_deleted(quiet: Bridge) -> None:
    """It isn't on any page that was read, but the helpdesk knows it when asked."""
    seed(quiet.helpdesk, 6)
    await puller(quiet).backfill()
    state = quiet.helpdesk.state
    skipped = next(iter(state.conversations.values()))
    skipped.revision = -1
    await reconcile(puller(quiet))
    assert await gone(quiet) == []


async def test_what_comes_back_is_no_longer_gone(quiet: Bridge) -> None:
    """A later pass that meets it takes the mark away."""
    seed(quiet.helpdesk, 3)
    await puller(quiet).backfill()
    state = quiet.helpdesk.state
    where, kept = next(iter(state.conversations.items()))
    quiet.helpdesk.delete_conversation(where)
    await reconcile(puller(quiet))
    assert await gone(quiet) == [where]
    state.conversations[where] = kept
    await reconcile(puller(quiet))
    assert await gone(quiet) == []
