"""Where an event, an answer and a rule meet. Pure: it reads and changes the stage, nothing else."""

from typing import assert_never

from msgspec import UNSET

from adapters.model import (
    AnswerPrepared,
    Author,
    Change,
    ControlChanged,
    ConversationChanged,
    ConversationDeleted,
    ConversationRecord,
    CustomerChanged,
    CustomerDeleted,
    CustomerRecord,
    CustomersMerged,
    DeskActed,
    MessageFailed,
    MessagePosted,
    Status,
    ThinEvent,
)
from gateway import (
    acts,
    deleting,
    desk,
    manners,
    offers,
    receptions,
    relays,
    rule_actions,
    switching,
    thin,
    undelivered,
)
from gateway.facts import gather
from gateway.scene import (
    BotSilence,
    DoubtSettled,
    Occasion,
    OfferExpired,
    Opened,
    Received,
    Scene,
    Stage,
    Tick,
    Timer,
)
from knowledge.language import detect
from rules import turns
from rules.engine import decide
from rules.turns import History
from sync import doubts, fields, lease, mirror
from sync.lease import Holder, first_lease
from sync.mirror import Meaning, Seen
from sync.people import Cause, new_customer
from sync.priority import Priority
from sync.thread import ConversationState, CustomerState, LeaseMove, MessageState, Spoken, Thread

Event = Change | Timer | Received | Opened
_FromInside = AnswerPrepared | DeskActed | Received | Timer
# A customer's reply, an automation or a bot may open a conversation, too: that takes it from nobody.
_PERHAPS_AN_AGENT = frozenset({Author.AGENT, Author.UNKNOWN})
_SPEAKS = mirror.CustomerSpoke | mirror.AgentSpoke | mirror.OtherBotSpoke
_BOTS = frozenset({Holder.AI, Holder.OTHER_BOT})
_Placed = MessagePosted | ConversationChanged | ControlChanged | Opened
_CustomerTold = MessagePosted | ConversationChanged | ControlChanged | CustomerChanged | CustomersMerged


def advance(stage: Stage, home: str, change: Event, occasion: Occasion) -> None:
    """Let one change take its whole effect; `home` is the connection that its conversation lives at."""
    match change:
        case MessagePosted():
            _take_message(stage, home, change, occasion)
        case ConversationChanged():
            scene = _scene(stage, home, change, occasion)
            deleting.is_back(scene, change)
            meanings = mirror.apply_conversation(
                scene.thread, change.conversation, at=change.occurred_at, by=change.by
            )
            _react(stage, scene, meanings, occasion)
        case ConversationDeleted() | CustomerDeleted():
            deleting.take(stage, home, change, occasion)
        case CustomerChanged() | CustomersMerged():
            _take_customer(stage, home, change, occasion)
        case ThinEvent():
            _look_up(stage, home, change, occasion)
        case MessageFailed():
            _take_failure(stage, stage.scenes.get((home, change.conversation_id)), change, occasion)
        case ControlChanged():
            _take_control(stage, home, change, occasion)
        case Opened():
            relays.catch_up(stage, _scene(stage, home, change, occasion))
        case _:
            _hear_ourselves(stage, stage.scenes[home, change.conversation_id], change, occasion)


def _hear_ourselves(stage: Stage, scene: Scene, change: _FromInside, occasion: Occasion) -> None:
    """What we told ourselves is there to act on, and history never acts; but time passes even there."""
    match change:
        case AnswerPrepared() | DeskActed() | Received() | Tick() | BotSilence() if not occasion.live:
            pass
        case AnswerPrepared():
            _take_answer(stage, scene, change, occasion)
        case DeskActed(desk=None):
            desk.act(stage, scene, change, occasion)
        case DeskActed():
            if relays.act(stage, scene, change, occasion):
                _weigh(stage, scene, occasion)
        case Received():
            receptions.take(stage, scene, change, occasion)
        case Tick() | BotSilence() | OfferExpired() | DoubtSettled():
            _pass_time(stage, scene, change, occasion)
        case _:
            assert_never(change)


