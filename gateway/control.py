"""The vendor's own switch of who may speak: moving it, and following it. Pure.

What it says is how it is: our lease follows it. Where our AI answers we are the bot, elsewhere the desk.
"""

from adapters.manifest import Capability
from adapters.model import Control, ReleaseControl, TakeControl
from gateway import acts
from gateway.scene import Occasion, Scene, Stage
from sync.priority import Priority
from sync.thread import HandOffState

_ELSEWHERE = frozenset({Control.OFFERED_AWAY, Control.THEIRS, Control.RELEASED, Control.OFFERED_TO_US})


def note(scene: Scene, told: Control) -> bool:
    """Remember where the switch stands; whether that is new."""
    conversation = scene.thread.conversation
    if told in {Control.REFUSED, Control.UNKNOWN} or conversation.control == told:
        return False
    conversation.control = told.value
    conversation.dirty = True
    return True


def take_back(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """Have the right to speak again that was given or offered away."""
    if scene.thread.conversation.control in _ELSEWHERE:
        _take(stage, scene, occasion)


def claim(stage: Stage, scene: Scene, hand_off: HandOffState, occasion: Occasion) -> None:
    """Somebody at our desk takes what was offered to us."""
    if scene.thread.conversation.control == Control.OFFERED_TO_US:
        _take(stage, scene, occasion, hand_off=hand_off.ref)


def accept(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """Take what is offered to us, as the bot."""
    _take(stage, scene, occasion)


def release(stage: Stage, scene: Scene, why: str, occasion: Occasion) -> None:
    """Give back what was given to us, as the desk."""
    conversation = scene.thread.conversation
    ours = conversation.control in {Control.OURS, Control.OFFERED_TO_US}
    as_desk = not stage.has_ai(conversation.connection)
    if ours and as_desk and stage.can(conversation.connection, Capability.RELEASE_CONTROL):
        note(scene, Control.RELEASED)
        command = ReleaseControl(key=stage.new_key(), conversation_id=conversation.id, reason=why)
        acts.send(stage, scene, command, occasion, priority=Priority.STATUS)


def _take(stage: Stage, scene: Scene, occasion: Occasion, *, hand_off: int | None = None) -> None:
    conversation = scene.thread.conversation
    if stage.can(conversation.connection, Capability.TAKE_CONTROL):
        command = TakeControl(key=stage.new_key(), conversation_id=conversation.id)
        acts.send(stage, scene, command, occasion, priority=Priority.HAND_OFF, hand_off=hand_off)
