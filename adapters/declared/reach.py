"""What can be read at each place of a description: what is never there would silently give nothing. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from adapters import model
from adapters.declared.asking import Command, Listing, Request
from adapters.declared.checking import Path
from adapters.declared.description import Description, Plain, Signing
from adapters.declared.expressions import Expression, Template, Tree
from adapters.hints import Place, meant, names

Known = type | tuple[str, ...] | None
"""What can be read of a name: a struct's fields, some words, or anything."""
Scope = Mapping[str, Known]
Fault = tuple[Place, str]

_COMMANDS: Mapping[str, type] = {
    "relay": model.Reply,
    **{str(each.__struct_config__.tag): each for each in get_args(model.Command)},
}
_QUERIES: Mapping[str, type] = {
    "message": model.FindMessage,
    "get_message": model.GetMessage,
    "conversation": model.FindConversation,
    "opened": model.FindOpened,
    "customer": model.FindCustomer,
}
_ANSWERED: Scope = {"answer": None, "status": None, "headers": None, "settings": None}
_STATUS = frozenset({"set_status", "update_conversation"})
_PAGE_CURES = {
    "size": "say in `size` how many a full page holds",
    "cursor": "say in `next` where it is: {by: cursor, cursor: answer.…}",
    "since": "say `order: oldest` (or newest)",
}


def unreachable(description: Description) -> Iterator[Fault]:
    """Every name that can't be there where it is read."""
    for command_name, command in description.commands.items():
        yield from _in_command(("commands", command_name), command, _COMMANDS[command_name])
    for kind, listing in description.pages.items():
        yield from _in_listing(("pages", kind), listing, kind)
    for name, query in _QUERIES.items():
        described = getattr(description.find, name)
        place: Place = ("find", name)
        for step, each in described.items() if isinstance(described, dict) else [(None, described)]:
            if each is not None:
                at = place if step is None else (*place, step)
                yield from _in_request(at, each, {"query": query, "settings": None}, {"query": query})
    if description.check is not None:
        yield from _in_request(("check",), description.check, {"settings": None}, {})
    for index, fault in enumerate(description.errors):
        yield from _beyond(_read(fault, ("errors", index)), _ANSWERED)
    yield from _in_changes(description)
    yield from _without_nonce(description)


def _in_command(place: Place, command: Command, kind: type) -> Iterator[Fault]:
    asked: dict[str, Known] = {"command": kind, "text": None, "settings": None, "uploads": None}
    if place[-1] in _STATUS:
        asked["status"] = None
    if place[-1] == "open_conversation":
        asked["channel"] = None
    steps: tuple[str, ...] = ()
    for index, step in enumerate(command.requests):
        at = (*place, "requests", index)
        before: Scope = {**asked, "steps": steps}
        for where, paths in _read(step, at):
            walks = step.each is not None and where != (*at, "each")
            yield from _beyond([(where, paths)], {**before, "it": None} if walks else before)
        steps += (step.name,) if step.name else ()
    yields: Scope = {**_ANSWERED, "command": kind, "steps": steps}
    yield from _beyond(_read(command.yields, (*place, "yields")), yields)


def _in_listing(place: Place, listing: Listing, kind: str) -> Iterator[Fault]:
    page = ["number", "offset"]
    page += ["size"] if listing.size else []
    page += ["cursor"] if listing.next.by == "cursor" else []
    page += ["since"] if listing.order in {"oldest", "newest"} else []
    asked: dict[str, Known] = {"page": tuple(page), "settings": None}
    if kind == "messages":
        asked["conversation_id"] = None
    yield from _in_request(place, listing, asked, {"page": tuple(page)})


def _in_request(place: Place, request: Request, asked: Scope, along: Scope) -> Iterator[Fault]:
    """`asked` is what the request may read, `along` what may be read beside its answer."""
    answered = {**_ANSWERED, **along}
    sent = {field.encode_name for field in msgspec.structs.fields(Request)}
    for where, paths in _read(request, place):
        part = where[len(place)]
        if part == "head":
            inner = where[len(place) + 1]
            yield from _beyond([(where, paths)], asked if inner in sent else answered)
        elif part == "customer":
            yield from _beyond([(where, paths)], {"it": None, "answer": None, "settings": None})
        else:
            yield from _beyond([(where, paths)], asked if part in sent else answered)


def _in_changes(description: Description) -> Iterator[Fault]:
    for index, change in enumerate(description.webhook.changes if description.webhook else ()):
        place: Place = ("webhook", "changes", index)
        for where, paths in _read(change, place):
            if ("it",) in {path[:1] for path in paths} and (change.each is None or where[-1] == "each"):
                yield where, "nothing is called it here: `each` names the list of which `it` is one"


def _without_nonce(description: Description) -> Iterator[Fault]:
    """`nonce` is new for every request, and so only in what is made for every request."""
    for where, paths in _read(description, ()):
        fresh = where[:2] == ("auth", "query") and isinstance(description.auth, Plain | Signing)
        if ("nonce",) in paths and not fresh:
            yield where, "nonce is new for every request: it can be read in the `query` of `auth` only"


def _beyond(read: Iterator[tuple[Place, frozenset[Path]]] | list[Any], scope: Scope) -> Iterator[Fault]:
    """Those names that are not there."""
    for where, paths in read:
        for root, *rest in sorted(paths):
            if root not in scope:
                yield where, f"nothing is called {root} here; {_cure(root, scope)}"
                continue
            known = scope[root]
            if rest and isinstance(known, tuple) and rest[0] not in known:
                yield where, f"there is no {root}.{rest[0]} here; {_lacking(root, rest[0], known)}"
            elif rest and isinstance(known, type):
                yield from ((where, reason) for reason in _of_struct(root, rest, known))


def _cure(root: str, scope: Scope) -> str:
    if root == "it":
        return "`each` names the list of which `it` is one"
    owners = [each for each, kind in scope.items() if isinstance(kind, type) and root in names(kind, ())]
    return f"write {owners[0]}.{root}" if owners else meant(root, tuple(scope))


def _lacking(root: str, name: str, known: tuple[str, ...]) -> str:
    if root == "page" and name in _PAGE_CURES:
        return _PAGE_CURES[name]
    if root == "steps":
        return f"no request before this one is called so (`as: {name}`); {meant(name, known)}"
    return meant(name, known)


def _of_struct(root: str, rest: list[str], kind: type) -> Iterator[str]:
    """What is read of one of our own structs and isn't there, however deep."""
    for depth, name in enumerate(rest):
        known = names(kind, tuple(rest[:depth]))
        if not known:
            return
        if name not in known and not (depth == 0 and name == "type"):
            yield f"there is no {'.'.join([root, *rest[: depth + 1]])}; {meant(name, known)}"
            return


def _read(part: Any, place: Place) -> Iterator[tuple[Place, frozenset[Path]]]:
    """What each expression and text in a part reads, by its place."""
    match part:
        case Expression() | Template():
            yield place, part.names
        case Tree():
            yield from (((*place, *inner), text.names) for inner, text in part.texts())
        case msgspec.Struct():
            for field in msgspec.structs.fields(type(part)):
                yield from _read(getattr(part, field.name), (*place, field.encode_name))
        case dict():
            for step, each in part.items():
                yield from _read(each, (*place, step))
        case list() | tuple():
            for index, each in enumerate(part):
                yield from _read(each, (*place, index))
        case _:
            return
