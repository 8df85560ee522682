"""A hand-off to a desk at another vendor: the words of both sides carried over. Pure.

The customer stays at the helpdesk, its people work in a conversation that was opened for them, a ticket. What
they do there are deeds at a desk, as at the built-in one: events in the lane of the customer's conversation.
"""

from typing import assert_never

from msgspec import UNSET

from adapters import model
from adapters.manifest import Capability
from adapters.model import (
    Attachment,
    Author,
    Control,
    ControlChanged,
    DeskActed,
    MessageRecord,
    Person,
    Status,
)
from gateway import acts, offers
from gateway.desk import DeskAction
from gateway.scene import Deed, Occasion, Opened, Received, Scene, Stage
from rules.policy import Side
from sync import mirror
from sync.echo import find_own
from sync.lease import Claimed, Closed, DeskBotTook, Holder
from sync.mirror import Meaning
from sync.priority import Priority
from sync.thread import ConversationState, HandOffState, MessageState, Spoken, person_json, person_of

OWN = frozenset({Side.DESK, Side.SAAS})
_LETTING_GO = {
    (Control.RELEASED, UNSET): DeskAction.RESOLVE,
    (Control.OURS, UNSET): DeskAction.RETURN,
    (Control.RELEASED, Status.OPEN): DeskAction.LEAVE,
    (Control.RELEASED, Status.PENDING): DeskAction.LEAVE_TO_BOT,
}
_TAKEN = (
    "Somebody at the helpdesk has taken it over: what is written here doesn't reach the customer any more."
)
_ENDED = "Nobody took it here in time, so it went elsewhere: what is written here doesn't reach the customer."
_DELETED = (
    "The helpdesk has deleted the conversation: what is written here doesn't reach the customer any more."
)
_TOO_LATE = "This reply was not delivered: the hand-off has ended."


def elsewhere(hand_off: HandOffState | None) -> bool:
    """Whether it goes to a desk at another vendor."""
    return hand_off is not None and hand_off.to not in OWN


def tell(stage: Stage, scene: Scene, message: Spoken | MessageState, occasion: Occasion) -> None:
    """Carry what the customer says to the desk that has the conversation."""
    hand_off = scene.thread.hand_off
    if hand_off is None or not elsewhere(hand_off) or not occasion.live:
        return
    files = _files(message, scene.thread.conversation)
    carry(stage, scene, message.text, occasion, files=files)


def carry(
    stage: Stage, scene: Scene, text: str, occasion: Occasion, *, files: tuple[Attachment, ...] = ()
) -> None:
    """Say what the customer said: in their name, or in a note where that can't be."""
    hand_off = scene.thread.hand_off
    if hand_off is None:
        return
    command: model.Reply | model.Note
    key, place = stage.new_key(), hand_off.ticket or ""
    if stage.can(hand_off.to, Capability.RELAY):
        command = model.Reply(
            key=key, conversation_id=place, text=text, author=Author.CUSTOMER, attachments=files
        )
    elif stage.can(hand_off.to, Capability.NOTE):
        customer = scene.thread.customer
        who = (customer.whole_name if customer else "") or "Customer"
        command = model.Note(key=key, conversation_id=place, text=f"{who}: {text}", attachments=files)
    else:
        return
    _send(stage, scene, hand_off, command, occasion, priority=Priority.REPLY)


def close_there(stage: Stage, scene: Scene, ended: HandOffState, occasion: Occasion) -> None:
    """The hand-off has ended: its people are told, the ticket is closed; what wasn't opened yet stays so."""
    if not elsewhere(ended) or ended.ref in scene.closed_there or _goes_on_there(scene, ended):
        return
    if ended.ticket is None:
        scene.thread.withdrawn.append(ended.ref)
        scene.thread.commands = [c for c in scene.thread.commands if c.hand_off != ended.ref]
        return
    why = {"taken": _TAKEN, "expired": _ENDED, "deleted": _DELETED}.get(ended.state)
    if why is not None and stage.can(ended.to, Capability.NOTE):
        note = model.Note(key=stage.new_key(), conversation_id=ended.ticket, text=why)
        _send(stage, scene, ended, note, occasion)
    _resolve(stage, scene, ended, occasion)


def _goes_on_there(scene: Scene, ended: HandOffState) -> bool:
    """Whether another hand-off is worked in the same ticket: a bot's there, given to its people."""
    now = scene.thread.hand_off
    return now is not None and ended.ticket is not None and (now.to, now.ticket) == (ended.to, ended.ticket)


def after(stage: Stage, scene: Scene, hand_off: HandOffState) -> None:
    """Have what was to be carried to a desk in this batch wait for its people, who are asked for just now."""
    thread = scene.thread
    later = [c for c in thread.commands if c.connection == hand_off.to and c.kind == "reply"]
    thread.commands = [c for c in thread.commands if c not in later]
    for command in later:
        command.ref, command.hand_off = stage.refs.next(), hand_off.ref
    thread.commands += later


