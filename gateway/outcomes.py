"""What a finished attempt leaves behind: our own message, or news for the inbox. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.attachments import safe_name
from adapters.model import AnswerPrepared, Command, Note, Origin, Pushed, Reply
from gateway.scene import AI, DESK, Received
from sync.delivery import Verdict
from sync.pull import Pulled, bare, lane_name
from sync.store.inbox import Form, RawEvent, lane_of
from sync.store.outbox import Claimed, Finished

_HANDING_OVER = frozenset({"hand_over", "open_conversation", "take_control"})


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


def received(claimed: Claimed, verdict: Verdict, pushed: Pushed, *, now: datetime) -> RawEvent | None:
    """How another side took a hand-off, for the lane of its conversation; `None` if that isn't settled."""
    if claimed.kind not in _HANDING_OVER or claimed.hand_off_ref is None:
        return None
    if verdict.state not in {"done", "parked"} or claimed.home is None or claimed.conversation_id is None:
        return None
    failed = verdict.state == "parked"
    opened = claimed.kind == "open_conversation"
    told = Received(
        conversation_id=claimed.conversation_id,
        hand_off=claimed.hand_off_ref,
        desk=claimed.connection,
        reception=pushed.reception,
        position=pushed.position,
        ticket=pushed.id if opened else None,
        failure=verdict.reason if failed else None,
    )
    return RawEvent(
        connection=DESK,
        key=f"{verdict.state}/{claimed.key}",
        lane=lane_of(claimed.home, claimed.conversation_id),
        body=msgspec.json.encode(told),
        received_at=now,
    )


def with_files(body: dict[str, Any], sent: Command) -> dict[str, Any]:
    """A command as stored, with those files that really went along."""
    if "attachments" not in body or not isinstance(sent, Reply | Note):
        return body
    return body | {"attachments": msgspec.to_builtins(sent.attachments)}


def is_own_message(finished: Finished) -> bool:
    """Whether it left a message of ours in its own conversation, not in one at a desk elsewhere."""
    claimed = finished.claimed
    here = claimed.connection == claimed.home
    return here and finished.remote_id is not None and claimed.kind in {"reply", "note"}


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
        "attachments": _files(claimed),
        "origin": "live",
        "sent_at": _sent_at(finished),
        "seen_at": finished.ended_at,
        "command_ref": claimed.ref,
    }


def _files(claimed: Claimed) -> list[dict[str, Any]]:
    """Its files, until the vendor tells where it has them; of those that our desk sent, we keep none."""
    return [item | {"name": safe_name(item["name"])} for item in claimed.body.get("attachments") or ()]


def _sent_at(finished: Finished) -> datetime:
    """By the vendor's clock, as all others in the conversation; where it counts in seconds, by ours.

    Else it would stand before the question of that second.
    """
    told = finished.vendor_at
    return told if told is not None and told.microsecond else finished.ended_at
