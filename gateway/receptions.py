"""How another side took a hand-off. Pure."""

from typing import assert_never

from adapters.model import Person, Reception
from gateway import acts, offers, relays, switching
from gateway.scene import Occasion, Received, Scene, Stage
from rules import turns
from rules.policy import Side
from sync.lease import Claimed, DeskBotTook, PersonSpoke
from sync.thread import HandOffState, person_json


def take(stage: Stage, scene: Scene, received: Received, occasion: Occasion) -> None:
    """Let a hand-off go on as the other side says: taken, waiting there, or not wanted by anybody."""
    hand_off = scene.thread.hand_off
    if hand_off is None or hand_off.ref != received.hand_off:
        relays.too_late(stage, scene, received, occasion)
        return
    if received.failure is not None:
        _fail(stage, scene, hand_off, occasion)
        return
    if received.ticket is not None:
        relays.opened(stage, hand_off, received.ticket)
    match received.reception:
        case Reception.ACCEPTED:
            _accepted(stage, scene, hand_off, occasion)
        case Reception.QUEUED | None:
            hand_off.position, hand_off.dirty = received.position, True
        case Reception.BOT:
            _with_a_bot(stage, scene, hand_off, occasion)
        case Reception.NOBODY:
            offers.decline(stage, scene, hand_off, occasion, cause="nobody_there")
        case _:
            assert_never(received.reception)


def _fail(stage: Stage, scene: Scene, hand_off: HandOffState, occasion: Occasion) -> None:
    if hand_off.state == "claimed":
        switching.refused(stage, scene, occasion)
    else:
        offers.decline(stage, scene, hand_off, occasion, cause="could_not_hand_over")


def _with_a_bot(stage: Stage, scene: Scene, hand_off: HandOffState, occasion: Occasion) -> None:
    """A bot there answers until people are asked for: what nobody has answered yet is for it, and judged."""
    hand_off.accept_by, hand_off.dirty = None, True
    turns.reopen(scene.history)
    acts.move_lease(stage, scene, DeskBotTook(), "desk_bot", occasion)


def _accepted(stage: Stage, scene: Scene, hand_off: HandOffState, occasion: Occasion) -> None:
    if hand_off.to == Side.SAAS:
        acts.move_lease(stage, scene, PersonSpoke(None), "control_accepted", occasion)
        return
    somebody = Person(hand_off.to)
    hand_off.state, hand_off.agent = "claimed", person_json(somebody)
    hand_off.claimed_at, hand_off.dirty = stage.now, True
    acts.move_lease(stage, scene, Claimed(somebody), f"desk:{hand_off.to}", occasion)