def _take_message(stage: Stage, home: str, change: MessagePosted, occasion: Occasion) -> None:
    scene = _scene(stage, home, change, occasion)
    deleting.is_back(scene, change)
    over = mirror.was_over(scene.thread, change.message)
    meanings = (
        *_given_back(scene),
        *mirror.apply_conversation(scene.thread, change.conversation, at=change.occurred_at),
        *mirror.apply_message(scene.thread, change, _seen(stage, occasion), stage.refs),
    )
    counts = (m for m in meanings if not (over and isinstance(m, _SPEAKS)))
    _react(stage, scene, tuple(counts), occasion)


def _look_up(stage: Stage, home: str, change: ThinEvent, occasion: Occasion) -> None:
    """Have looked up what the vendor told only the id of; in the order in which it told it."""
    told = thin.bare(change)
    errand = thin.Fetching(
        key=stage.new_key(),
        query=change.query,
        occurred_at=change.occurred_at,
        by=change.by,
        origin=occasion.origin,
    )
    if isinstance(told, ConversationChanged):
        scene = _scene(stage, home, told, occasion)
        if not any(
            isinstance(c.command, thin.Fetching) and c.command.query == errand.query
            for c in scene.thread.commands
        ):
            acts.send(stage, scene, errand, occasion, priority=Priority.REPLY)
    else:
        customer = _customer(stage, home, told, told.customer, occasion)
        command = acts.new_command(stage, errand, occasion, connection=home)
        stage.errands.append((customer, command))


def _take_control(stage: Stage, home: str, change: ControlChanged, occasion: Occasion) -> None:
    scene = _scene(stage, home, change, occasion)
    meanings = mirror.apply_conversation(scene.thread, change.conversation, at=change.occurred_at)
    _react(stage, scene, meanings, occasion)
    switching.take(stage, scene, change, occasion)


def _take_failure(stage: Stage, scene: Scene | None, failed: MessageFailed, occasion: Occasion) -> None:
    if scene is not None and undelivered.take(stage, scene, failed, occasion):
        _decide(stage, scene, occasion)


def _pass_time(stage: Stage, scene: Scene, timer: Timer, occasion: Occasion) -> None:
    match timer:
        case Tick():
            _weigh(stage, scene, occasion)
        case BotSilence(epoch=epoch) if epoch == scene.thread.lease.epoch:
            turns.give_up(scene.history, before=stage.now - stage.settings.voice.other_bot_silence)
            acts.move_lease(stage, scene, lease.OtherBotFellSilent(), "other_bot_silent", occasion)
            _weigh(stage, scene, occasion)
        case BotSilence():
            pass
        case OfferExpired(hand_off=ref):
            offers.expire(stage, scene, ref, occasion)
        case DoubtSettled():
            _react(stage, scene, _given_back(scene), occasion)
        case _:
            assert_never(timer)


def _given_back(scene: Scene) -> tuple[Meaning, ...]:
    """What was held for an echo of ours, and was none, means after all."""
    given = doubts.settle(scene.thread)
    return tuple(
        meaning for guess, message in given for meaning in mirror.spoken(message, guess.author, guess.person)
    )


def _seen(stage: Stage, occasion: Occasion) -> Seen:
    return Seen(event_ref=occasion.event_ref, origin=occasion.origin, now=stage.now)