def _resolve(stage: Stage, scene: Scene, ended: HandOffState, occasion: Occasion) -> None:
    done = _ending(stage, ended.to, ended.ticket)
    if done is not None:
        _send(stage, scene, ended, done, occasion)


def _ending(stage: Stage, desk: str, ticket: str | None) -> model.Command | None:
    """What ends a ticket: its status, or, where there is none, taking the right to speak back."""
    if ticket is not None and stage.can(desk, Capability.SET_STATUS):
        return model.SetStatus(key=stage.new_key(), conversation_id=ticket, status=Status.RESOLVED)
    if ticket is not None and stage.can(desk, Capability.TAKE_CONTROL):
        return model.TakeControl(key=stage.new_key(), conversation_id=ticket)
    return None


def _send(
    stage: Stage,
    scene: Scene,
    hand_off: HandOffState,
    command: model.Command,
    occasion: Occasion,
    *,
    priority: Priority = Priority.STATUS,
) -> None:
    acts.send(
        stage, scene, command, occasion, connection=hand_off.to, priority=priority, hand_off=hand_off.ref
    )


def opened(stage: Stage, hand_off: HandOffState, ticket: str) -> None:
    """The vendor says which conversation it opened: from now on each side knows of the other."""
    hand_off.ticket, hand_off.dirty = ticket, True
    told = Opened(conversation_id=ticket, hand_off=hand_off.ref)
    stage.deeds.append(Deed(key=f"opened/{hand_off.ref}", home=hand_off.to, told=told))


def too_late(stage: Stage, scene: Scene, received: Received, occasion: Occasion) -> None:
    """A ticket was opened for a hand-off that has ended meanwhile: nobody is to work on it."""
    done = _ending(stage, received.desk, received.ticket)
    if done is not None:
        acts.send(stage, scene, done, occasion, connection=received.desk, hand_off=received.hand_off)


def catch_up(stage: Stage, scene: Scene) -> None:
    """At the desk: what its people did before we knew for whom counts now."""
    thread = scene.thread
    ours = {sent.remote_id for sent in thread.ledger}
    for message in (*scene.said, *(m for m in thread.messages if not m.private)):
        if message.command_ref is None and message.id not in ours and not _own(scene, message):
            _said(stage, scene, message)
    assignee = person_of(thread.conversation.assignee)
    if assignee is not None:
        _do(stage, scene, DeskAction.CLAIM, assignee, f"assigned/{assignee.id}")
    if thread.conversation.status == Status.RESOLVED:
        _do(stage, scene, DeskAction.RESOLVE, assignee, "resolved")


def _own(scene: Scene, message: MessageState) -> bool:
    record = MessageRecord(
        id=message.id, author=Author(message.author), text=message.text, sent_at=message.sent_at
    )
    return find_own(record, scene.thread.ledger) is not None


def hear(stage: Stage, scene: Scene, meaning: Meaning, occasion: Occasion) -> None:
    """At the desk: what its people do there they do to the customer's conversation."""
    if scene.origin is None or not occasion.live:
        return
    match meaning:
        case mirror.AgentSpoke(message) | mirror.OtherBotSpoke(message):
            _said(stage, scene, message)
        case mirror.AgentAssigned(person):
            mark = f"assigned/{person.id}/{occasion.event_ref}"
            _do(stage, scene, DeskAction.CLAIM, person, mark)
        case mirror.Resolved(late=False):
            by = person_of(scene.thread.conversation.assignee)
            _do(stage, scene, DeskAction.RESOLVE, by, f"resolved/{occasion.event_ref}")
        case _:
            pass


def switched(stage: Stage, scene: Scene, change: ControlChanged, occasion: Occasion) -> None:
    """At the desk: its people let go by the vendor's switch.

    Where no status says what that means, it is done with if released, given back if passed to us. Where it
    isn't resolved, whoever had it has merely left.
    """
    action = _LETTING_GO.get((change.control, change.conversation.status))
    if action is not None:
        _do(stage, scene, action, change.holder, f"{change.control}/{occasion.event_ref}")


