"""The facts that a policy may read: one declaration for evaluation, validation and the reference page.

Every fact always has a value of its type, so a condition never meets a null. The one open place is
`customer.attributes`, whose keys are the shop's own: guard those with `has(customer.attributes.tier)`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from adapters.model import Channel, Origin, Raw, Status
from rules.signals import SignalName
from rules.verdict import AnswerState, Outcome


class Holder(StrEnum):
    """Who may speak now."""

    AI = "ai"
    OTHER_BOT = "other_bot"
    NOBODY = "nobody"
    SAAS_AGENT = "saas_agent"
    DESK_AGENT = "desk_agent"


class Bot(StrEnum):
    """Which bot."""

    NONE = "none"
    AI = "ai"
    OTHER_BOT = "other_bot"


def _says(description: str) -> Meta:
    return Meta(description=description)


class ConversationFacts(Struct, frozen=True, kw_only=True):
    """The thread."""

    connection: Annotated[str, _says("name of the connection it lives at")] = ""
    channel: Annotated[Channel, _says("where it takes place")] = Channel.UNKNOWN
    status: Annotated[Status, _says("its state at the helpdesk")] = Status.UNKNOWN
    tags: Annotated[tuple[str, ...], _says("its tags")] = ()
    language: Annotated[str, _says('the customer\'s language, such as "zh" or "en"; "" when unknown')] = ""
    queue: Annotated[str, _says('the queue it waits for a person in; "" when in none')] = ""


class CustomerFacts(Struct, frozen=True, kw_only=True):
    """The person."""

    name: Annotated[str, _says("their name, as the helpdesk knows it")] = ""
    vip: Annotated[bool, _says("whether the shop treats them as a VIP")] = False
    attributes: Annotated[Raw, _says("the shop's own fields; guard each with has()")] = msgspec.field(
        default_factory=dict
    )


class MessageFacts(Struct, frozen=True, kw_only=True):
    """What the customer wrote in this turn."""

    text: Annotated[str, _says("the burst as one text")] = ""
    count: Annotated[int, _says("how many messages the burst has")] = 0


class TurnFacts(Struct, frozen=True, kw_only=True):
    """The turn that has just changed."""

    number: Annotated[int, _says("1 for the first turn of the conversation")] = 0
    answer: Annotated[AnswerState, _says("what the AI, ours or another bot, did with it")] = AnswerState.NONE
    answered_by: Annotated[Bot, _says("whose answer that was")] = Bot.NONE
    verdict: Annotated[Outcome, _says("what became of it so far")] = Outcome.OPEN
    signals: Annotated[tuple[SignalName, ...], _says("the signals that its verdict rests on")] = ()
    asked_for_person: Annotated[bool, _says("the customer asks for a person in it")] = False
    did_not_help: Annotated[bool, _says("the customer says in it that the last answer was no use")] = False


class AiFacts(Struct, frozen=True, kw_only=True):
    """How the AI fares: ours, or another bot that answers; their turns are counted together."""

    turns: Annotated[int, _says("turns since the AI, ours or another, last got the conversation")] = 0
    failed_turns: Annotated[
        int,
        _says(
            "unresolved turns in a row, up to now, since the AI, ours or another, last got the conversation"
        ),
    ] = 0
    returns: Annotated[
        int, _says("how often people gave the conversation back to the AI since it was last resolved")
    ] = 0
    failed_turns_total: Annotated[int, _says("unresolved turns in the whole conversation")] = 0
    confidence: Annotated[
        float,
        _says("how sure the latest answer was, 0 to 1; 0 when there is none, 1 where a bot doesn't say"),
    ] = 0.0
    last_failure: Annotated[str, _says('why the latest answer failed; "" when it didn\'t')] = ""


class LeaseFacts(Struct, frozen=True, kw_only=True):
    """Who speaks."""

    holder: Annotated[Holder, _says("who may speak now")] = Holder.AI
    epoch: Annotated[int, _says("grows with every change of holder")] = 0


class Facts(Struct, frozen=True, kw_only=True):
    """Everything that a condition may read."""

    now: Annotated[datetime, _says("the time of this evaluation, UTC")]
    origin: Annotated[Origin, _says("how the change that led here reached us")] = Origin.LIVE
    waiting: Annotated[
        timedelta, _says("how long the customer has been waiting for a word; 0 when they aren't")
    ] = timedelta(0)
    conversation: ConversationFacts = ConversationFacts()
    customer: CustomerFacts = msgspec.field(default_factory=CustomerFacts)
    message: MessageFacts = MessageFacts()
    turn: TurnFacts = TurnFacts()
    ai: AiFacts = AiFacts()
    lease: LeaseFacts = LeaseFacts()


class Kind(StrEnum):
    """The types that CEL knows."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    STRINGS = "list of strings"
    MAP = "map"
    DURATION = "duration"
    TIMESTAMP = "timestamp"


class Fact(Struct, frozen=True, kw_only=True):
    """The declaration of one fact."""

    path: str
    kind: Kind
    description: str
    choices: tuple[str, ...] = ()
    """The values it can take, where they are a closed set."""


_KINDS: dict[Any, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    dict: Kind.MAP,
    tuple: Kind.STRINGS,
    timedelta: Kind.DURATION,
    datetime: Kind.TIMESTAMP,
}


def _declare(path: str, annotation: Any) -> Fact:
    kind, meta = get_args(annotation)
    element = get_args(kind)[0] if get_origin(kind) is tuple else kind
    choices: tuple[str, ...] = ()
    if isinstance(element, type) and issubclass(element, StrEnum):
        choices = tuple(member.value for member in element)
        kind = str if kind is element else kind
    return Fact(
        path=path, kind=_KINDS[get_origin(kind) or kind], description=meta.description, choices=choices
    )


def _declarations(struct: type[Struct], prefix: str = "") -> Iterator[Fact]:
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.encode_name}"
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _declarations(field.type, f"{path}.")
        else:
            yield _declare(path, field.type)


VOCABULARY = MappingProxyType({fact.path: fact for fact in _declarations(Facts)})
"""Every fact by its path, such as `ai.failed_turns`."""

OPEN_MAPS = tuple(fact.path for fact in VOCABULARY.values() if fact.kind is Kind.MAP)
GROUPS = frozenset(path.partition(".")[0] for path in VOCABULARY if "." in path)
ROOTS = frozenset(path.partition(".")[0] for path in VOCABULARY)


def variables(facts: Facts) -> dict[str, Any]:
    """The facts as CEL sees them: plain values, with times and durations kept as such."""
    values: dict[str, Any] = msgspec.to_builtins(facts, builtin_types=(datetime, timedelta))
    return values


def declared(path: str) -> str | None:
    """The declared fact that `path` reads (itself, or the open map it reaches into), or `None`."""
    if path in VOCABULARY:
        return path
    return next((open_map for open_map in OPEN_MAPS if path.startswith(f"{open_map}.")), None)
