"""What happens because time passes. Plain functions: the leader's scheduler says when, never whether."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import rules.store as rules_store
from adapters.model import Origin
from config.clock import Clock
from config.settings import Settings
from gateway.metrics import Metrics
from gateway.scene import CLOCK, BotSilence, DoubtSettled, OfferExpired, Tick, Timer
from sync.store import desk_files, doubts, inbox, timers
from sync.store.inbox import RawEvent, lane_of

log = structlog.get_logger()
STEP = timedelta(seconds=5)
"""A customer who waits is looked at once in each such step, so a rule on `waiting` is at most a step late."""


async def look_at_waiting(engine: AsyncEngine, clock: Clock, silence_after: timedelta) -> None:
    """Let the rules look at customers who have been waiting for a word, or have been content in silence."""
    now = clock()
    async with engine.begin() as connection:
        waiting = await rules_store.load_waiting(connection, now=now, step=STEP)
        silent = await rules_store.load_silent(connection, before=now - silence_after)
        places = await inbox.load_places(connection, [ref for ref, _ in (*waiting, *silent)])
        due = [
            (places[ref][0], key, Tick(conversation_id=places[ref][1])) for ref, key in (*waiting, *silent)
        ]
        await _ring(connection, due, now)


async def look_at_voices(engine: AsyncEngine, clock: Clock, settings: Settings) -> None:
    """Wake conversations that another bot left, for which nobody came in time, or whose doubt is settled."""
    now = clock()
    async with engine.begin() as connection:
        silent = await timers.silent_bots(
            connection, before=now - settings.voice.other_bot_silence, at=settings.with_our_ai
        )
        due: list[tuple[str, str, Timer]] = [
            (
                place.connection,
                f"bot-{place.connection}-{place.id}-{place.epoch}",
                BotSilence(conversation_id=place.id, epoch=place.epoch),
            )
            for place in silent
        ]
        due += [
            (
                offer.connection,
                f"offer-{offer.ref}",
                OfferExpired(conversation_id=offer.id, hand_off=offer.ref),
            )
            for offer in await timers.expired_offers(connection, now=now)
        ]
        due += [
            (doubt.connection, f"doubt-{doubt.ref}-{doubt.attempts}", DoubtSettled(conversation_id=doubt.id))
            for doubt in await doubts.settled(connection, most=timers.MOST)
        ]
        await _ring(connection, due, now)


async def report_overlaps(engine: AsyncEngine, metrics: Metrics) -> None:
    """Tell of the moments in which a person and our AI spoke at once, now that it is known."""
    async with engine.begin() as connection:
        confirmed = await doubts.settle_overlaps(connection)
    for overlap in confirmed:
        metrics.overlaps.labels(overlap["kind"]).inc()
        log.warning(
            "overlap", conversation=overlap["conversation_ref"], overlap=overlap["ref"], kind=overlap["kind"]
        )


async def forget_files(engine: AsyncEngine, clock: Clock) -> None:
    """Delete files of the built-in desk that were sent, are not to be sent any more, or waited too long."""
    async with engine.begin() as connection:
        gone = await desk_files.forget(connection, now=clock())
    if gone:
        log.info("files_forgotten", files=gone)


async def _ring(connection: AsyncConnection, due: Iterable[tuple[str, str, Timer]], now: datetime) -> None:
    """Put timers into their lanes, each by home, key and body; one that rang before doesn't ring again."""
    events = [
        RawEvent(
            connection=CLOCK,
            key=key,
            lane=lane_of(home, timer.conversation_id),
            body=msgspec.json.encode(timer),
            received_at=now,
            origin=Origin.LIVE,
        )
        for home, key, timer in due
    ]
    if events:
        await inbox.accept(connection, events)