def deleted(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """At the desk: the ticket is gone."""
    if occasion.live:
        _do(stage, scene, DeskAction.DELETE, None, f"deleted/{occasion.event_ref}")


def _said(stage: Stage, scene: Scene, message: MessageState) -> None:
    by_bot = message.author == Author.AI
    action = DeskAction.BOT_REPLY if by_bot else DeskAction.REPLY
    mark = f"said/{message.id}"
    _do(stage, scene, action, person_of(message.person), mark, message=message)


def _do(
    stage: Stage,
    scene: Scene,
    action: DeskAction,
    by: Person | None,
    mark: str,
    *,
    message: MessageState | None = None,
) -> None:
    origin, here = scene.origin, scene.thread.conversation
    if origin is None:
        return
    done = DeskActed(
        conversation_id=origin.conversation_id,
        hand_off=origin.hand_off,
        action=action.value,
        agent=by or Person(here.connection),
        occurred_at=stage.now,
        text=message.text if message else None,
        desk=here.connection,
        ticket=here.id,
        attachments=_files(message, here) if message else (),
    )
    key = f"{here.connection}/{here.id}/{mark}"
    stage.deeds.append(Deed(key=key, home=origin.connection, told=done))


def act(stage: Stage, scene: Scene, change: DeskActed, occasion: Occasion) -> bool:
    """At the helpdesk: carry out what somebody did at a desk elsewhere.

    Returns whether it was a bot's answer to the latest turn, which is to be judged.
    """
    hand_off = scene.thread.hand_off
    if hand_off is None or not _concerns(change, hand_off):
        _too_late(stage, scene, change, occasion)
        return False
    match DeskAction(change.action):
        case DeskAction.CLAIM:
            _claim(stage, scene, hand_off, change, occasion)
        case DeskAction.REPLY:
            _claim(stage, scene, hand_off, change, occasion)
            _reply(stage, scene, hand_off, change, occasion, author=Author.AGENT)
        case DeskAction.BOT_REPLY:
            _reply(stage, scene, hand_off, change, occasion, author=Author.AI)
            return acts.overhear(scene, change.text or "")
        case DeskAction.RESOLVE:
            scene.closed_there.add(hand_off.ref)
            acts.set_status(stage, scene, Status.RESOLVED, occasion)
            acts.close(stage, scene, occasion)
        case DeskAction.RETURN:
            acts.give_back(stage, scene, "returned", occasion)
        case DeskAction.LEAVE | DeskAction.LEAVE_TO_BOT:
            _leave(stage, scene, hand_off, change, occasion)
        case DeskAction.DELETE:
            _lose(stage, scene, hand_off, occasion)
        case _:
            assert_never(change.action)
    return False


def _leave(stage: Stage, scene: Scene, hand_off: HandOffState, change: DeskActed, occasion: Occasion) -> None:
    """Who had it is gone: it waits there for another, or a robot there answers until people are asked for."""
    if hand_off.state != "claimed":
        return
    hand_off.state, hand_off.agent, hand_off.claimed_at, hand_off.dirty = "offered", None, None, True
    acts.move_lease(stage, scene, Closed(Holder.NOBODY), "desk_left", occasion)
    if change.action == DeskAction.LEAVE_TO_BOT:
        hand_off.accept_by = None
        acts.move_lease(stage, scene, DeskBotTook(), "desk_bot", occasion)
    elif hand_off.accept_by is not None:
        hand_off.accept_by += stage.now - hand_off.offered_at


def _lose(stage: Stage, scene: Scene, hand_off: HandOffState, occasion: Occasion) -> None:
    """The ticket is gone, the customer isn't: whoever is next may have them, else people at our own desk."""
    scene.closed_there.add(hand_off.ref)
    scene.thread.withdrawn.append(hand_off.ref)
    acts.move_lease(stage, scene, Closed(Holder.NOBODY), "ticket_deleted", occasion)
    offers.decline(stage, scene, hand_off, occasion, cause="ticket_deleted")


def _concerns(change: DeskActed, hand_off: HandOffState) -> bool:
    """Whether it was done for this hand-off, or for an earlier one in the same ticket."""
    same = change.ticket is not None and (change.desk, change.ticket) == (hand_off.to, hand_off.ticket)
    return same or hand_off.ref == change.hand_off


def _claim(stage: Stage, scene: Scene, hand_off: HandOffState, change: DeskActed, occasion: Occasion) -> None:
    hand_off.state, hand_off.agent = "claimed", person_json(change.agent)
    hand_off.claimed_at = hand_off.claimed_at or stage.now
    hand_off.dirty = True
    acts.move_lease(stage, scene, Claimed(change.agent), f"desk:{hand_off.to}", occasion)


def _reply(
    stage: Stage,
    scene: Scene,
    hand_off: HandOffState,
    change: DeskActed,
    occasion: Occasion,
    *,
    author: Author,
) -> None:
    reply = model.Reply(
        key=stage.new_key(),
        conversation_id=scene.thread.conversation.id,
        text=change.text or "",
        author=author,
        person=change.agent if author is Author.AGENT and change.agent.name else None,
        attachments=change.attachments,
    )
    acts.reply_as(stage, scene, reply, occasion, hand_off=hand_off.ref)


def _too_late(stage: Stage, scene: Scene, change: DeskActed, occasion: Occasion) -> None:
    """Who replies where nobody listens any more is told so."""
    desk, ticket = change.desk, change.ticket
    if change.action != DeskAction.REPLY or not desk or not ticket or not stage.can(desk, Capability.NOTE):
        return
    note = model.Note(key=stage.new_key(), conversation_id=ticket, text=_TOO_LATE)
    acts.send(stage, scene, note, occasion, connection=desk, hand_off=change.hand_off)


def _files(message: Spoken | MessageState, where: ConversationState) -> tuple[Attachment, ...]:
    if isinstance(message, Spoken):
        return ()
    place = {"source": where.connection, "conversation_id": where.id, "message_id": message.id}
    return tuple(Attachment(**{**item, **place}) for item in message.attachments)
