"""Whatever vendors, workers and time do to commands: each has its effect once, in order, and comes to an end.

A state machine plays the real dispatcher on a real PostgreSQL against a vendor with all the ways to fail.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters import model, registry
from adapters.errors import Fatal, Held, Rejected, Retryable, Unsupported
from config.database import open_engine
from config.settings import DeliverySettings, Settings
from gateway.dispatcher import Dispatcher
from gateway.limits.ledger import SharedLedger
from gateway.limits.limits import Limits
from gateway.limits.link import Link
from gateway.metrics import Metrics
from sync.store import outbox
from sync.store.outbox import Room
from sync.tables import CommandRow, Conversation

START = datetime(2026, 1, 2, tzinfo=UTC)
ATTEMPTS = 4
CONVERSATIONS = (1, 2)
DELIVERY = DeliverySettings(
    attempts=ATTEMPTS, first_retry=timedelta(seconds=1), longest_retry=timedelta(minutes=1)
)
LONG = timedelta(minutes=7)
WAITS = (0.1, 3, 70, 70)
Result = TypeVar("Result")

HAPPENS = (
    *("delivered",) * 2,
    "fails",
    "times out before",
    *("times out after",) * 3,
    "rejected",
    "unsupported",
    "credentials refused",
    "held back",
    *("look fails",) * 3,
    "look refused",
    "look held back",
)
"""What may become of an attempt, the treacherous more often; `after` means that it had its effect."""


ROUND = st.tuples(st.sampled_from(HAPPENS), st.sampled_from(WAITS))


class Vendor:
    """Keeps what it was told, and fails as it is told. Its look-ups tell the truth, if they succeed."""

    manifest = registry.get("memory").manifest

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        self.happens = "delivered"

    def apply(self, command: Any) -> None:
        """Have the effect."""
        self.effects.append((command["conversation_id"], command["key"]))

    async def push(self, command: model.Reply) -> model.Pushed:
        """Carry it out, or not."""
        match self.happens:
            case "fails":
                raise Retryable("503")
            case "times out before":
                raise Retryable("no answer", outcome_unknown=True)
            case "rejected":
                raise Rejected("422")
            case "unsupported":
                raise Unsupported("no such thing")
            case "credentials refused":
                raise Fatal("401")
            case "held back":
                raise Held("nothing left", retry_after=timedelta(seconds=2))
        self.effects.append((command.conversation_id, command.key))
        if self.happens == "times out after":
            raise Retryable("no answer", outcome_unknown=True)
        return model.Pushed(id=f"vendor-{command.key}", raw={})

    async def find(self, query: model.FindMessage) -> model.MessageRecord | None:
        """Look for our token."""
        match self.happens:
            case "look fails":
                raise Retryable("503")
            case "look refused":
                raise Fatal("401")
            case "look held back":
                raise Held("nothing left", retry_after=timedelta(seconds=2))
        if (query.conversation_id, query.token) not in self.effects:
            return None
        return model.MessageRecord(
            id=f"vendor-{query.token}", author=model.Author.AI, text=query.text, sent_at=START
        )


class World:
    """One outbox, its vendor and its time; lives through all examples."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.engine: AsyncEngine = self.run(self._open(url))
        self.now = START

    async def _open(self, url: str) -> AsyncEngine:
        return open_engine(url, name="machine")

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something to its end."""
        return self.runner.run(work)

    def close(self) -> None:
        """Close the engine and the loop."""
        self.run(self.engine.dispose())
        self.runner.close()

    async def begin(self) -> None:
        """Everything anew."""
        async with self.engine.begin() as connection:
            await connection.execute(text("TRUNCATE command, attempt, message, conversation"))
            await connection.execute(insert(Conversation), [_conversation(ref) for ref in CONVERSATIONS])

    async def add(self, ref: int, conversation: int, epoch: int | None) -> None:
        """Put a reply into the outbox."""
        async with self.engine.begin() as connection:
            await connection.execute(insert(CommandRow), _reply(ref, conversation, epoch, self.now))

    async def rows(self) -> list[Any]:
        """The outbox as it stands, with how many attempts each has in the ledger."""
        query = (
            "SELECT c.ref, c.key, c.state, c.attempts, c.reason, c.conversation_ref, c.outcome_unknown,"
            " (SELECT count(*) FROM attempt a WHERE a.command_ref = c.ref) AS tried"
            " FROM command c ORDER BY c.ref"
        )
        async with self.engine.connect() as connection:
            return list((await connection.execute(text(query))).all())

    async def work(self, vendor: Vendor) -> None:
        """One round of a fresh worker."""
        metrics = Metrics()
        ledger = SharedLedger(Link(None), None, lambda: self.now)
        dispatcher = Dispatcher(
            engine=self.engine,
            settings=Settings(delivery=DELIVERY),
            adapters={"shop": vendor},  # type: ignore[dict-item] - it has the verbs that are used
            answer=None,  # type: ignore[arg-type] - nothing is asked
            files=None,  # type: ignore[arg-type] - no message has one
            limits=Limits(budgets={}, breakers={}, ledger=ledger, clock=lambda: self.now, metrics=metrics),
            clock=lambda: self.now,
            new_key=lambda: "unused",
            metrics=metrics,
        )
        dispatcher.worker = 1
        await dispatcher.step()
        await dispatcher.drain(timedelta(seconds=30))

    async def die(self, vendor: Vendor, *, after: bool) -> None:
        """A worker claims and is killed, before or after what it claimed had its effect."""
        async with self.engine.begin() as connection:
            room = Room(most=10, share=10)
            claimed, _ = await outbox.claim(connection, worker=99, room=room, now=self.now)
        for each in claimed:
            if after and not each.outcome_unknown:
                vendor.apply(each.body)

    async def move_lease(self, conversation: int) -> None:
        """Somebody else may speak now."""
        async with self.engine.begin() as connection:
            await connection.execute(
                text("UPDATE conversation SET lease_epoch = lease_epoch + 1 WHERE ref = :ref"),
                {"ref": conversation},
            )


def _conversation(ref: int) -> dict[str, Any]:
    texts = {"channel": "chat", "status": "open", "subject": "", "url": "", "language": "en"}
    lease = {"lease_holder": "ai", "lease_epoch": 1, "lease_since": START}
    more = {"tags": [], "attributes": {}, "created_at": START}
    return {"ref": ref, "connection": "shop", "id": f"con_{ref}", **texts, **lease, **more}


def _reply(ref: int, conversation: int, epoch: int | None, now: datetime) -> dict[str, Any]:
    place = {"conversation_id": f"con_{conversation}", "key": f"key-{ref}"}
    return {
        "ref": ref,
        "conversation_ref": conversation,
        "connection": "shop",
        "kind": "reply",
        "body": {"type": "reply", "text": "hello", "author": "ai", **place},
        "key": place["key"],
        "epoch": epoch,
        "priority": 1,
        "state": "waiting",
        "ready_at": now,
        "created_at": now,
    }


class Delivery(RuleBasedStateMachine):
    """Commands come, attempts end in every way, workers die, leases move, time passes."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.vendor = Vendor()
        self.world.now = START
        self.refs = 0
        self.epochs = dict.fromkeys(CONVERSATIONS, 1)
        self.world.run(self.world.begin())

    @rule(conversation=st.sampled_from(CONVERSATIONS), for_ai=st.booleans())
    def say(self, conversation: int, *, for_ai: bool) -> None:
        """A reply is decided, under the present epoch if the AI speaks."""
        self.refs += 1
        epoch = self.epochs[conversation] if for_ai else None
        self.world.run(self.world.add(self.refs, conversation, epoch))

    @rule(
        rounds=st.lists(st.tuples(st.sampled_from(HAPPENS), st.sampled_from(WAITS)), min_size=2, max_size=5)
    )
    def work(self, rounds: list[tuple[str, float]]) -> None:
        """Time passes, a worker sends what is due, and this is what becomes of it; a few times over."""
        for happens, seconds in rounds:
            self.world.now += timedelta(seconds=seconds)
            self.vendor.happens = happens
            self.world.run(self.world.work(self.vendor))

    @rule(after=st.booleans())
    def die(self, *, after: bool) -> None:
        """A worker is killed in the middle."""
        self.world.run(self.world.die(self.vendor, after=after))

    @rule(conversation=st.sampled_from(CONVERSATIONS))
    def move_lease(self, conversation: int) -> None:
        """What the AI was about to say must not be said any more."""
        self.epochs[conversation] += 1
        self.world.run(self.world.move_lease(conversation))

    @invariant()
    def nothing_happens_twice(self) -> None:
        """One command, one effect."""
        assert len(self.vendor.effects) == len(set(self.vendor.effects))

    @invariant()
    def order_is_kept(self) -> None:
        """In a conversation, what was decided first is there first."""
        told: dict[str, list[int]] = defaultdict(list)
        for conversation, key in self.vendor.effects:
            told[conversation].append(int(key.partition("-")[2]))
        assert all(refs == sorted(refs) for refs in told.values())

    @invariant()
    def attempts_are_bounded(self) -> None:
        """Nobody is tried for ever; only what failed for others' reasons doesn't count."""
        assert all(0 <= row.attempts <= ATTEMPTS + 1 for row in self.world.run(self.world.rows()))

    def teardown(self) -> None:
        """Once everything works again, each command comes to its end."""
        self.vendor.happens = "delivered"
        for _ in range(3 * self.refs + 3):
            self.world.now += LONG
            self.world.run(self.world.work(self.vendor))
            if all(row.state not in {"waiting", "in_flight"} for row in self.world.run(self.world.rows())):
                break
        self.nothing_happens_twice()
        self.order_is_kept()
        effects = {key for _, key in self.vendor.effects}
        for row in self.world.run(self.world.rows()):
            assert row.state in {"done", "parked", "superseded"}, row
            assert row.state != "done" or row.key in effects, row
            assert row.state != "parked" or row.reason, row


@pytest.mark.timeout(300)
def test_commands_have_one_effect_in_order_and_come_to_an_end(database_url: str) -> None:
    """Through failures, time-outs, deaths, lost leases and held-back requests."""
    world = World(database_url)
    Delivery.world = world
    try:
        run_state_machine_as_test(
            Delivery, settings=settings(max_examples=30, stateful_step_count=12, deadline=None)
        )
    finally:
        world.close()