def _scene(stage: Stage, home: str, change: _Placed, occasion: Occasion) -> Scene:
    if isinstance(change, Opened):
        change = ConversationChanged(
            conversation=ConversationRecord(id=change.conversation_id), occurred_at=stage.now
        )
    record, customer = change.conversation, change.customer
    scene = stage.scenes.get((home, record.id))
    if scene is None:
        scene = _new_scene(stage, home, record, occasion)
        stage.scenes[home, record.id] = scene
    person = _customer(stage, home, change, customer, occasion) if customer else None
    if person is None and record.customer_id is not UNSET:
        person = stage.customers.get((home, record.customer_id))
    thread = scene.thread
    if person is not None:
        if thread.merges and thread.customer is not None:
            cause = Cause(at=stage.now, event_ref=occasion.event_ref)
            stage.people.vendor_merged(person, thread.customer, cause)
        thread.customer = person
        if thread.conversation.customer_ref != person.ref:
            thread.conversation.customer_ref = person.ref
            thread.conversation.dirty = True
    return scene


def _new_scene(stage: Stage, home: str, record: ConversationRecord, occasion: Occasion) -> Scene:
    # Resolved conversations keep their assignee at most helpdesks, but nobody is at work there.
    resolved = record.status is Status.RESOLVED
    assignee = None if record.assignee is UNSET or resolved else record.assignee
    conversation = ConversationState(
        ref=stage.refs.next(), connection=home, id=record.id, created_at=stage.now, dirty=True
    )
    first = first_lease(assignee=assignee, voice=stage.first_voice(home), now=stage.now)
    move = LeaseMove(ref=stage.refs.next(), lease=first, cause="first_seen", event_ref=occasion.event_ref)
    origin, ours = stage.origins.get((home, record.id), (None, []))
    return Scene(
        thread=Thread(conversation=conversation, lease=first, is_new=True, lease_moves=[move], ledger=ours),
        history=History(conversation_ref=conversation.ref),
        origin=origin,
    )


def _customer(
    stage: Stage, home: str, change: _CustomerTold, record: CustomerRecord, occasion: Occasion
) -> CustomerState:
    customer = stage.customers.get((home, record.id))
    if customer is None:
        customer = new_customer(stage.refs.next(), (home, record.id), at=stage.now)
        stage.customers[home, record.id] = customer
        stage.people.add(customer)
    mirror.apply_customer(customer, record, connection=home, rules=stage.people.rules)
    if customer.identities:
        stage.people.link(customer, Cause(at=stage.now, event_ref=occasion.event_ref))
    _share(stage, customer, change, occasion)
    return customer


def _take_customer(
    stage: Stage, home: str, change: CustomerChanged | CustomersMerged, occasion: Occasion
) -> None:
    told = _customer(stage, home, change, change.customer, occasion)
    deleting.customer_is_back(stage, home, change)
    gone = stage.customers.get((home, change.gone_id)) if isinstance(change, CustomersMerged) else None
    if gone is not None:
        stage.people.vendor_merged(told, gone, Cause(at=stage.now, event_ref=occasion.event_ref))
        _share(stage, told, change, occasion)


def _share(stage: Stage, customer: CustomerState, change: _CustomerTold, occasion: Occasion) -> None:
    """Merge the shared fields of what is new; who isn't held has nothing new."""
    if not (customer.held or customer.is_new):
        return
    news = fields.News(
        at=change.occurred_at,
        now=stage.now,
        new_ref=stage.refs.next,
        by=change.by if isinstance(change, CustomerChanged) else "",
    )
    fields.hear(customer, stage.field_rules, news)
    if occasion.live:
        stage.told[customer.ref] = (customer, occasion.event_ref)


def _react(stage: Stage, scene: Scene, meanings: tuple[Meaning, ...], occasion: Occasion) -> None:
    for meaning in meanings:
        if not occasion.live and mirror.is_past(scene.thread, meaning):
            continue
        relays.hear(stage, scene, meaning, occasion)
        match meaning:
            case mirror.CustomerSpoke(message):
                _listen(stage, scene, message, occasion)
            case mirror.AgentSpoke(message, person):
                acts.note_overlap(stage, scene, message, occasion)
                acts.move_lease(stage, scene, lease.PersonSpoke(person), "agent_spoke", occasion)
            case mirror.AgentAssigned(person):
                acts.move_lease(stage, scene, lease.Assigned(person), "assigned", occasion)
            case mirror.StatusMoved() | mirror.Resolved():
                _react_to_status(stage, scene, meaning, occasion)
            case mirror.OtherBotSpoke(message):
                acts.move_lease(stage, scene, lease.OtherBotSpoke(), "other_bot_spoke", occasion)
                if acts.overhear(scene, message.text, message.sent_at):
                    _weigh(stage, scene, occasion)
            case mirror.Echoed():
                pass
            case _:
                assert_never(meaning)
    scene.thread.is_new = False


