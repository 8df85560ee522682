"""What happens because time passes. Plain functions: the leader's scheduler says when, never whether."""

from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

import rules.store as rules_store
from adapters.model import Origin
from config.clock import Clock
from gateway.scene import CLOCK
from gateway.wiring import Tick
from sync.store import inbox
from sync.store.inbox import RawEvent, lane_of

STEP = timedelta(seconds=5)
"""A customer who waits is looked at once in each such step, so a rule on `waiting` is at most a step late."""


async def look_at_waiting(engine: AsyncEngine, clock: Clock, silence_after: timedelta) -> None:
    """Let the rules look at customers who have been waiting for a word, or have been content in silence."""
    now = clock()
    async with engine.begin() as connection:
        waiting = await rules_store.load_waiting(connection, now=now, step=STEP)
        silent = await rules_store.load_silent(connection, before=now - silence_after)
        places = await inbox.load_places(connection, [ref for ref, _ in (*waiting, *silent)])
        events = [
            RawEvent(
                connection=CLOCK,
                key=key,
                lane=lane_of(*places[ref]),
                body=msgspec.json.encode(Tick(conversation_id=places[ref][1])),
                received_at=now,
                origin=Origin.LIVE,
            )
            for ref, key in (*waiting, *silent)
        ]
        if events:
            await inbox.accept(connection, events)
