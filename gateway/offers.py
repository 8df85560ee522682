"""Hand-offs: offered, claimed in time or not, and what then. Pure."""

from datetime import timedelta
from typing import Any

import msgspec

from adapters.manifest import Capability
from adapters.model import Status
from gateway import acts, control
from gateway.scene import Occasion, Scene, Stage
from rules import turns
from rules.policy import Fallback, HandOff, Priority, Receiver, Side
from sync.lease import HandedOff, Returned
from sync.priority import Priority as Urgency
from sync.thread import HandOffState

QUEUE = "general"


def hand_off(stage: Stage, scene: Scene, action: HandOff, occasion: Occasion) -> None:
    """A rule gives the conversation to people: nobody may speak until one of them comes."""
    people, before = scene.thread.people, scene.thread.hand_off
    back = action.same_people and people.returns > 0
    turns.end(scene.history, "person")
    acts.move_lease(stage, scene, HandedOff(), f"rule:{occasion.rule}", occasion)
    acts.end_hand_off(stage, scene, "passed_on")
    _offer(
        stage,
        scene,
        HandOffState(
            ref=stage.refs.next(),
            conversation_ref=scene.thread.ref,
            state="offered",
            to=str(action.to),
            queue=people.queue if back and people.queue else action.queue,
            priority=action.priority.value,
            rule=occasion.rule,
            decision_ref=occasion.decision_ref,
            package={},
            meant_for=people.agent if back else None,
            follows=before.ref if before else None,
            ticket=_ticket(stage, before, str(action.to)),
            offered_at=stage.now,
        ),
        accept_within=action.accept_within,
        otherwise=action.otherwise,
    )
    _tell(stage, scene, action.say, occasion)
    # The package needs the whole transcript: `gateway.packing` reads it and writes the note.
    acts.set_status(stage, scene, Status.OPEN, occasion, priority=Urgency.HAND_OFF)


def _ticket(stage: Stage, before: HandOffState | None, to: str) -> str | None:
    """Where a bot of that desk has it already: there, if the vendor can give it to people."""
    goes_on = before is not None and before.to == to and stage.can(to, Capability.HAND_OVER)
    return before.ticket if before is not None and goes_on else None


def passed(stage: Stage, scene: Scene, metadata: dict[str, Any], cause: str) -> None:
    """The vendor's switch gives us a conversation, as its desk: it waits for somebody of ours."""
    queue, priority = metadata.get("queue"), metadata.get("priority")
    urgent = priority if priority in {each.value for each in Priority} else Priority.NORMAL.value
    scene.passed = metadata
    _put(
        stage, scene, queue=queue if isinstance(queue, str) and queue else QUEUE, priority=urgent, cause=cause
    )


def to_own_desk(stage: Stage, scene: Scene, cause: str) -> None:
    """Nobody else may or will have it: it waits for somebody of ours."""
    _put(stage, scene, queue=scene.thread.people.queue or QUEUE, priority=Priority.NORMAL.value, cause=cause)


def _put(stage: Stage, scene: Scene, *, queue: str, priority: str, cause: str) -> None:
    scene.thread.hand_off = HandOffState(
        ref=stage.refs.next(),
        conversation_ref=scene.thread.ref,
        state="offered",
        to=Side.DESK.value,
        queue=queue,
        priority=priority,
        rule="",
        decision_ref=None,
        package={},
        cause=cause,
        offered_at=stage.now,
        dirty=True,
    )


def expire(stage: Stage, scene: Scene, ref: int, occasion: Occasion) -> None:
    """Nobody has claimed an offer in time: it goes where its policy says, unless it has ended meanwhile."""
    offered = scene.thread.hand_off
    if offered is None or (offered.ref, offered.state) != (ref, "offered") or offered.otherwise is None:
        return
    scene.expired.append(offered.rule)
    _follow(stage, scene, offered, occasion, cause="not_claimed")


def decline(stage: Stage, scene: Scene, offered: HandOffState, occasion: Occasion, *, cause: str) -> None:
    """Nobody is there to take it: what was to happen in the end happens now, or else our own desk has it."""
    _follow(stage, scene, offered, occasion, cause=cause)


def _follow(stage: Stage, scene: Scene, offered: HandOffState, occasion: Occasion, *, cause: str) -> None:
    plan = Fallback(to=Receiver.DESK)
    if offered.otherwise is not None:
        plan = msgspec.convert(offered.otherwise, Fallback)
    because = msgspec.structs.replace(occasion, decision_ref=offered.decision_ref, rule=offered.rule)
    acts.end_hand_off(stage, scene, "expired")
    if plan.to != Receiver.AI:
        _offer_again(stage, scene, offered, plan, cause=cause)
    elif scene.thread.people.returns >= stage.settings.voice.most_returns:
        _offer_again(stage, scene, offered, plan, cause="too_many_returns")
        return
    else:
        voice = stage.first_voice(scene.thread.conversation.connection)
        acts.move_lease(stage, scene, Returned(voice), "nobody_came", because)
        acts.set_status(stage, scene, Status.PENDING, because)
    control.take_back(stage, scene, because)
    _tell(stage, scene, plan.say, because)


def _offer_again(stage: Stage, scene: Scene, before: HandOffState, plan: Fallback, *, cause: str) -> None:
    _offer(
        stage,
        scene,
        HandOffState(
            ref=stage.refs.next(),
            conversation_ref=before.conversation_ref,
            state="offered",
            to=_again_to(before, plan),
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


def _again_to(before: HandOffState, plan: Fallback) -> str:
    """Who gets it now. Where the AI may not have it any more, people do; at a desk elsewhere nobody came."""
    if plan.to != Receiver.AI:
        return str(plan.to)
    return before.to if before.to in {Side.DESK, Side.SAAS} else Side.DESK.value


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
