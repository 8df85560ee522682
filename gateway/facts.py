"""The facts that policies read, gathered from what is on the stage. Pure."""

from datetime import timedelta
from typing import Any

from adapters.model import Channel, Status
from gateway.scene import Occasion, Scene, Stage
from rules import facts as vocabulary
from rules.facts import Facts
from rules.signals import SignalName, asked_for_person, did_not_help
from rules.turns import OTHER_BOT, TurnState, failed_in_a_row
from rules.verdict import AnswerState, Outcome
from sync.lease import Holder
from sync.thread import CustomerState


def gather(stage: Stage, scene: Scene, occasion: Occasion) -> Facts:
    """What is known about a conversation now."""
    conversation, held = scene.thread.conversation, scene.thread.lease
    # Where a robot at the desk has the word, nobody waits in a queue.
    waits_in = scene.thread.hand_off if held.holder is not Holder.OTHER_BOT else None
    turn = scene.history.current
    waiting = timedelta()
    if turn is not None and turn.unanswered:
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
            queue=waits_in.queue if waits_in else "",
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
        answered_by=_answered_by(turn),
        verdict=Outcome(turn.verdict),
        signals=tuple(SignalName(signal["name"]) for signal in turn.signals),
        asked_for_person=any(asked_for_person(text) for text in turn.words),
        did_not_help=any(did_not_help(text) for text in turn.words),
    )


def _answered_by(turn: TurnState) -> vocabulary.Bot:
    if turn.answer is None:
        return vocabulary.Bot.NONE
    return vocabulary.Bot.OTHER_BOT if turn.is_others else vocabulary.Bot.AI


def _sureness(answer: dict[str, Any]) -> float:
    """How sure an answer was; a bot that doesn't say is taken at its word, as verdicts take it."""
    told: float | None = answer.get("confidence")
    if told is None and answer.get("by") == OTHER_BOT and answer["state"] == AnswerState.SENT:
        return 1.0
    return told or 0.0


def _ai(scene: Scene) -> vocabulary.AiFacts:
    stretch = scene.history.stretch(scene.thread.bots_since)
    answers = [turn.answer for turn in scene.history.turns if turn.answer]
    latest = answers[-1] if answers else {}
    return vocabulary.AiFacts(
        turns=len(stretch),
        failed_turns=failed_in_a_row(stretch),
        returns=scene.thread.people.returns,
        failed_turns_total=sum(turn.verdict == Outcome.UNRESOLVED for turn in scene.history.turns),
        confidence=_sureness(latest),
        last_failure=latest.get("failure") or "",
    )
