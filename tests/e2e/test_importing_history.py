"""A helpdesk's history comes in whole, and nothing acts on it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually
from support.pulling import ASKED, held, puller, seed, stored

from gateway.pulling import PullBusyError, PullStoppedError, Purpose
from sync.store import pulls

LONG = pytest.mark.timeout(900)
TABLES = ("command", "turn", "decision", "hand_off", "attempt")
SAMPLED = (
    "deskbridge_turn_verdicts_total",
    "deskbridge_first_response_seconds_count",
    "deskbridge_hand_offs_total",
    "deskbridge_attempts_total",
    "deskbridge_stage_lag_seconds_count",
)


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A breaker that stays out of the way: what is tested lies behind it."""
    return {"breaker": {"failures": 1000}}


@pytest.mark.parametrize("conversations", [300, pytest.param(5000, marks=[pytest.mark.faults, LONG])])
async def test_old_conversations_cause_nothing_at_all(quiet: Bridge, conversations: int) -> None:
    """No command, answer, decision, hand-off or metric sample; and the helpdesk is written nothing."""
    seed(quiet.helpdesk, conversations)
    before = len(quiet.helpdesk.messages)
    run = await puller(quiet).backfill()
    assert run.state == "done"
    for table in TABLES:
        assert (await quiet.rows(f"SELECT count(*) AS n FROM {table}"))[0].n == 0, table
    assert len(quiet.helpdesk.messages) == before
    assert all(request.method == "GET" for request in quiet.helpdesk.requests)
    metrics = (await quiet.http.get("/metrics")).text
    samples = [line for line in metrics.splitlines() if line.startswith(SAMPLED)]
    assert [line for line in samples if not line.endswith(" 0.0")] == []
    assert await stored(quiet) == held(quiet.helpdesk)


async def test_an_imported_conversation_has_the_lease_that_it_would_have_had(quiet: Bridge) -> None:
    """The AI where nobody is at work, or it is resolved; the person where one has spoken, or is assigned."""
    helpdesk = quiet.helpdesk
    wanted: dict[str, tuple[str, str | None]] = {}
    for name, holder in (
        ("waiting", ("ai", None)),
        ("spoken", ("saas_agent", "agent_2")),
        ("assigned", ("saas_agent", "agent_1")),
        ("resolved", ("ai", None)),
    ):
        where = helpdesk.customer_says(name, ASKED).conversation_id
        wanted[where] = holder
        if name in {"spoken", "resolved"}:
            helpdesk.agent_says(where, "Three days.", agent_id="agent_2")
        if name in {"assigned", "resolved"}:
            helpdesk.assign(where, "agent_1")
        if name == "resolved":
            helpdesk.set_status(where, "resolved")
    await puller(quiet).backfill()
    rows = await quiet.rows("SELECT id, lease_holder, lease_person ->> 'id' AS person FROM conversation")
    assert {row.id: (row.lease_holder, row.person) for row in rows} == wanted


async def test_what_a_customer_says_after_the_import_is_answered(quiet: Bridge) -> None:
    """An imported conversation is a conversation like any other from then on."""
    said = quiet.helpdesk.customer_says("cus_1", "hello there")
    await puller(quiet).backfill()
    quiet.helpdesk.subscribe(f"{quiet.url}/hooks/shop", "hook-secret-for-tests")
    quiet.helpdesk.customer_says("cus_1", ASKED)
    await eventually(lambda: quiet.replies(said.conversation_id), what="an answer")
    (turn,) = await quiet.rows("SELECT texts FROM turn")
    assert [item["text"] for item in turn.texts] == [ASKED]


