"""What the house does: lease moves, questions to the AI, replies. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never

import msgspec

from adapters import model
from adapters.manifest import Capability
from adapters.model import AnswerPrepared, Author
from gateway import package, speaking
from gateway.scene import AI, Answering, Occasion, Scene, Stage
from gateway.thin import Fetching
from rules import turns
from rules.turns import TurnState
from rules.verdict import AnswerState
from sync.lease import (
    Closed,
    DeskBotTook,
    Happening,
    Holder,
    OtherBotFellSilent,
    OtherBotSpoke,
    Returned,
)
from sync.lease import advance as advance_lease
from sync.overlap import crossed
from sync.priority import Priority
from sync.thread import (
    LeaseMove,
    MessageState,
    NewCommand,
    Overlap,
    PeoplePast,
    person_of,
)

EARLIER_TEXTS = 4
BESIDE_ANOTHER_BOT = "another bot has the word"
"""Why what a rule would have our AI say is only kept on record."""
Sendable = model.Command | Answering | Fetching
"""What the outbox takes."""


def move_lease(stage: Stage, scene: Scene, happening: Happening, cause: str, occasion: Occasion) -> None:
    """Let `happening` move the lease; when it leaves the AI, what the AI was about to say is withdrawn."""
    thread = scene.thread
    before = thread.lease
    thread.lease = advance_lease(before, happening, now=stage.now)
    if thread.lease is before:
        return
    thread.lease_moves.append(
        LeaseMove(ref=stage.refs.next(), lease=thread.lease, cause=cause, event_ref=occasion.event_ref)
    )
    if before.holder is Holder.AI:
        thread.silenced += [AI, thread.conversation.connection]
    if isinstance(happening, OtherBotSpoke | OtherBotFellSilent | DeskBotTook):
        turns.pass_on(scene.history, thread.lease.epoch)
    if not isinstance(happening, OtherBotSpoke | OtherBotFellSilent):
        thread.bots_since = thread.lease.epoch
    if isinstance(happening, Returned | Closed):
        _begin_again(stage, scene, happening)
    _part(stage, scene)


def _part(stage: Stage, scene: Scene) -> None:
    """Who has the word now leaves nothing open of who had it before."""
    match scene.thread.lease.holder:
        case Holder.SAAS_AGENT:
            turns.end(scene.history, "person")
            end_hand_off(stage, scene, "taken")
        case Holder.DESK_AGENT:
            turns.end(scene.history, "person")
        case Holder.OTHER_BOT:
            turns.leave(scene.history)
        case Holder.AI | Holder.NOBODY:
            pass
        case _:
            assert_never(scene.thread.lease.holder)


def _begin_again(stage: Stage, scene: Scene, happening: Returned | Closed) -> None:
    """A bot has it again: from people, who are remembered, or for a new matter."""
    thread = scene.thread
    if happening.to is Holder.NOBODY:
        return
    match happening:
        case Returned():
            thread.people = msgspec.structs.replace(thread.people, returns=thread.people.returns + 1)
            end_hand_off(stage, scene, "returned")
        case Closed():
            thread.people = PeoplePast()
            end_hand_off(stage, scene, "resolved")
        case _:
            assert_never(happening)


def close(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """The conversation was resolved: its last turn gets its verdict, and the AI, if any, its lease."""
    turns.end(scene.history, "closed")
    if occasion.live:
        judge(stage, scene)
    voice = stage.first_voice(scene.thread.conversation.connection)
    move_lease(stage, scene, Closed(voice), "resolved", occasion)
    end_hand_off(stage, scene, "resolved")


def give_back(stage: Stage, scene: Scene, cause: str, occasion: Occasion) -> None:
    """People are through with it: whoever answers first there has it again."""
    voice = stage.first_voice(scene.thread.conversation.connection)
    move_lease(stage, scene, Returned(voice), cause, occasion)
    end_hand_off(stage, scene, "returned")


def judge(stage: Stage, scene: Scene) -> None:
    """Judge the latest turns anew."""
    changed = turns.judge_latest(scene.history, stage.policies.measures, now=stage.now)
    scene.verdicts.extend(turn.verdict for turn in changed)


def overhear(scene: Scene, text: str, said_at: datetime | None = None) -> bool:
    """Take what another bot says for its answer, where it has the word; whether that is the latest turn's."""
    theirs = scene.thread.lease.holder is Holder.OTHER_BOT
    return theirs and turns.overhear(scene.history, text, said_at=said_at)


