"""What agents of the built-in desk may do with a hand-off, and what follows. Pure."""

from enum import StrEnum

from adapters import model
from adapters.model import Author, DeskActed
from gateway import acts
from gateway.scene import Occasion, Scene, Stage
from sync.lease import Claimed, Returned
from sync.priority import Priority
from sync.thread import person_json, person_of


class DeskAction(StrEnum):
    """What an agent does."""

    CLAIM = "claim"
    REPLY = "reply"
    RESOLVE = "resolve"
    RETURN = "return"


def refusal(stage: Stage, scene: Scene, change: DeskActed) -> str | None:
    """Why the agent may not do this now, in words for them; `None` when they may."""
    why = _not_theirs(scene, change)
    returns = scene.thread.people.returns
    if why is None and change.action == DeskAction.RETURN and returns >= stage.settings.voice.most_returns:
        return f"it went back to the AI {returns} times already: it stays with people until it is resolved"
    return why


def _not_theirs(scene: Scene, change: DeskActed) -> str | None:
    hand_off = scene.thread.hand_off
    if hand_off is None or hand_off.ref != change.hand_off:
        return "this hand-off has ended"
    holder = person_of(hand_off.agent)
    if change.action == DeskAction.CLAIM:
        if holder is not None and holder.id != change.agent.id:
            return f"{holder.name or holder.id} has claimed it"
        return None
    if holder is None:
        return "claim it first"
    if holder.id != change.agent.id:
        return f"{holder.name or holder.id} has claimed it"
    return None


def act(stage: Stage, scene: Scene, change: DeskActed, occasion: Occasion) -> None:
    """Carry out what an agent did; nothing when they may not."""
    hand_off = scene.thread.hand_off
    if hand_off is None or refusal(stage, scene, change) is not None:
        return
    match DeskAction(change.action):
        case DeskAction.CLAIM:
            hand_off.state = "claimed"
            hand_off.agent = person_json(change.agent)
            hand_off.claimed_at = hand_off.claimed_at or stage.now
            hand_off.dirty = True
            acts.move_lease(stage, scene, Claimed(change.agent), "desk_claimed", occasion)
        case DeskAction.REPLY:
            acts.move_lease(stage, scene, Claimed(change.agent), "desk_spoke", occasion)
            reply = model.Reply(
                key=stage.new_key(),
                conversation_id=scene.thread.conversation.id,
                text=change.text or "",
                author=Author.AGENT,
                person=change.agent,
            )
            acts.send(stage, scene, reply, occasion, priority=Priority.REPLY)
        case DeskAction.RESOLVE:
            acts.set_status(stage, scene, model.Status.RESOLVED, occasion)
            acts.close(stage, scene, occasion)
        case DeskAction.RETURN:
            acts.move_lease(stage, scene, Returned(), "returned", occasion)
            acts.set_status(stage, scene, model.Status.PENDING, occasion)
