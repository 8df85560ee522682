"""What working an event has changed on the stage, as a list to read. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.scene import Scene, Stage

_UNTOLD = {"ref", "dirty", "created_at"}


class Effect(Struct, frozen=True, kw_only=True):
    """One thing that would change. `at` is the conversation, by its connection and the vendor's id."""

    what: str
    at: str
    detail: dict[str, Any] = field(default_factory=dict)


class Before(Struct, frozen=True):
    """What a stage held before it was worked."""

    conversations: Mapping[tuple[str, str], Mapping[str, Any]]
    turns: frozenset[int]


def remember(stage: Stage) -> Before:
    """Note what will be compared."""
    return Before(
        conversations={at: _fields(scene) for at, scene in stage.scenes.items()},
        turns=frozenset(turn.ref for scene in stage.scenes.values() for turn in scene.history.turns),
    )


def effects(before: Before, stage: Stage) -> list[Effect]:
    """What is different, conversation by conversation; customers last."""
    found = [
        Effect(what=what, at="/".join(at), detail=detail)
        for at, scene in stage.scenes.items()
        for what, detail in _of_scene(before, at, scene)
    ]
    return found + [
        Effect(what="customer_changed", at="/".join(at), detail={"name": customer.name})
        for at, customer in stage.customers.items()
        if customer.dirty
    ]


def _fields(scene: Scene) -> dict[str, Any]:
    fields = msgspec.structs.asdict(scene.thread.conversation)
    return {name: value for name, value in fields.items() if name not in _UNTOLD}


def _of_scene(before: Before, at: tuple[str, str], scene: Scene) -> Iterator[tuple[str, dict[str, Any]]]:
    thread = scene.thread
    known = before.conversations.get(at)
    now = _fields(scene)
    if known is None:
        yield "conversation_opened", {"status": now["status"], "channel": now["channel"]}
    elif changed := {name: [known[name], now[name]] for name in now if known[name] != now[name]}:
        yield "conversation_changed", changed
    for message in thread.messages:
        yield "message_stored", {"author": message.author, "text": message.text, "private": message.private}
    for vendor_id, text in thread.edited:
        yield "message_edited", {"id": vendor_id, "text": text}
    for move in thread.lease_moves:
        yield "lease_moved", {"to": move.lease.holder, "epoch": move.lease.epoch, "cause": move.cause}
    for turn in scene.history.turns:
        if turn.ref not in before.turns:
            yield "turn_opened", {"number": turn.number}
    yield from _acts(scene)


def _acts(scene: Scene) -> Iterator[tuple[str, dict[str, Any]]]:
    thread = scene.thread
    for verdict in scene.verdicts:
        yield "turn_judged", {"verdict": verdict}
    for decision in scene.decisions:
        yield "rule_acted", {"policy": decision["policy"], "rule": decision["rule"]}
    for hand_off in thread.ended_hand_offs:
        yield "hand_off_ended", {"ref": hand_off.ref, "state": hand_off.state}
    if thread.hand_off is not None and thread.hand_off.dirty:
        yield "hand_off", {"state": thread.hand_off.state, "queue": thread.hand_off.queue}
    for connection in sorted(set(thread.silenced)):
        yield "commands_withdrawn", {"connection": connection}
    for new in thread.commands:
        body = msgspec.to_builtins(new.command)
        yield "command", {"kind": new.kind, "connection": new.connection, "body": body}