def note_overlap(stage: Stage, scene: Scene, message: MessageState, occasion: Occasion) -> None:
    """Note it when a person spoke in the moment in which a reply of the AI was on its way."""
    if not occasion.live:
        return
    thread = scene.thread
    heard_at = min(message.seen_at, occasion.received_at or message.seen_at)
    found = crossed(message, thread.ledger, heard_at=heard_at, ai_since=thread.lease.since)
    if found is None:
        return
    reply, kind = found
    thread.overlaps.append(
        Overlap(
            ref=stage.refs.next(),
            conversation_ref=thread.ref,
            command_ref=reply.ref,
            message_ref=message.ref,
            person=message.person,
            kind=kind,
            spoke_at=message.sent_at,
            heard_at=heard_at,
            event_ref=occasion.event_ref,
        )
    )


def end_hand_off(stage: Stage, scene: Scene, state: str) -> None:
    """The open hand-off, if there is one, has come to this."""
    hand_off = scene.thread.hand_off
    if hand_off is not None:
        hand_off.state = state
        hand_off.ended_at = stage.now
        hand_off.dirty = True
        scene.thread.ended_hand_offs.append(hand_off)
        scene.thread.hand_off = None


def send(
    stage: Stage,
    scene: Scene,
    command: Sendable,
    occasion: Occasion,
    *,
    connection: str | None = None,
    priority: Priority = Priority.FIELDS,
    ready_at: datetime | None = None,
    for_ai: bool = False,
    turn: int | None = None,
    hand_off: int | None = None,
) -> None:
    """Put a command into the outbox; one `for_ai` is only carried out under the present epoch.

    What is said to the customer goes out by the manners of the channel: no way to speak leads past them.
    """
    thread = scene.thread
    home = thread.conversation.connection
    ready, epoch = ready_at or stage.now, thread.lease.epoch if for_ai else None

    def put(what: Sendable, where: str, answers: int | None, held_back: str | None = None) -> None:
        new = new_command(stage, what, occasion, connection=where)
        new.priority, new.turn, new.hand_off = priority, answers, hand_off
        new.ready_at, new.epoch, new.held_back = ready, epoch, held_back
        thread.commands.append(new)

    if not isinstance(command, model.Reply) or (connection or home) != home or scene.origin is not None:
        put(command, connection or home, turn)
        return
    if for_ai and thread.lease.holder is Holder.OTHER_BOT:
        put(command, home, turn, BESIDE_ANOTHER_BOT)
        return
    for each in speaking.utter(stage, scene, command, turn):
        put(each.command, each.connection, turn if each.first else None, each.held_back)


def new_command(stage: Stage, command: Sendable, occasion: Occasion, *, connection: str) -> NewCommand:
    """A command for the outbox, about whatever it is put down for."""
    return NewCommand(
        ref=stage.refs.next(),
        connection=connection,
        command=command,
        kind=str(type(command).__struct_config__.tag),
        key=command.key,
        created_at=stage.now,
        ready_at=stage.now,
        priority=Priority.FIELDS,
        decision_ref=occasion.decision_ref,
        event_ref=occasion.event_ref,
    )


def ask_ai(stage: Stage, scene: Scene, turn: TurnState, occasion: Occasion, *, ready_at: datetime) -> None:
    """Ask for an answer to a turn; a question about a shorter burst that still waits is withdrawn."""
    thread = scene.thread
    if turn.generation > 1:
        thread.silenced.append(AI)
        thread.commands = [c for c in thread.commands if c.connection != AI]
    asked = [text for past in scene.history.stretch(thread.bots_since)[:-1] for text in past.words]
    earlier = list(dict.fromkeys([*thread.people.words, *asked]))
    question = Answering(
        key=f"answer-{turn.ref}-{turn.generation}",
        conversation_id=thread.conversation.id,
        turn=turn.number,
        generation=turn.generation,
        texts=turn.words,
        earlier=tuple(earlier[-EARLIER_TEXTS:]),
        language=None if thread.conversation.language == "und" else thread.conversation.language,
        channel=thread.conversation.channel,
    )
    send(
        stage,
        scene,
        question,
        occasion,
        connection=AI,
        ready_at=ready_at,
        priority=Priority.REPLY,
        for_ai=True,
        turn=turn.number,
    )