async def test_webhooks_and_a_backfill_together_store_everything_once(bridge: Bridge) -> None:
    """What comes in both ways is one message; what is live acts, once."""
    seed(bridge.helpdesk, 60)
    bridge.helpdesk.subscribe(f"{bridge.url}/hooks/shop", "hook-secret-for-tests")
    said = [bridge.helpdesk.customer_says(f"live_{n}", ASKED).conversation_id for n in range(5)]
    await puller(bridge).backfill()
    await bridge.settled()
    assert [len(bridge.replies(where)) for where in said] == [1] * 5
    doubles = await bridge.rows(
        "SELECT 1 FROM message GROUP BY conversation_ref, id HAVING count(*) > 1"
        " UNION ALL SELECT 1 FROM conversation GROUP BY id HAVING count(*) > 1"
    )
    assert doubles == []
    assert (await stored(bridge)).keys() == held(bridge.helpdesk).keys()


async def test_a_second_backfill_accepts_nothing(quiet: Bridge) -> None:
    """What we hold already is compared, not stored again."""
    seed(quiet.helpdesk, 60)
    first = await puller(quiet).backfill()
    second = await puller(quiet).backfill()
    assert second.ref != first.ref
    assert [counts.accepted for counts in second.counts.values()] == [0, 0, 0]
    assert second.counts["messages"].read == len(quiet.helpdesk.messages)


async def test_since_leaves_out_what_has_been_quiet(quiet: Bridge) -> None:
    """Conversations by their last change; one that is taken is taken whole, with its customer."""
    seed(quiet.helpdesk, 10)
    for each in list(quiet.helpdesk.state.conversations.values())[:7]:
        each.updated_at = datetime(2024, 1, 1, tzinfo=UTC)
    run = await puller(quiet).backfill(datetime(2025, 1, 1, tzinfo=UTC))
    assert run.counts["conversations"].read == 3
    assert (await quiet.rows("SELECT count(*) AS n FROM conversation WHERE customer_ref IS NOT NULL"))[
        0
    ].n == 3


async def test_a_passing_fault_is_waited_out(quiet: Bridge) -> None:
    """429, 500, a cut connection: the walk goes on, and everything is there."""
    seed(quiet.helpdesk, 40)
    for fault in ("rate_limit", "error", "reset_before"):
        quiet.helpdesk.misbehave(fault, times=2, retry_after=0.01)
    await puller(quiet).backfill()
    assert await stored(quiet) == held(quiet.helpdesk)


async def test_a_fault_that_stays_ends_the_run_and_the_next_goes_on_there(quiet: Bridge) -> None:
    """Stopped with the reason; the same run is gone on with, not begun again."""
    seed(quiet.helpdesk, 110)
    quiet.helpdesk.misbehave("error", times=None, path="/api/conversations/con_")
    with pytest.raises(PullStoppedError, match="3 tries failed in a row"):
        await puller(quiet, attempts=3).backfill()
    quiet.helpdesk.behave()
    async with quiet.house.engine.connect() as database:
        stopped = await pulls.latest_run(database, name="shop", purpose=Purpose.BACKFILL)
    assert stopped is not None
    assert (stopped.state, stopped.ended_at) == ("stopped", None)
    assert "answered 500" in str(stopped.reason)
    run = await puller(quiet).backfill()
    assert (run.ref, run.state) == (stopped.ref, "done")
    assert await stored(quiet) == held(quiet.helpdesk)


async def test_wrong_credentials_stop_the_run_at_once(quiet: Bridge) -> None:
    """Nothing is tried twice that can't work."""
    quiet.helpdesk.misbehave("error", times=None, status=401)
    with pytest.raises(PullStoppedError, match="answered 401"):
        await puller(quiet).backfill()
    assert len(quiet.helpdesk.requests) == 1


@pytest.mark.parametrize("path", ["/api/customers", "/api/conversations", "/messages"])
async def test_a_cursor_that_repeats_stops_the_run(quiet: Bridge, path: str) -> None:
    """Pages that go round in circles are the vendor's fault: it is told, instead of read for ever."""
    seed(quiet.helpdesk, 3)
    quiet.helpdesk.misbehave("same_cursor", times=None, path=path)
    with pytest.raises(PullStoppedError, match="go round in circles"):
        await puller(quiet).backfill()


