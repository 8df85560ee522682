"""Where conversations take place: what the manifest says, and what is seen."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

from adapters.manifest import Capability, Field, Tier
from adapters.model import Change, Channel, ConversationRecord, FindConversation, PullKind
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.checks.asking import records_of, walk
from adapters.testing.checks.operations import KINDS
from adapters.testing.subject import Subject

_LISTED = (PullKind.CONVERSATIONS, PullKind.MESSAGES)


@check(Tier.BRONZE)
async def channels(subject: Subject) -> None:
    """No conversation is on a channel that the manifest doesn't declare, if it declares any."""
    manifest = subject.adapter.manifest
    if not manifest.channels and not manifest.channel_fields:
        raise NotApplicable("it declares no channels")
    told, _ = await _seen(subject)
    strange = [f"{channel} in {told[channel]}" for channel in told if channel not in manifest.channels]
    require(
        not strange,
        f"the vendor tells of channels that are not declared: {', '.join(strange)}. {_declare(told)}",
    )


@check(Tier.SILVER)
async def channels_shown(subject: Subject) -> None:
    """Its channels are declared, and each is shown: in a webhook, in a scripted answer, or by a setting."""
    manifest = subject.adapter.manifest
    told, brought = await _seen(subject)
    if not manifest.channels and not manifest.channel_fields:
        if not await _has_conversations(subject):
            raise NotApplicable("it tells of no conversation")
        cure = _declare(told) if told else "Let the conversations' records have a `channel`, and declare it"
        raise AssertionError(f"how one may speak depends on the channel, and none is declared. {cure}")
    hidden = _named(manifest.channels - set(told))
    require(not hidden, f"no webhook and no scripted answer shows the declared channels {hidden}: add some")
    idle = _named(manifest.set_channels - brought)
    fields = _named(field.name for field in manifest.channel_fields)
    require(not idle, f"with {fields} set to {idle}, no conversation is there: show one that this is said of")


def _declare(told: Mapping[Channel, str]) -> str:
    found = ", ".join(f'"{channel}"' for channel in sorted(told))
    return (
        f"What is shown is declared by: channels = [{found}] in manifest.toml; in a description, by the right"
        " side of its table `channels`"
    )


def _named(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


async def _seen(subject: Subject) -> tuple[dict[Channel, str], AbstractSet[Channel]]:
    """The channels that are told whatever the settings say, with where that is, and those that they bring."""
    fields = subject.adapter.manifest.channel_fields
    chosen = sorted(subject.adapter.manifest.set_channels) or [Channel.UNKNOWN]
    met = {each: [place async for place in _places(subject.having(_saying(fields, each)))] for each in chosen}
    told = {channel: where for each in chosen for channel, where in met[each] if channel is not each}
    counted = {each: Counter(channel for channel, _ in met[each]) for each in chosen}
    brought = {
        each
        for each in chosen
        if counted[each][each] > min((counted[other][each] for other in chosen if other != each), default=0)
    }
    return told, brought


async def _places(subject: Subject) -> AsyncIterator[tuple[Channel, str]]:
    async for record, where in _conversations(subject):
        if isinstance(record.channel, Channel) and record.channel is not Channel.UNKNOWN:
            yield record.channel, where


def _saying(fields: Iterable[Field], chosen: Channel) -> dict[str, str]:
    return {field.name: chosen.value for field in fields if chosen in field.choices}


async def _has_conversations(subject: Subject) -> bool:
    async for _ in _conversations(subject):
        return True
    return False


async def _conversations(subject: Subject) -> AsyncIterator[tuple[ConversationRecord, str]]:
    """Every conversation of the fixtures, and where it is; what can't be read is other checks' matter."""
    for name, changes in subject.changes.items():
        for record in _held(changes):
            yield record, f"{name}.json"
    can = subject.adapter.manifest.can
    for kind in _LISTED:
        if can(KINDS[kind]):
            with suppress(Exception):  # whatever an adapter raises
                async for page in walk(subject, kind):
                    for record in _held(page.changes):
                        yield record, f"the scripted pages of {kind}"
    if can(Capability.FIND_CONVERSATION):
        with suppress(Exception):
            async with subject.opened() as (adapter, _):
                found = await adapter.find(FindConversation(conversation_id=subject.ids.conversation))
            if isinstance(found, ConversationRecord):
                yield found, "the scripted conversation that is looked up"


def _held(changes: Iterable[Change]) -> Iterator[ConversationRecord]:
    for change in changes:
        yield from (each for each in records_of(change) if isinstance(each, ConversationRecord))
