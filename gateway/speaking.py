"""What becomes of a text on its way to a customer: said, said elsewhere, in parts, or not at all. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from adapters import model
from adapters.attachments import safe_name
from adapters.manifest import Capability
from adapters.model import Author, IdentityKind
from config.channels import ChannelSettings, LiveSettings
from gateway import manners, streams
from gateway.scene import Scene, Stage
from rules.verdict import AnswerState
from sync.thread import CustomerState

_INVITATIONS = ("reply.in_private", "reply.shortened")
"""What asks a customer to write where nobody reads along; said in public as it is."""


class Utterance(Struct, frozen=True, kw_only=True):
    """Something to put into the outbox; one that was `held_back`, for a reason, is only kept on record."""

    command: model.Reply | model.Note
    connection: str
    held_back: str | None = None
    first: bool = False
    """Whether it is what the turn is answered with: of several parts the first."""


def utter(stage: Stage, scene: Scene, reply: model.Reply, turn: int | None) -> Iterator[Utterance]:
    """What to send instead of a reply to the customer, in order, by the manners of the channel."""
    home = scene.thread.conversation.connection
    channel = stage.settings.manners(scene.thread.conversation.channel)
    found = _personal(stage, scene, reply.text, turn) if channel.public else ()
    if found:
        told = ", ".join(found)
        yield Utterance(command=reply, connection=home, held_back=f"personal data in public: {told}")
        yield from _explain(
            stage,
            scene,
            reply,
            f"Not said in public, for it holds {told}. The customer was invited to a direct message instead:",
        )
        _withhold(scene, turn, "personal_data")
        reply = msgspec.structs.replace(
            reply, key=stage.new_key(), text=_phrase(stage, scene, "reply.in_private"), attachments=()
        )
    reason = _crowded(stage, scene, channel, reply, turn)
    if reply.attachments and not channel.takes_files:
        yield from _explain(
            stage, scene, reply, f"Without the files, which aren't sent here: {_names(reply)}."
        )
        reply = msgspec.structs.replace(reply, attachments=())
        reason = reason or (None if reply.text.strip() else "no files are sent on this channel")
    if reason is not None:
        yield Utterance(command=reply, connection=home, held_back=reason)
    else:
        yield from _in_parts(stage, scene, channel, reply)


def _names(reply: model.Reply) -> str:
    return ", ".join(safe_name(each.name) for each in reply.attachments)


def _phrase(stage: Stage, scene: Scene, key: str) -> str:
    return stage.policies.phrase(key, scene.thread.conversation.language)


def _personal(stage: Stage, scene: Scene, text: str, turn: int | None) -> tuple[str, ...]:
    channels = stage.settings.channels
    invitations = {_phrase(stage, scene, key) for key in _INVITATIONS}
    if text in invitations:
        return ()
    known = _known(scene.thread.customer, channels.harmless)
    answer = _answer_of(scene, turn) or {}
    quotes = "\n".join(str(each.get("quote", "")) for each in answer.get("citations", ()))
    return manners.personal(text, known=known, ours=channels.ours, cited=quotes)


def _known(customer: CustomerState | None, harmless: frozenset[str]) -> frozenset[str]:
    if customer is None:
        return frozenset()
    attributes = {name: value for name, value in customer.whole_attributes.items() if name not in harmless}
    addresses = (address for each in customer.everyone for address in each.addresses)
    values = [value for _, kind, value in addresses if kind != IdentityKind.VENDOR]
    return manners.telling(customer.whole_name, values, attributes)


def _crowded(
    stage: Stage, scene: Scene, channel: ChannelSettings, reply: model.Reply, turn: int | None
) -> str | None:
    """Why the AI had better not say it in a busy stream; `None` if it may, and then it counts as said."""
    if not isinstance(channel, LiveSettings) or reply.author is not Author.AI:
        return None
    stream = stage.streams.setdefault(streams.key_of(scene.thread.conversation), streams.Stream())
    said = streams.Said(text=reply.text, sources=_sources(scene, turn), at=stage.now)
    if (same := stream.repeats(said, within=channel.repeat_after)) is not None:
        _note_down(scene, turn, "answered_in_stream")
        return f"answered by the group: the same was said in this stream at {same.at.isoformat()}"
    if stream.is_full(stage.now, most=channel.per_minute):
        _withhold(scene, turn, "stream_full")
        return f"dropped: {channel.per_minute} replies in this stream within a minute"
    stream.said.append(said)
    return None


def _answer_of(scene: Scene, number: int | None) -> dict[str, Any] | None:
    return next((each.answer for each in scene.history.turns if each.number == number), None)


def _sources(scene: Scene, number: int | None) -> tuple[str, ...]:
    answer = _answer_of(scene, number)
    if not answer or answer["state"] != AnswerState.SENT:
        return ()
    return streams.sources_of(answer, scene.thread.conversation.language)


def _in_parts(
    stage: Stage, scene: Scene, channel: ChannelSettings, reply: model.Reply
) -> Iterator[Utterance]:
    home = scene.thread.conversation.connection
    ending = " ".join(filter(None, [_phrase(stage, scene, "reply.shortened"), channel.link]))
    parts, whole = manners.fit(
        reply.text, longest=channel.longest, most_parts=channel.most_parts, ending=ending
    )
    for number, part in enumerate(parts):
        key = reply.key if number == 0 else stage.new_key()
        files = reply.attachments if number == len(parts) - 1 else ()
        said = msgspec.structs.replace(reply, key=key, text=part, attachments=files)
        yield Utterance(command=said, connection=home, first=number == 0)
    if not whole:
        room = f"{channel.most_parts} messages of at most {channel.longest} characters"
        yield from _explain(stage, scene, reply, f"Too long for this channel ({room}), so cut. In full:")


def _explain(stage: Stage, scene: Scene, reply: model.Reply, why: str) -> Iterator[Utterance]:
    """Tell people what the customer wasn't told and why: at the helpdesk, and at the desk that has it."""
    here, hand_off = scene.thread.conversation, scene.thread.hand_off
    places = [(here.connection, here.id)]
    if hand_off is not None and hand_off.ticket:
        places.append((hand_off.to, hand_off.ticket))
    for connection, place in places:
        if stage.can(connection, Capability.NOTE):
            note = model.Note(key=stage.new_key(), conversation_id=place, text=f"{why}\n\n{reply.text}")
            yield Utterance(command=note, connection=connection)


def _withhold(scene: Scene, number: int | None, why: str) -> None:
    """The turn had an answer that the customer didn't get: whether it would have helped nobody can say."""
    _note_down(scene, number, why)
    turn = next((each for each in scene.history.turns if each.number == number), None)
    if turn is not None and turn.answer is not None and turn.answer["state"] == AnswerState.SENT:
        turn.answer = {**turn.answer, "state": AnswerState.WITHHELD.value}
        turn.state = AnswerState.WITHHELD.value


def _note_down(scene: Scene, number: int | None, why: str) -> None:
    turn = next((each for each in scene.history.turns if each.number == number), None)
    if turn is not None and turn.answer is not None:
        turn.answer = {"held_back": why, **turn.answer}
        turn.dirty = True
