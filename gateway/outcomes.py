"""What a finished attempt leaves behind: our own message, or news for the inbox. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.model import AnswerPrepared, Origin
from gateway.scene import AI
from sync.pull import Pulled, bare, lane_name
from sync.store.inbox import Form, RawEvent, lane_of
from sync.store.outbox import Claimed, Finished


def answered(claimed: Claimed, answer: AnswerPrepared) -> RawEvent | None:
    """The answer to a question, for the lane of its conversation."""
    if claimed.home is None or claimed.conversation_id is None:
        return None
    return RawEvent(
        connection=AI,
        key=claimed.key,
        lane=lane_of(claimed.home, claimed.conversation_id),
        body=msgspec.json.encode(answer),
        received_at=answer.occurred_at,
    )


def fetched(claimed: Claimed, changes: Sequence[Pulled], *, origin: Origin, now: datetime) -> RawEvent | None:
    """What was looked up, for the lane that its webhooks take; `None` when there is nothing."""
    if not changes:
        return None
    return RawEvent(
        connection=claimed.connection,
        key=f"fetched/{claimed.key}",
        lane=lane_of(claimed.connection, lane_name(changes[0])),
        body=msgspec.json.encode(tuple(bare(change) for change in changes)),
        received_at=now,
        origin=origin,
        form=Form.CANONICAL,
    )


def own_message(finished: Finished, ref: int) -> dict[str, Any]:
    """A message of ours that the vendor confirmed, as it is stored."""
    claimed = finished.claimed
    private = claimed.kind == "note"
    return {
        "ref": ref,
        "conversation_ref": claimed.conversation_ref,
        "id": finished.remote_id,
        "author": "system" if private else claimed.body["author"],
        "person": claimed.body.get("person"),
        "text": claimed.body["text"],
        "private": private,
        "attachments": [],
        "origin": "live",
        "sent_at": _sent_at(finished),
        "seen_at": finished.ended_at,
        "command_ref": claimed.ref,
    }


def _sent_at(finished: Finished) -> datetime:
    """By the vendor's clock, as all others in the conversation; where it counts in seconds, by ours.

    Else it would stand before the question of that second.
    """
    told = finished.vendor_at
    return told if told is not None and told.microsecond else finished.ended_at