async def test_two_at_once_are_refused(quiet: Bridge) -> None:
    """The second says so and changes nothing; the first goes on."""
    seed(quiet.helpdesk, 3)
    quiet.helpdesk.misbehave("slow", times=1, path="/api/customers", seconds=0.5)
    first = asyncio.create_task(puller(quiet).backfill())
    await eventually(lambda: quiet.helpdesk.requests, what="the first page being asked for")
    with pytest.raises(PullBusyError, match="another process is already at the backfill of 'shop'"):
        await puller(quiet).backfill()
    assert (await first).state == "done"


async def test_fetching_waits_for_the_workers(quiet: Bridge) -> None:
    """No more history waits than the settings allow, give or take what is stored at once."""
    seed(quiet.helpdesk, 80)
    most = 0

    class Look:
        """Counts what waits whenever a page was stored."""

        def progress(self, run: pulls.Run) -> None:
            """Look from outside."""
            looks.append(run.counts["customers"].read)

        def waiting(self, why: str) -> None:
            """Nothing."""

    looks: list[int] = []
    pulling = puller(quiet, backlog=40)
    pulling._watch = Look()  # noqa: SLF001 - looks on from inside
    counted = pulls.count_history

    async def count(*arguments: Any, **options: Any) -> int:
        nonlocal most
        waiting = await counted(*arguments, **options)
        most = max(most, waiting)
        return waiting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.pulling.pulls.count_history", count)
        await pulling.backfill()
    assert 0 < most <= 80
    assert await stored(quiet) == held(quiet.helpdesk)


async def test_a_conversation_deleted_meanwhile_is_passed_over(quiet: Bridge) -> None:
    """404 for its messages: there is nothing to import, and the others come."""
    seed(quiet.helpdesk, 5)
    quiet.helpdesk.misbehave("error", times=1, status=404, path="/messages")
    run = await puller(quiet).backfill()
    assert run.state == "done"
    assert run.counts["messages"].problem is None


async def test_the_api_tells_how_far_it_is(quiet: Bridge, api: httpx.AsyncClient) -> None:
    """State, counts, and the end."""
    seed(quiet.helpdesk, 12)
    await puller(quiet).backfill()
    (item,) = (await api.get("/v1/backfills?connection=shop")).json()["items"]
    assert item["state"] == "done"
    assert item["counts"]["conversations"]["read"] == 12
    assert (await api.get("/v1/backfills?connection=other")).json()["items"] == []


async def test_live_events_pass_a_heap_of_history(bridge: Bridge) -> None:
    """A customer is answered while thousands of imported events still wait, also in lanes before theirs."""
    async with bridge.house.engine.begin() as database:
        await database.execute(
            text("""
            WITH given AS (
                SELECT n, nextval(pg_get_serial_sequence('inbox', 'ref')) AS ref
                FROM generate_series(1, 4000) n)
            , stored AS (
                INSERT INTO inbox (ref, connection, key, lane, origin, form, state, received_at)
                OVERRIDING SYSTEM VALUE
                SELECT ref, 'shop', 'h' || n, 'shop/a' || n, 'backfill', 'canonical', 'pending', now()
                FROM given)
            INSERT INTO payload (inbox_ref, received_at, body)
            SELECT ref, now(), convert_to(format(
                '[{"type":"conversation_changed","conversation":{"id":"a%s","status":"resolved"},'
                '"occurred_at":"2024-01-01T00:00:00Z"}]', n), 'UTF8') FROM given
            """)
        )
    said = bridge.helpdesk.customer_says("cus_1", ASKED)
    await eventually(lambda: bridge.replies(said.conversation_id), what="an answer", within=5)
    (row,) = await bridge.rows(
        "SELECT count(*) AS n FROM inbox WHERE state = 'pending' AND origin = 'backfill'"
    )
    assert row.n > 500, "the customer had to wait for history"
