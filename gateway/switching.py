"""What a move of the vendor's own switch means to us. Pure."""

from typing import assert_never

from adapters.model import Control, ControlChanged, Person
from gateway import acts, control, offers, relays
from gateway.scene import Occasion, Scene, Stage
from rules.policy import Side
from sync.lease import Closed, HandedOff, Holder, PersonSpoke


def take(stage: Stage, scene: Scene, change: ControlChanged, occasion: Occasion) -> None:
    """Let the lease follow the switch; what is passed or offered to us as a desk waits for our people."""
    moved = control.note(scene, change.control)
    if not occasion.live or not (moved or change.control is Control.REFUSED):
        return
    relays.switched(stage, scene, change, occasion)
    as_bot = stage.has_ai(scene.thread.conversation.connection)
    match change.control:
        case Control.OURS | Control.RELEASED if as_bot:
            _come_back(stage, scene, occasion)
        case Control.OFFERED_TO_US if as_bot:
            control.accept(stage, scene, occasion)
        case Control.OURS | Control.OFFERED_TO_US:
            _receive(stage, scene, change, occasion)
        case Control.THEIRS:
            acts.move_lease(stage, scene, PersonSpoke(change.holder), "control_theirs", occasion)
        case Control.OFFERED_AWAY:
            acts.move_lease(stage, scene, HandedOff(), "control_offered", occasion)
        case Control.RELEASED:
            acts.give_back(stage, scene, "control_released", occasion)
        case Control.REFUSED:
            refused(stage, scene, occasion, by=change.holder)
        case Control.UNKNOWN:
            pass
        case _:
            assert_never(change.control)


def _come_back(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """The switch is the bot's again: our AI has it, unless it waits for people of ours, or came too often."""
    thread = scene.thread
    ours = thread.hand_off is not None and thread.hand_off.to != Side.SAAS
    if ours or thread.lease.holder in {Holder.AI, Holder.DESK_AGENT}:
        return
    if thread.people.returns < stage.settings.voice.most_returns:
        acts.give_back(stage, scene, "control_returned", occasion)
        return
    acts.move_lease(stage, scene, Closed(Holder.NOBODY), "control_refused", occasion)
    acts.end_hand_off(stage, scene, "returned")
    offers.to_own_desk(stage, scene, "too_many_returns")


def _receive(stage: Stage, scene: Scene, change: ControlChanged, occasion: Occasion) -> None:
    """We are the desk: what is ours, or offered, waits for somebody who claims it."""
    if scene.thread.hand_off is not None or scene.origin is not None:
        return
    if change.control is Control.OURS:
        acts.move_lease(stage, scene, Closed(Holder.NOBODY), "control_ours", occasion)
    cause = "passed" if change.control is Control.OURS else "offered"
    offers.passed(stage, scene, change.metadata, cause)


def refused(stage: Stage, scene: Scene, occasion: Occasion, *, by: Person | None = None) -> None:
    """Handing over or taking has failed: an offer of ours goes on, a claim of ours has come too late."""
    hand_off = scene.thread.hand_off
    if hand_off is None:
        return
    if hand_off.state == "claimed":
        acts.move_lease(stage, scene, PersonSpoke(by), "control_refused", occasion)
    elif hand_off.to == Side.SAAS:
        offers.decline(stage, scene, hand_off, occasion, cause="refused")
