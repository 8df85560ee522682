"""Carrying out what a rule decided. Pure."""

from typing import assert_never

import msgspec

from adapters import model
from gateway import acts, offers
from gateway.scene import Occasion, Scene, Stage
from rules import policy
from rules.engine import Decision, Fired


def carry_out(stage: Stage, scene: Scene, decision: Decision, occasion: Occasion) -> None:
    """Record a decision and turn its actions into commands."""
    turn = scene.history.current
    ref = stage.refs.next()
    held = scene.thread.lease
    scene.fired.append(Fired(decision.policy, decision.rule, turn.number if turn else 0, held.epoch))
    scene.decisions.append(
        {
            "ref": ref,
            "conversation_ref": scene.thread.ref,
            "turn": turn.number if turn else None,
            "epoch": held.epoch,
            "policy": decision.policy,
            "revision": decision.revision,
            "rule": decision.rule,
            "actions": msgspec.to_builtins(decision.actions),
            "inputs": decision.inputs,
            "event_ref": occasion.event_ref,
            "decided_at": stage.now,
        }
    )
    because = msgspec.structs.replace(occasion, decision_ref=ref, rule=decision.rule)
    for action in decision.actions:
        _act(stage, scene, action, because)


def _act(stage: Stage, scene: Scene, action: policy.Action, occasion: Occasion) -> None:
    conversation = scene.thread.conversation
    match action:
        case policy.HandOff():
            offers.hand_off(stage, scene, action, occasion)
        case policy.Say():
            text = stage.policies.phrase(action.message, conversation.language)
            acts.say(stage, scene, text, occasion)
        case policy.Note():
            note = model.Note(key=stage.new_key(), conversation_id=conversation.id, text=action.text)
            acts.send(stage, scene, note, occasion)
        case policy.Tag():
            acts.change_tags(stage, scene, action.add, action.remove, occasion)
        case policy.SetStatus():
            acts.set_status(stage, scene, action.status, occasion)
        case policy.Assign():
            acts.assign(stage, scene, action.agent, action.team, occasion)
        case _:
            assert_never(action)
