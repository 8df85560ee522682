"""What an agent does at the desk, carried out at once: one transaction, the conversation's lane locked."""

import secrets
from datetime import datetime
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.model import Attachment, DeskActed, Person
from gateway.desk import DeskAction, refusal
from gateway.house import House
from gateway.lanes import LaneWorker
from gateway.scene import DESK
from sync.store import desk, desk_files, inbox
from sync.store.inbox import RawEvent, lane_of
from sync.views import FullHandOff

log = structlog.get_logger()
LONGEST_REPLY = 20_000

ReplyText = Annotated[
    str,
    Meta(min_length=1, max_length=LONGEST_REPLY, pattern=r"\S", examples=["Hello, this is Mei. Let me see."]),
]


class RefusedError(Exception):
    """The agent may not do this now; the message says why, in words for them."""


class UnknownHandOffError(LookupError):
    """No hand-off has this ref."""


class Deed(Struct, frozen=True, kw_only=True):
    """What an agent wants to do with a hand-off."""

    hand_off: int
    action: DeskAction
    agent: Person
    text: str | None = None
    files: tuple[int, ...] = ()
    """The refs of files that were laid down for it."""


async def carry_out(house: House, connection: AsyncConnection, deed: Deed) -> FullHandOff:
    """Do it, in the caller's transaction; the hand-off as it is then.

    Raises RefusedError or UnknownHandOffError; the caller must roll back then.
    """
    found = await desk.hand_off(connection, deed.hand_off)
    if found is None:
        raise UnknownHandOffError(f"there is no hand-off {deed.hand_off}")
    home, now = found.connection, house.clock()
    acted = DeskActed(
        conversation_id=found.conversation_id,
        hand_off=deed.hand_off,
        action=deed.action.value,
        agent=deed.agent,
        occurred_at=now,
        text=deed.text,
        attachments=await _taken(house, connection, deed, now),
    )
    lane = lane_of(home, found.conversation_id)
    await inbox.lock_lane(connection, lane)
    await _catch_up(worker := house.lane_worker(), connection, lane)
    raw = RawEvent(
        connection=DESK,
        key=secrets.token_hex(16),
        lane=lane,
        body=msgspec.json.encode(acted),
        received_at=now,
    )
    event = await desk.record_deed(connection, raw)
    stage = await worker.load(connection, [(event, acted)])
    reason = refusal(stage, stage.scenes[home, found.conversation_id], acted)
    if reason is not None:
        raise RefusedError(reason)
    worked = await worker.apply(connection, [event])
    for verdict in worked.verdicts:
        house.metrics.turns.labels(verdict).inc()
    done = await desk.hand_off(connection, deed.hand_off)
    assert done is not None
    return done


async def _taken(
    house: House, connection: AsyncConnection, deed: Deed, now: datetime
) -> tuple[Attachment, ...]:
    """The files that go along. Raises RefusedError unless each was laid down for this and not sent yet."""
    if not deed.files:
        return ()
    settings = house.settings.attachments
    if len(deed.files) > settings.most:
        raise RefusedError(f"at most {settings.most} files go with one reply")
    taken = await desk_files.take(
        connection, deed.files, hand_off=deed.hand_off, now=now, lasts=settings.keep
    )
    if len(taken) != len(deed.files):
        missing = ", ".join(str(ref) for ref in deed.files if ref not in {each.ref for each in taken})
        raise RefusedError(f"there is no such file for this hand-off (any more): {missing or 'named twice'}")
    return tuple(
        Attachment(
            id=str(each.ref),
            url="",
            name=each.name,
            content_type=each.content_type,
            size=each.size,
            source=desk_files.SOURCE,
        )
        for each in taken
    )


async def _catch_up(worker: LaneWorker, connection: AsyncConnection, lane: str) -> None:
    """Work what was accepted before the deed: a person may have spoken meanwhile, and that counts first."""
    events = await inbox.read_events(connection, [lane])
    if not events:
        return
    try:
        async with connection.begin_nested():
            await worker.apply(connection, events)
    except Exception as error:  # noqa: BLE001 - the lane's next worker finds out which event it was
        log.warning("deed_before_its_turn", lane=lane, error=repr(error))
