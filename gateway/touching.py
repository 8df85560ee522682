"""What a change touches: which conversations and customers a batch must hold. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from adapters import model
from adapters.model import MessagePosted
from gateway import streams as live
from gateway import thin
from gateway.scene import INSIDE
from gateway.wiring import Event as Change
from sync.store.inbox import Event
from sync.thread import Thread


def home_of(event: Event) -> str:
    """The connection that an event's conversation lives at: our own events name it in their lane."""
    return event.lane.partition("/")[0] if event.connection in INSIDE else event.connection


def addresses(home: str, change: Change) -> Iterable[tuple[str, str]]:
    """The conversations, each by its connection and id."""
    match change:
        case MessagePosted() | model.ConversationChanged() | model.ControlChanged():
            yield (home, change.conversation.id)
        case model.CustomerChanged() | model.CustomersMerged() | model.CustomerDeleted():
            return
        case model.ThinEvent():
            yield from addresses(home, thin.bare(change))
        case _:
            yield (home, change.conversation_id)


def records(change: Change) -> Iterable[model.CustomerRecord]:
    """The customers, as the change tells of them."""
    match change:
        case MessagePosted() | model.ConversationChanged() | model.ControlChanged():
            if change.customer is not None:
                yield change.customer
        case model.CustomerChanged() | model.CustomersMerged():
            yield change.customer
        case model.ThinEvent():
            yield from records(thin.bare(change))
        case _:
            return


def named(home: str, change: Change) -> Iterable[tuple[str, str]]:
    """The customers that are only named, each by their connection and id."""
    match change:
        case MessagePosted() | model.ConversationChanged() | model.ControlChanged():
            if change.conversation.customer_id is not msgspec.UNSET:
                yield (home, change.conversation.customer_id)
        case _:
            return


def streams(
    pairs: Iterable[tuple[str, Change]], found: Mapping[tuple[str, str], Thread]
) -> dict[live.Key, int | None]:
    """The live streams, each with the ref of the conversation if that is a stream of its own."""
    keys: dict[live.Key, int | None] = {}
    for home, change in pairs:
        for address in addresses(home, change):
            thread = found.get(address)
            if thread is not None and thread.conversation.channel == model.Channel.LIVE:
                keys[live.key_of(thread.conversation)] = None if thread.conversation.stream else thread.ref
        if isinstance(change, MessagePosted | model.ConversationChanged | model.ControlChanged):
            told = change.conversation
            if told.stream and told.channel in {model.Channel.LIVE, msgspec.UNSET}:
                keys[home, told.stream] = None
    return keys


def merged(home: str, change: Change) -> Iterable[tuple[str, str]]:
    """Those of whom the vendor made one, and those that it deleted."""
    match change:
        case model.CustomersMerged():
            yield (home, change.customer.id)
            yield (home, change.gone_id)
        case model.CustomerDeleted():
            yield (home, change.customer_id)
        case _:
            return


def moved(home: str, change: Change, found: Mapping[tuple[str, str], Thread]) -> Iterable[tuple[str, str]]:
    """Both customers of a conversation that comes with another than it had."""
    for address, customer in zip(addresses(home, change), named(home, change), strict=False):
        had = found[address].customer if address in found else None
        if had is not None and had.vendor_address != customer:
            yield had.vendor_address
            yield customer


def written(change: Change) -> Iterable[tuple[str | None, str | None]]:
    """The messages, each by the vendor's id and our token, as far as they are told."""
    match change:
        case MessagePosted():
            yield (change.message.id, change.message.token)
        case model.MessageFailed():
            yield (change.message_id, change.token)
        case _:
            return
