"""Hand-offs: offered, claimed in time or not, and what then. Pure."""

from datetime import timedelta

import msgspec

from adapters.model import Status
from gateway import acts
from gateway.scene import Occasion, Scene, Stage
from rules import turns
from rules.policy import Fallback, HandOff, Receiver
from sync.lease import HandedOff, Returned
from sync.priority import Priority
from sync.thread import HandOffState


def hand_off(stage: Stage, scene: Scene, action: HandOff, occasion: Occasion) -> None:
    """A rule gives the conversation to people: nobody may speak until one of them comes."""
    people = scene.thread.people
    back = action.same_people and people.returns > 0
    turns.end(scene.history, "person")
    acts.move_lease(stage, scene, HandedOff(), f"rule:{occasion.rule}", occasion)
    _offer(
        stage,
        scene,
        HandOffState(
            ref=stage.refs.next(),
            conversation_ref=scene.thread.ref,
            state="offered",
            to=action.to.value,
            queue=people.queue if back and people.queue else action.queue,
            priority=action.priority.value,
            rule=occasion.rule,
            decision_ref=occasion.decision_ref,
            package={},
            meant_for=people.agent if back else None,
            offered_at=stage.now,
        ),
        accept_within=action.accept_within,
        otherwise=action.otherwise,
    )
    _tell(stage, scene, action.say, occasion)
    # The package needs the whole transcript: `gateway.lanes` reads it and writes the note.
    acts.set_status(stage, scene, Status.OPEN, occasion, priority=Priority.HAND_OFF)


def expire(stage: Stage, scene: Scene, ref: int, occasion: Occasion) -> None:
    """Nobody has claimed an offer in time: it goes where its policy says, unless it has ended meanwhile."""
    offered = scene.thread.hand_off
    if offered is None or (offered.ref, offered.state) != (ref, "offered") or offered.otherwise is None:
        return
    plan = msgspec.convert(offered.otherwise, Fallback)
    because = msgspec.structs.replace(occasion, decision_ref=offered.decision_ref, rule=offered.rule)
    scene.expired.append(offered.rule)
    acts.end_hand_off(stage, scene, "expired")
    if plan.to is not Receiver.AI:
        _offer_again(stage, scene, offered, plan, cause="not_claimed")
    elif scene.thread.people.returns >= stage.settings.voice.most_returns:
        _offer_again(stage, scene, offered, plan, cause="too_many_returns")
        return
    else:
        acts.move_lease(stage, scene, Returned(), "nobody_came", because)
        acts.set_status(stage, scene, Status.PENDING, because)
    _tell(stage, scene, plan.say, because)


def _offer_again(stage: Stage, scene: Scene, before: HandOffState, plan: Fallback, *, cause: str) -> None:
    _offer(
        stage,
        scene,
        HandOffState(
            ref=stage.refs.next(),
            conversation_ref=before.conversation_ref,
            state="offered",
            to=before.to if plan.to is Receiver.AI else plan.to.value,
            queue=plan.queue or before.queue,
            priority=plan.priority.value if plan.priority else before.priority,
            rule=before.rule,
            decision_ref=before.decision_ref,
            package={},
            cause=cause,
            follows=before.ref,
            offered_at=stage.now,
        ),
        accept_within=plan.accept_within,
        otherwise=plan.otherwise,
    )


def _offer(
    stage: Stage,
    scene: Scene,
    offer: HandOffState,
    *,
    accept_within: timedelta,
    otherwise: Fallback | None,
) -> None:
    offer.dirty = True
    if otherwise is not None:
        offer.accept_by = stage.now + accept_within
        offer.otherwise = msgspec.to_builtins(otherwise)
    scene.thread.hand_off = offer


def _tell(stage: Stage, scene: Scene, key: str | None, occasion: Occasion) -> None:
    if key is not None:
        text = stage.policies.phrase(key, scene.thread.conversation.language)
        acts.say(stage, scene, text, occasion)