def answer_record(answer: AnswerPrepared) -> dict[str, Any]:
    """An answer as the turn keeps it."""
    match answer.failure:
        case None:
            state = AnswerState.SENT
        case "nothing_found":
            state = AnswerState.NOTHING_FOUND
        case "timed_out":
            state = AnswerState.TIMED_OUT
        case "refused":
            state = AnswerState.REFUSED
        case _:
            state = AnswerState.FAILED
    return {
        "by": Holder.AI.value,
        "state": state.value,
        "text": answer.text,
        "confidence": answer.confidence,
        "language": answer.language,
        "citations": list(answer.citations),
        "failure": answer.failure,
    }


def speak_answer(
    stage: Stage, scene: Scene, turn: TurnState, answer: AnswerPrepared, occasion: Occasion
) -> None:
    """Say the answer, or say honestly that there is none."""
    language = scene.thread.conversation.language
    if answer.text is None:
        key = "answer.nothing_found" if answer.failure == "nothing_found" else "answer.failed"
        text = stage.policies.phrase(key, language)
    else:
        text = answer.text
        if stage.settings.answers.show_sources:
            text += package.sources(answer.citations, answer.language)
    say(stage, scene, text, occasion, turn=turn.number)


def say(
    stage: Stage,
    scene: Scene,
    text: str,
    occasion: Occasion,
    *,
    turn: int | None = None,
) -> None:
    """Say something as the AI, if its epoch still holds when the time to send comes."""
    reply = model.Reply(
        key=stage.new_key(), conversation_id=scene.thread.conversation.id, text=text, author=Author.AI
    )
    send(stage, scene, reply, occasion, priority=Priority.REPLY, for_ai=True, turn=turn)


def reply_as(
    stage: Stage, scene: Scene, reply: model.Reply, occasion: Occasion, *, hand_off: int | None = None
) -> None:
    """Pass on what somebody said at a desk."""
    send(stage, scene, reply, occasion, priority=Priority.REPLY, hand_off=hand_off)


def spoken_at(scene: Scene) -> Iterator[datetime]:
    """When the AI spoke here lately, or decided to."""
    yield from (s.created_at for s in scene.thread.ledger if s.kind == "reply" and s.epoch is not None)
    yield from (c.created_at for c in scene.thread.commands if c.kind == "reply" and c.epoch is not None)


def change_tags(
    stage: Stage, scene: Scene, add: Sequence[str], remove: Sequence[str], occasion: Occasion
) -> None:
    """Add and remove tags at the helpdesk; nothing when they are as wanted already."""
    conversation = scene.thread.conversation
    missing = tuple(tag for tag in dict.fromkeys(add) if tag not in conversation.tags)
    present = tuple(tag for tag in dict.fromkeys(remove) if tag in conversation.tags and tag not in add)
    if missing or present:
        command = model.ChangeTags(
            key=stage.new_key(), conversation_id=conversation.id, add=missing, remove=present
        )
        send(stage, scene, command, occasion)


def assign(stage: Stage, scene: Scene, agent: str | None, team: str | None, occasion: Occasion) -> None:
    """Assign the conversation at the helpdesk; nothing when that agent has it already.

    Which team has it isn't known here, so one that is named is always told.
    """
    conversation = scene.thread.conversation
    holder = person_of(conversation.assignee)
    if team is None and agent is not None and holder is not None and holder.id == agent:
        return
    command = model.Assign(
        key=stage.new_key(), conversation_id=conversation.id, assignee_id=agent, team_id=team
    )
    send(stage, scene, command, occasion, priority=Priority.HAND_OFF)


def set_status(
    stage: Stage,
    scene: Scene,
    status: model.Status,
    occasion: Occasion,
    *,
    priority: Priority = Priority.STATUS,
) -> None:
    """Move the conversation's status here and, where it has one, at the helpdesk; nothing when it is so."""
    conversation = scene.thread.conversation
    if conversation.status == status:
        return
    if not stage.can(conversation.connection, Capability.SET_STATUS):
        return
    conversation.status = status.value
    conversation.dirty = True
    command = model.SetStatus(key=stage.new_key(), conversation_id=conversation.id, status=status)
    send(stage, scene, command, occasion, priority=priority)
