"""Packing hand-offs: the package with the whole transcript, and what tells the other side of it."""

from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters import model
from adapters.manifest import Capability
from adapters.model import Identity, IdentityKind
from gateway import acts, package, relays
from gateway.scene import Occasion, Scene, Stage
from rules.policy import Side
from sync.priority import Priority
from sync.store import customers, threads
from sync.thread import HandOffState


async def pack(connection: AsyncConnection, stage: Stage) -> None:
    """Give each new hand-off its package, and whoever is to take it the word; tell those whose has ended."""
    for scene in list(stage.scenes.values()):
        for hand_off in (*scene.thread.ended_hand_offs, scene.thread.hand_off):
            if hand_off is not None and not hand_off.package:
                await _pack(connection, stage, scene, hand_off)
        for ended in scene.thread.ended_hand_offs:
            relays.close_there(stage, scene, ended, _occasion(ended))


async def _pack(connection: AsyncConnection, stage: Stage, scene: Scene, hand_off: HandOffState) -> None:
    stored = await threads.load_transcript(connection, scene.thread.ref, most=package.TRANSCRIPT_LENGTH)
    fresh = [package.transcript_line(message) for message in scene.thread.messages]
    customer = scene.thread.customer
    identities = await customers.load_identities(connection, customer) if customer else []
    hand_off.package = package.build(
        scene,
        transcript=sorted([*stored, *fresh], key=lambda line: line["at"]),
        identities=identities,
        rule=_rule_of(scene, hand_off),
        public_url=stage.settings.public_url,
    )
    proven = await customers.load_proven(connection, customer) if customer else set()
    _announce(stage, scene, hand_off, proven)


def _occasion(hand_off: HandOffState) -> Occasion:
    return Occasion(event_ref=None, origin=model.Origin.LIVE, decision_ref=hand_off.decision_ref)


def _announce(
    stage: Stage, scene: Scene, hand_off: HandOffState, proven: AbstractSet[tuple[str, str]]
) -> None:
    """Hand it over by the vendor's switch, where it has one; else leave a note. Elsewhere, open a ticket."""
    home = scene.thread.conversation.connection
    offered = hand_off.state == "offered"
    if offered and hand_off.to == Side.SAAS and stage.can(home, Capability.HAND_OVER):
        _hand_over(stage, scene, hand_off)
        return
    if not scene.passed and stage.can(home, Capability.NOTE):
        note = model.Note(
            key=stage.new_key(),
            conversation_id=scene.thread.conversation.id,
            text=package.render_note(hand_off.package, hand_off),
        )
        acts.send(stage, scene, note, _occasion(hand_off), priority=Priority.HAND_OFF)
    if offered and relays.elsewhere(hand_off) and hand_off.ticket is not None:
        _hand_over(stage, scene, hand_off)
        relays.after(stage, scene, hand_off)
    elif offered and relays.elsewhere(hand_off):
        _open(stage, scene, hand_off, proven)


def _hand_over(stage: Stage, scene: Scene, hand_off: HandOffState) -> None:
    """Ask for people: where the customer is, or in the ticket at a desk elsewhere that a bot there has."""
    conversation = scene.thread.conversation
    place = hand_off.to if hand_off.ticket is not None else conversation.connection
    chosen = stage.settings.connections.get(place)
    command = model.HandOver(
        key=stage.new_key(),
        conversation_id=hand_off.ticket or conversation.id,
        summary=package.render_note(hand_off.package, hand_off),
        to=chosen.queues.get(hand_off.queue) if chosen else None,
        offer=hand_off.accept_by is not None,
        package=hand_off.package,
        url=hand_off.package["links"]["timeline"],
    )
    acts.send(
        stage,
        scene,
        command,
        _occasion(hand_off),
        connection=place,
        priority=Priority.HAND_OFF,
        hand_off=hand_off.ref,
    )


def _open(stage: Stage, scene: Scene, hand_off: HandOffState, proven: AbstractSet[tuple[str, str]]) -> None:
    """Open a conversation at a desk elsewhere: the package for its people, then the customer's words."""
    conversation, held = scene.thread.conversation, hand_off.package["customer"]
    command = model.OpenConversation(
        key=stage.new_key(),
        subject=conversation.subject
        or hand_off.package["goal"]
        or f"{held['name']} ({conversation.channel})",
        text=package.render_note(hand_off.package, hand_off),
        customer_name=held["name"],
        identities=_identities(held["identities"], proven),
        channel=model.Channel(conversation.channel),
        private=True,
    )
    occasion = _occasion(hand_off)
    acts.send(
        stage,
        scene,
        command,
        occasion,
        connection=hand_off.to,
        priority=Priority.HAND_OFF,
        hand_off=hand_off.ref,
    )
    turn = scene.history.current
    if turn is not None:
        relays.carry(stage, scene, "\n".join(turn.words), occasion)


def _identities(held: list[dict[str, Any]], proven: AbstractSet[tuple[str, str]]) -> tuple[Identity, ...]:
    """How the customer can be known anywhere: not by what one vendor calls them."""
    return tuple(
        Identity(IdentityKind(each["kind"]), each["value"], (each["kind"], each["value"]) in proven)
        for each in held
        if each["kind"] != IdentityKind.VENDOR
    )


def _rule_of(scene: Scene, hand_off: HandOffState) -> dict[str, Any] | None:
    """The decision behind a hand-off: just made, or that of the offer that it follows."""
    decided = package.rule(scene, hand_off)
    before = next((h for h in scene.thread.ended_hand_offs if h.ref == hand_off.follows), None)
    return decided or (before.package.get("rule") if before else None)
