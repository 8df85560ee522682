"""What follows when a message that the vendor had accepted failed after all. Pure."""

from msgspec.structs import replace

from adapters.model import MessageFailed
from gateway import acts
from gateway.scene import Occasion, Scene, Stage
from rules.turns import TurnState
from rules.verdict import AnswerState
from sync.echo import Sent
from sync.thread import Failed

WHY = "not_delivered"


def take(stage: Stage, scene: Scene, change: MessageFailed, occasion: Occasion) -> bool:
    """Park what failed, or have it sent again. Whether a turn of the AI has failed by that."""
    sent = next((each for each in scene.thread.ledger if _is(each, change)), None)
    if sent is None or sent.state not in {"done", "in_flight"}:
        return False
    again = change.temporary and occasion.live
    reason = change.reason or "the vendor gave no reason"
    scene.thread.failed.append(Failed(ref=sent.ref, reason=reason, at=change.occurred_at, again=again))
    scene.thread.note(replace(sent, state="parked"))
    turn = _turn(scene, sent)
    if again or turn is None or turn.answer is None:
        return False
    turn.answer = {**turn.answer, "state": AnswerState.FAILED.value, "failure": WHY}
    turn.dirty = True
    if occasion.live:
        acts.judge(stage, scene)
    return occasion.live


def _is(sent: Sent, change: MessageFailed) -> bool:
    if sent.kind not in {"reply", "note"}:
        return False
    by_token = change.token is not None and sent.key == change.token
    return by_token or (change.message_id is not None and sent.remote_id == change.message_id)


def _turn(scene: Scene, sent: Sent) -> TurnState | None:
    """The turn that the AI answered with it."""
    if sent.epoch is None or sent.turn is None:
        return None
    return next((turn for turn in scene.history.turns if turn.number == sent.turn), None)
