"""The facts that policies read, gathered from what is on the stage. Pure."""

from datetime import timedelta

from adapters.model import Channel, Status
from gateway.scene import Occasion, Scene, Stage
from rules import facts as vocabulary
from rules.facts import Facts
from rules.signals import SignalName, asked_for_person, did_not_help
from rules.turns import TurnState, failed_in_a_row
from rules.verdict import Outcome
from sync.thread import CustomerState


def gather(stage: Stage, scene: Scene, occasion: Occasion) -> Facts:
    """What is known about a conversation now."""
    conversation, held = scene.thread.conversation, scene.thread.lease
    turn = scene.history.current
    waiting = timedelta()
    if turn is not None and turn.state == "collecting" and not turn.ended_by:
        waiting = max(waiting, stage.now - turn.opened_at)
    return Facts(
        now=stage.now,
        origin=occasion.origin,
        waiting=waiting,
        conversation=vocabulary.ConversationFacts(
            connection=conversation.connection,
            channel=Channel(conversation.channel),
            status=Status(conversation.status),
            tags=tuple(conversation.tags),
            language=conversation.language,
            queue=scene.thread.hand_off.queue if scene.thread.hand_off else "",
        ),
        customer=_customer(stage, scene.thread.customer),
        message=_message(turn),
        turn=_turn(turn),
        ai=_ai(scene),
        lease=vocabulary.LeaseFacts(holder=vocabulary.Holder(held.holder.value), epoch=held.epoch),
    )


def _customer(stage: Stage, customer: CustomerState | None) -> vocabulary.CustomerFacts:
    if customer is None:
        return vocabulary.CustomerFacts()
    vip, attributes = stage.settings.vip, customer.whole_attributes
    return vocabulary.CustomerFacts(
        name=customer.whole_name,
        vip=str(attributes.get(vip.attribute, "")).lower() in vip.values,
        attributes=attributes,
    )


def _message(turn: TurnState | None) -> vocabulary.MessageFacts:
    words = turn.words if turn else ()
    return vocabulary.MessageFacts(text="\n".join(words), count=len(words))


def _turn(turn: TurnState | None) -> vocabulary.TurnFacts:
    if turn is None:
        return vocabulary.TurnFacts()
    return vocabulary.TurnFacts(
        number=turn.number,
        answer=turn.answer_state,
        verdict=Outcome(turn.verdict),
        signals=tuple(SignalName(signal["name"]) for signal in turn.signals),
        asked_for_person=any(asked_for_person(text) for text in turn.words),
        did_not_help=any(did_not_help(text) for text in turn.words),
    )


def _ai(scene: Scene) -> vocabulary.AiFacts:
    stretch = scene.history.stretch(scene.thread.lease.epoch)
    answers = [turn.answer for turn in scene.history.turns if turn.answer]
    latest = answers[-1] if answers else {}
    return vocabulary.AiFacts(
        turns=len(stretch),
        failed_turns=failed_in_a_row(stretch),
        returns=scene.thread.people.returns,
        failed_turns_total=sum(turn.verdict == Outcome.UNRESOLVED for turn in scene.history.turns),
        confidence=latest.get("confidence") or 0.0,
        last_failure=latest.get("failure") or "",
    )
