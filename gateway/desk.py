"""What agents of the built-in desk may do with a hand-off, and what follows. Pure."""

from enum import StrEnum

from adapters import model
from adapters.manifest import Capability
from adapters.model import Author, DeskActed
from config.settings import Settings
from gateway import acts, control
from gateway.scene import Occasion, Scene, Stage
from rules.policy import Side
from sync.lease import Claimed
from sync.thread import person_json, person_of


class DeskAction(StrEnum):
    """What an agent does."""

    CLAIM = "claim"
    REPLY = "reply"
    RESOLVE = "resolve"
    RETURN = "return"
    BOT_REPLY = "bot_reply"
    """Of a robot at a desk elsewhere."""
    DELETE = "delete"
    """Of the ticket, at a desk elsewhere."""
    LEAVE = "leave"
    """Of a person at a desk elsewhere, who is through with nothing: others there may come."""
    LEAVE_TO_BOT = "leave_to_bot"
    """The same where a robot answers first."""


def refusal(stage: Stage, scene: Scene, change: DeskActed) -> str | None:
    """Why the agent may not do this now, in words for them; `None` when they may."""
    why = _not_theirs(scene, change)
    if why is None and change.attachments:
        home, channel = scene.thread.conversation.connection, scene.thread.conversation.channel
        able = stage.can(home, Capability.SEND_ATTACHMENTS)
        why = files_refused(stage.settings, home, channel, able=able)
    returns = scene.thread.people.returns
    if why is None and change.action == DeskAction.RETURN and returns >= stage.settings.voice.most_returns:
        return f"it went back to the AI {returns} times already: it stays with people until it is resolved"
    return why


def files_refused(settings: Settings, connection: str, channel: str, *, able: bool) -> str | None:
    """Why no files can be sent there, in words for the agent; `None` when they can. `able`: the vendor is."""
    if not able:
        return f"{connection} can't be sent files"
    if not settings.channels.of(channel).takes_files:
        return f"no files are sent on this channel ({channel})"
    return None


def _not_theirs(scene: Scene, change: DeskActed) -> str | None:
    hand_off = scene.thread.hand_off
    if hand_off is None or hand_off.ref != change.hand_off:
        return "this hand-off has ended"
    if hand_off.to not in {Side.DESK, Side.SAAS}:
        return f"it was handed to {hand_off.to}: it is worked there"
    holder = person_of(hand_off.agent)
    if holder is None:
        return None if change.action == DeskAction.CLAIM else "claim it first"
    return None if holder.id == change.agent.id else f"{holder.name or holder.id} has claimed it"


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
            control.claim(stage, scene, hand_off, occasion)
            acts.move_lease(stage, scene, Claimed(change.agent), "desk_claimed", occasion)
        case DeskAction.REPLY:
            acts.move_lease(stage, scene, Claimed(change.agent), "desk_spoke", occasion)
            reply = model.Reply(
                key=stage.new_key(),
                conversation_id=scene.thread.conversation.id,
                text=change.text or "",
                author=Author.AGENT,
                person=change.agent,
                attachments=change.attachments,
            )
            acts.reply_as(stage, scene, reply, occasion)
        case DeskAction.RESOLVE:
            acts.set_status(stage, scene, model.Status.RESOLVED, occasion)
            acts.close(stage, scene, occasion)
            control.release(stage, scene, "resolved", occasion)
        case DeskAction.RETURN:
            acts.give_back(stage, scene, "returned", occasion)
            acts.set_status(stage, scene, model.Status.PENDING, occasion)
            control.release(stage, scene, "returned", occasion)
        case DeskAction.BOT_REPLY | DeskAction.DELETE | DeskAction.LEAVE | DeskAction.LEAVE_TO_BOT:
            pass  # there are neither robots nor tickets at the built-in desk
