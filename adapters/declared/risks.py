"""What can be read and can't be meant: secrets in the file, roads to elsewhere, endless walks. Pure."""

import re
from collections.abc import Iterator

from adapters.declared.asking import Command, Find, Listing, Lookup, Request, Search, Step
from adapters.declared.checking import Path
from adapters.declared.description import Basic, Bearer, Description, Plain
from adapters.declared.expressions import Expression, Template
from adapters.hints import Place

Fault = tuple[Place, str]

_SECRET = re.compile(r"auth|token|secret|key|password|sign|credential", re.IGNORECASE)
_TO_FILL_IN = re.compile(r"/(:[A-Za-z_]\w*|\{[^{}]*\}|<[^<>]*>)")
_PREFIX = re.compile(r"\s*(?:bearer|token)\s", re.IGNORECASE)
_WANTED: dict[str, tuple[tuple[str, ...], ...]] = {
    "reply": (("command.conversation_id",), ("text", "command.text")),
    "relay": (("command.conversation_id",), ("text", "command.text")),
    "note": (("command.conversation_id",), ("text", "command.text")),
    "assign": (("command.conversation_id",), ("command.assignee_id", "command.team_id")),
    "set_status": (("command.conversation_id",), ("status", "command.status")),
    "change_tags": (("command.conversation_id",), ("command.add", "command.remove")),
    "update_customer": (("command.customer_id",),),
    "update_conversation": (("command.conversation_id",),),
    "open_conversation": (("text", "command.text"),),
    "hand_over": (("command.conversation_id",),),
    "take_control": (("command.conversation_id",),),
    "release_control": (("command.conversation_id",),),
}
"""What every command is about: one that reads none of these would do the same to everybody."""


def risky(description: Description) -> Iterator[Fault]:
    """Whatever would be accepted, and go wrong in production."""
    yield from _secrets(description)
    if re.match(r"(?!https?://|\0)", description.base_url.literal):
        yield ("base_url",), "an address begins with https:// (or http://, inside a house)"
    for place, request in _requests(description):
        yield from _path_faults(place, request)
    for name, command in description.commands.items():
        yield from _aimless(("commands", name), command, name)
    for kind, listing in description.pages.items():
        yield from _endless(("pages", kind), listing)
        if kind == "messages" and ("conversation_id",) not in _paths(listing):
            yield ("pages", kind), "it asks for no conversation: say of which, by ${conversation_id}"
    for place, lookup in _lookups(description.find):
        if not any(root == "query" for root, *_ in _paths(lookup)):
            yield place, "it asks for nothing in particular: say for what, such as ${query.conversation_id}"
    hook = description.webhook
    if hook is not None and hook.signature == ():
        yield ("webhook", "signature"), "the list is empty: say how webhooks are signed, or leave it out"
    if hook is not None and hook.key is not None and not hook.key.names:
        yield (
            ("webhook", "key"),
            "every webhook would have the same key, and all but one would be doubles",
        )


def _secrets(description: Description) -> Iterator[Fault]:
    match description.auth:
        case Bearer(token=token):
            given = {"token": token}
            if _PREFIX.match(token.literal):
                yield ("auth", "token"), "the word before the token comes by itself: leave it out"
        case Basic(user=user, password=password):
            given = {} if user.names else {"password": password}
        case Plain(headers=headers, query=query):
            named = {f"headers.{name}": each for name, each in headers.items()}
            named |= {f"query.{name}": each for name, each in query.items()}
            given = {name: each for name, each in named.items() if _SECRET.search(name.partition(".")[2])}
        case _:
            given = {}
    for name, text in given.items():
        if not text.names:
            yield ("auth", *name.split(".", 1)), _cure(text)
    for name, text in description.headers.items():
        if _SECRET.search(name) and not text.names:
            yield ("headers", name), _cure(text)


def _cure(text: Template) -> str:
    if text.source.startswith("settings."):
        return f"`{text.source}` would be sent as it is: write ${{{text.source}}}"
    return "no secret belongs into this file: declare a field with `secret: true`, and write ${settings.NAME}"


def _requests(description: Description) -> Iterator[tuple[Place, Request]]:
    if description.check is not None:
        yield ("check",), description.check
    for name, command in description.commands.items():
        for index, step in enumerate(command.requests):
            yield ("commands", name, "requests", index), step
    for kind, listing in description.pages.items():
        yield ("pages", kind), listing
        if listing.head is not None:
            yield ("pages", kind, "head"), listing.head
    yield from _lookups(description.find)


def _lookups(find: Find) -> Iterator[tuple[Place, Lookup | Search]]:
    for name in ("message", "get_message", "conversation", "opened"):
        described = getattr(find, name)
        if described is not None:
            yield ("find", name), described
    for kind, lookup in find.customer.items():
        yield ("find", "customer", kind), lookup


def _path_faults(place: Place, request: Request) -> Iterator[Fault]:
    method, path = request.verb
    at = (*place, method.lower())
    if not path.literal.startswith("/"):
        yield at, "a path begins with / and goes on from `base_url`: nothing is asked of other addresses"
    if found := _TO_FILL_IN.search(path.literal):
        yield at, f"`{found[1]}` would be sent as it is: write ${{…}}, such as ${{command.conversation_id}}"


def _aimless(place: Place, command: Command, name: str) -> Iterator[Fault]:
    paths = [path for step in command.requests for path in _paths(step)]
    read = {".".join(path[:2]) for path in paths}
    for wanted in _WANTED[name]:
        if not read.intersection((*wanted, "command")):
            yield place, f"no request of it reads {' or '.join(wanted)}: it would do the same for every one"


def _endless(place: Place, listing: Listing) -> Iterator[Fault]:
    cursor = listing.next.cursor
    if cursor is not None and not {root for root, *_ in cursor.names} & {"answer", "headers"}:
        yield (
            (*place, "next", "cursor"),
            "read it from the answer, such as answer.next: else the walk never moves",
        )


def _paths(request: Request) -> list[Path]:
    """What a request reads."""
    read: list[Expression | Template] = [request.verb[1], *request.query.values(), *request.headers.values()]
    read += [text for tree in (request.body, request.form) if tree is not None for _, text in tree.texts()]
    if isinstance(request, Step):
        read += [each for each in (request.when, request.each) if each is not None]
    return [path for each in read for path in each.names]
