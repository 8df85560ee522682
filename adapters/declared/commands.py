"""Carrying commands out by their description."""

from collections.abc import Sequence
from typing import Any

import cel
import msgspec
from msgspec import UNSET

from adapters.attachments import Upload
from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, Expression, facts
from adapters.declared.reading import Reader, text_of
from adapters.declared.requests import Caller, answered, readable
from adapters.errors import Unsupported
from adapters.http import body_of
from adapters.model import (
    Author,
    Command,
    OpenConversation,
    Pushed,
    Reception,
    Reply,
    SetStatus,
    Status,
    UpdateConversation,
)
from adapters.speech import spoken

_RECEPTIONS = {each.value: each for each in Reception}


def found(description: declared.Description, command: Command) -> declared.Command | None:
    """How a command is described, if it is; a reply in the customer's name is a relay."""
    relayed = isinstance(command, Reply) and command.author is Author.CUSTOMER
    name: Any = "relay" if relayed else command.__struct_config__.tag
    return description.commands.get(name)


async def carry_out(
    how: declared.Command,
    command: Command,
    description: declared.Description,
    *,
    caller: Caller,
    reader: Reader,
    uploads: Sequence[Upload],
) -> Pushed:
    """Send a command's requests, in their order; what they answer is what the last one does."""
    asked = _asked(command, description)
    wanted = any("uploads" in request.sources for request in how.requests)
    asked["uploads"] = readable(uploads, wanted=wanted)
    steps: dict[str, Any] = {}
    told: dict[str, Any] = {"answer": None, "status": 0, "headers": {}}
    for request in how.requests:
        context = caller.facts(**asked, steps=steps)
        if request.when is not None and not request.when.holds(context):
            continue
        for it in _items(request, context):
            each = caller.facts(**asked, steps=steps, it=it)
            response = await caller.send(request, each, uploads)
            told = answered(response)
            if request.name:
                steps[request.name] = body_of(response)
    return _pushed(how.yields, reader, {**told, "command": asked["command"], "steps": steps})


def _items(request: declared.Step, context: cel.Context) -> list[Any]:
    """For what a request is made: for everything in a list, else once."""
    if request.each is None:
        return [None]
    listed = request.each.sent(context)
    return listed if isinstance(listed, list) else []


def _asked(command: Command, description: declared.Description) -> dict[str, Any]:
    """What a command's requests may read: itself, and the vendor's words for ours."""
    asked: dict[str, Any] = {"command": msgspec.to_builtins(command)}
    match command:
        case Reply():
            asked["text"] = spoken(command)
        case OpenConversation():
            asked["text"] = command.text
            asked["channel"] = _theirs(description.channels, command.channel)
        case SetStatus() | UpdateConversation() if command.status is not UNSET:
            asked["status"] = _status(description, command.status)
        case _:
            asked["text"] = getattr(command, "text", "")
    return {name: value for name, value in asked.items() if value is not ABSENT}


def _status(description: declared.Description, wanted: Status) -> Any:
    found = _theirs(description.statuses, wanted)
    if found is ABSENT:
        raise Unsupported(f"{description.title} has no status that means {wanted}")
    return found


def _theirs(words: dict[Any, Any], ours: Any) -> Any:
    """The vendor's word for ours: the first that the table gives."""
    return next((theirs for theirs, each in words.items() if each is ours), ABSENT)


def _pushed(how: declared.Yields, reader: Reader, told: dict[str, Any]) -> Pushed:
    context = facts(**told, settings=reader.settings)

    def given(expression: Expression | None) -> Any:
        found = expression.value(context) if expression is not None else None
        return None if found is ABSENT else found

    customer, conversation = given(how.customer), given(how.conversation)
    position, answer = given(how.position), told["answer"]
    return Pushed(
        id=text_of(given(how.id)),
        at=reader.moment(given(how.at)),
        customer=reader.customer(customer) if isinstance(customer, dict) else None,
        conversation=reader.conversation(conversation) if isinstance(conversation, dict) else None,
        reception=_RECEPTIONS.get(str(given(how.reception))),
        position=position if isinstance(position, int) else None,
        raw=answer if isinstance(answer, dict) else {"answer": answer},
    )
