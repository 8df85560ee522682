"""How many accepted events a second one worker process turns into committed commands."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import rich
import uvloop
from sqlalchemy import text

from adapters.vendors.memory.records import Conversation, Customer, Event, Message
from config.clock import utc_now
from config.database import open_engine
from gateway.migrate import upgrade
from sync.store.inbox import RawEvent, accept, lane_of
from tests.benchmarks.processes import configuration, free_port, postgres, process

CONVERSATIONS = 4000
MESSAGES_EACH = 5
BATCH = 1000
PATIENCE = 120.0
QUESTIONS = (
    "How long does delivery take?",
    "我的快递到哪了",
    "Can I return a sale item?",
    "怎么修改收货地址？",
    "What sizes do you have?",
)


def events() -> Iterator[RawEvent]:
    """Customer messages of many conversations, in the order in which a busy shop would get them."""
    for number in range(CONVERSATIONS * MESSAGES_EACH):
        yield _event(number, number % CONVERSATIONS, number // CONVERSATIONS)


def _event(number: int, person: int, turn: int) -> RawEvent:
    now = utc_now() + timedelta(microseconds=number)
    who, where = f"cus_{person}", f"con_{person}"
    event = Event(
        id=f"evt_{number}",
        type="message_posted",
        by="customer",
        occurred_at=now,
        customer=Customer(id=who, name="Ann", email=f"{who}@example.com", updated_at=now),
        conversation=Conversation(id=where, customer_id=who, created_at=now, updated_at=now),
        message=Message(
            id=f"msg_{number}",
            conversation_id=where,
            author="customer",
            text=f"{QUESTIONS[turn]} ({number})",  # no two say the same
            revision=number,
            created_at=now,
        ),
    )
    return RawEvent(
        connection="shop",
        key=event.id,
        lane=lane_of("shop", where),
        body=msgspec.json.encode(event),
        received_at=now,
    )


async def fill(url: str) -> None:
    """Put all events into the inbox."""
    engine = open_engine(url, name="bench")
    waiting = list(events())
    for index in range(0, len(waiting), BATCH):
        async with engine.begin() as connection:
            await accept(connection, waiting[index : index + BATCH])
    await engine.dispose()


_PAST = (
    "UPDATE command SET state = 'superseded' WHERE state = 'waiting'",
    "UPDATE turn SET ended_by = 'closed' WHERE ended_by IS NULL",
    # Ticks for those who waited, too: they name conversations that are called otherwise from now on.
    "UPDATE inbox SET state = 'done' WHERE state = 'pending'",
    "UPDATE inbox SET key = 'old_' || ref WHERE key NOT LIKE 'old%'",
    "UPDATE conversation SET id = 'old_' || ref WHERE id NOT LIKE 'old%'",
    "UPDATE identity SET value = 'old_' || ref WHERE kind = 'vendor' AND value NOT LIKE 'old%'",
)


async def make_past(url: str) -> None:
    """Turn what was measured into history: nothing of it waits, and its ids may come again."""
    engine = open_engine(url, name="bench")
    async with engine.begin() as connection:
        for statement in _PAST:
            await connection.execute(text(statement))
    await engine.dispose()


# One look at an index: it must cost nothing beside a million others, for it is taken while we measure.
_WAITING = text(
    "SELECT EXISTS (SELECT 1 FROM inbox WHERE state = 'pending' AND origin = 'live' AND connection = 'shop')"
)
_WORKED = text("""
    WITH worked AS (SELECT state, done_at FROM inbox WHERE received_at > :since AND connection = 'shop')
    SELECT count(*) FILTER (WHERE state = 'parked') AS parked,
           count(*) FILTER (WHERE done_at > (SELECT min(done_at) FROM worked)) AS events,
           extract(epoch FROM max(done_at) - min(done_at))::float AS seconds
    FROM worked
""")


async def rate(url: str, *, since: datetime) -> float:
    """Events per second from the first committed batch to the last, of those received `since` then."""
    engine = open_engine(url, name="bench")
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            async with engine.connect() as connection:
                if not await connection.scalar(_WAITING):
                    row = (await connection.execute(_WORKED, {"since": since})).one()
                    if row.parked:
                        raise RuntimeError(f"{row.parked} events were parked")
                    return float(row.events / row.seconds)
            await asyncio.sleep(0.5)
    finally:
        await engine.dispose()
    raise RuntimeError("the worker did not finish in time")


def measure(workers: int = 1) -> float:
    """Fill the inbox, start the workers, wait until it is empty.

    The quiet time is an hour, so that nothing is answered meanwhile: what is measured ends where the
    questions to the AI are committed.
    """
    with postgres() as server, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = server.url()
        uvloop.run(upgrade(url))
        began = utc_now()
        uvloop.run(fill(url))
        path = configuration(Path(folder), database_url=url, helpdesk_port=free_port(), turns={"quiet": 3600})
        for _ in range(workers):
            stack.enter_context(process("-m", "gateway", "worker", "--config", str(path)))
        return uvloop.run(rate(url, since=began))


if __name__ == "__main__":
    rich.print({f"with {workers} workers": round(measure(workers)) for workers in (1, 2)})