def _react_to_status(
    stage: Stage, scene: Scene, meaning: mirror.StatusMoved | mirror.Resolved, occasion: Occasion
) -> None:
    match meaning:
        case mirror.Resolved():
            _conclude(stage, scene, meaning, occasion)
        case mirror.StatusMoved(Status.PENDING, Status.OPEN, by) if by in _PERHAPS_AN_AGENT:
            acts.move_lease(stage, scene, lease.PersonOpened(), "opened_by_agent", occasion)
        case mirror.StatusMoved():
            pass
        case _:
            assert_never(meaning)


def _conclude(stage: Stage, scene: Scene, resolved: mirror.Resolved, occasion: Occasion) -> None:
    """It was resolved: who had it lets go, and what the customer has said since is for the AI."""
    holder = scene.thread.lease.holder
    if (
        resolved.since
        and holder in _BOTS
        and holder is stage.first_voice(scene.thread.conversation.connection)
    ):
        return  # who has heard it already
    if resolved.late and not (occasion.live and holder is Holder.SAAS_AGENT):
        return
    acts.close(stage, scene, occasion)
    for message in resolved.since:
        _listen(stage, scene, message, occasion)


def _listen(stage: Stage, scene: Scene, message: Spoken | MessageState, occasion: Occasion) -> None:
    conversation, now = scene.thread.conversation, stage.now
    spoken = detect(message.text)
    if spoken not in {"und", conversation.language}:
        conversation.language = spoken
        conversation.dirty = True
    relays.tell(stage, scene, message, occasion)
    if not occasion.live or scene.thread.lease.holder not in _BOTS:
        return
    turn = turns.hear(
        scene.history,
        ref=stage.refs.next(),
        message_id=message.id,
        text=message.text,
        sent_at=message.sent_at,
        heard_at=now,
        epoch=scene.thread.lease.epoch,
    )
    _weigh(stage, scene, occasion)
    if scene.thread.lease.holder is Holder.AI:
        every = stage.settings.manners(conversation.channel).every
        turn_comes = manners.not_before(acts.spoken_at(scene), every, now) if every else now
        ready_at = max(turn_comes, now + stage.quiet_for(conversation.channel))
        acts.ask_ai(stage, scene, turn, occasion, ready_at=ready_at)


def _take_answer(stage: Stage, scene: Scene, answer: AnswerPrepared, occasion: Occasion) -> None:
    turn, held = scene.history.current, scene.thread.lease
    overtaken = (
        turn is None
        or (turn.number, turn.generation) != (answer.turn, answer.generation)
        or turn.state != "collecting"
        or held.holder is not Holder.AI
        or turn.epoch != held.epoch
    )
    if turn is None or overtaken:
        return
    turns.answered(turn, acts.answer_record(answer))
    _weigh(stage, scene, occasion)
    if scene.thread.lease.epoch == held.epoch:
        acts.speak_answer(stage, scene, turn, answer, occasion)


def _weigh(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    """Judge the latest turns anew, and let the rules decide."""
    acts.judge(stage, scene)
    _decide(stage, scene, occasion)


def _decide(stage: Stage, scene: Scene, occasion: Occasion) -> None:
    facts = gather(stage, scene, occasion)
    for decision in decide(facts, stage.policies.all, fired=scene.fired).decisions:
        rule_actions.carry_out(stage, scene, decision, occasion)
