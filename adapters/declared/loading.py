"""From a file to a checked description: every mistake with its place and its cure."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from adapters.declared.description import Command, Description, Hook, Listing, Signing
from adapters.declared.document import Document
from adapters.declared.expressions import Expression, Template, Tree
from adapters.declared.reach import unreachable
from adapters.declared.risks import risky
from adapters.hints import Place, meant
from adapters.manifest import CONTRACT, Capability, Manifest
from adapters.model import CHANNELS, Channel

_REASON = 20
_AUTH: Mapping[str, str] = {"signed": "token"}
_PULLS = {"customers": "customer", "conversations": "conversation", "messages": "message"}
_FINDS = {
    "message": (Capability.FIND_MESSAGE, "message"),
    "get_message": (Capability.GET_MESSAGE, "message"),
    "conversation": (Capability.FIND_CONVERSATION, "conversation"),
    "opened": (Capability.FIND_OPENED, "conversation"),
    "customer": (Capability.FIND_CUSTOMER, "customer"),
}
_MARKS = {"number": "page.number", "offset": "page.offset", "cursor": "page.cursor"}
_QUOTED = re.compile(r"""["'](\w+)["']""")
_SETTING = re.compile(r"\{setting:([^{}]+)\}")

Fault = tuple[Place, str]


def load(path: Path) -> Description:
    """The description in a file.

    Raises:
        DescriptionError: it can't be used; tells of every mistake where it is and what to do.
    """
    document = Document(path)
    settings = _settings(document.value.get("fields"))

    def hook(kind: type, given: Any) -> Any:
        if issubclass(kind, Expression | Template | Tree):
            return kind.compiled(given, settings)
        raise NotImplementedError(kind)

    description = document.convert(Description, hook)
    if description is not None and not document.is_flawed:  # else they would tell of what was taken out
        for place, reason in _faults(description):
            document.refuse(place, reason)
    document.close()
    assert description is not None
    return description


def manifest_of(description: Description) -> Manifest:
    """What an adapter made of it declares: it can do what is described."""
    kind = description.auth.__struct_config__.tag
    return Manifest(
        contract=description.contract,
        title=description.title,
        roles=description.roles,
        auth=_AUTH.get(str(kind), str(kind)),  # type: ignore[arg-type]
        tier=description.tier,
        capabilities=frozenset(_capabilities(description)),
        channels=frozenset(_channels(description)),
        fields=description.fields,
        limits=description.limits,
        exemptions=description.exemptions,
    )


def _capabilities(description: Description) -> Iterator[Capability]:
    for name, command in description.commands.items():
        yield Capability(name)
        sources = "\n".join(request.sources for request in command.requests)
        if name in {"reply", "note"} and _takes_files(command):
            yield Capability.SEND_ATTACHMENTS
        if name == "update_customer" and "command.revision" in sources:
            yield Capability.CONDITIONAL_UPDATE
        if name == "update_conversation" and "command.subject" in sources:
            yield Capability.SET_SUBJECT
        if name == "update_conversation" and "command.updated_at" in sources:
            yield Capability.CONDITIONAL_CONVERSATION
    for kind in description.pages:
        yield Capability(f"pull_{kind}")
    yield from (can for name, (can, _) in _FINDS.items() if getattr(description.find, name))
    message = description.records.message
    if message is not None and message.attachments is not None:
        yield Capability.ATTACHMENTS


def _channels(description: Description) -> AbstractSet[Channel]:
    """What the table and the expression name; where neither names any, the vendor's words are ours."""
    conversation = description.records.conversation
    if conversation is None or conversation.channel is None:
        return frozenset()
    source, table = conversation.channel.source, description.channels
    written = (Channel(word) for word in _QUOTED.findall(source) if word in CHANNELS and word not in table)
    named = {*table.values(), *written} - {Channel.UNKNOWN}
    by_setting = any(field.type == "channel" and field.name in source for field in description.fields)
    return named if named or by_setting else frozenset(CHANNELS)


def _takes_files(command: Command) -> bool:
    return any(request.files or "uploads" in request.sources for request in command.requests)


def _settings(fields: Any) -> dict[str, bool] | None:
    """The declared settings, and which are secret; None if they can't be read: that is told by itself."""
    if not isinstance(fields, list | None):
        return None
    given = [each for each in fields or () if isinstance(each, dict)]
    return {each["name"]: each.get("secret") is True for each in given if isinstance(each.get("name"), str)}


def _faults(description: Description) -> Iterator[Fault]:
    """What no single line shows."""
    yield from _names(description)
    if description.webhook is None and not description.pages and not description.commands:
        yield (), "nothing comes in or goes out: describe a `webhook`, `pages` or `commands`"
    if description.webhook is not None:
        yield from _hook_faults(description, description.webhook)
    for kind, listing in description.pages.items():
        yield from _listing_faults(kind, listing)
        yield from _lacking(description, ("pages", kind), _PULLS[kind])
    for name, (_, record) in _FINDS.items():
        if getattr(description.find, name):
            yield from _lacking(description, ("find", name), record)
    yield from unreachable(description)
    yield from risky(description)
    if "set_status" in description.commands and not description.statuses:
        yield ("commands", "set_status"), "say in `statuses` which of the vendor's words is which of ours"
    if isinstance(description.auth, Signing):
        yield from _signature_faults(description, ("auth", "signature"), description.auth.signature)


def _names(description: Description) -> Iterator[Fault]:
    if description.contract != CONTRACT:
        yield ("contract",), f"this is contract {CONTRACT}: upgrade Deskbridge, or the description"
    names = [field.name for field in description.fields]
    for index, name in enumerate(names):
        if name == "description" or name in names[:index]:
            taken = "names the file itself" if name == "description" else "is declared twice"
            yield ("fields", index, "name"), f"the field `{name}` {taken}: call it otherwise"
    for name, reason in description.exemptions.items():
        if len(reason) < _REASON:
            yield ("exemptions", name), "give a reason that one could judge"


def _lacking(description: Description, place: Place, record: str) -> Iterator[Fault]:
    if getattr(description.records, record) is None:
        yield place, f"this reads a {record}: say in `records.{record}` how"


def _hook_faults(description: Description, hook: Hook) -> Iterator[Fault]:
    declared = hook.signature or ()
    for index, signature in enumerate(declared if isinstance(declared, tuple) else (declared,)):
        place = ("webhook", "signature", *((index,) if isinstance(declared, tuple) else ()))
        yield from _signature_faults(description, place, signature)
    if not hook.changes:
        yield ("webhook", "changes"), "say which changes an event means"
    for index, change in enumerate(hook.changes):
        for record in ("message", "conversation", "customer"):
            if isinstance(getattr(change, record, None), Expression):
                yield from _lacking(description, ("webhook", "changes", index, record), record)


def _signature_faults(description: Description, place: Place, signature: Any) -> Iterator[Fault]:
    fields = {field.name: field for field in description.fields}
    named = fields.get(signature.secret_field)
    if named is None or not named.secret:
        secrets = tuple(name for name, field in fields.items() if field.secret)
        yield (
            (*place, "secret_field"),
            f"there is no secret field `{signature.secret_field}`; {meant(signature.secret_field, secrets)}",
        )
    for name in _SETTING.findall(signature.template):
        if name not in fields:
            yield (
                (*place, "signed"),
                f"{{setting:{name}}} is none of the fields; {meant(name, tuple(fields))}",
            )


def _listing_faults(kind: str, listing: Listing) -> Iterator[Fault]:
    place, sources = ("pages", kind), listing.sources
    mark = _MARKS.get(listing.next.by)
    if mark and mark not in sources:
        yield (*place, "next"), f"the request never asks for ${{{mark}}}: every page would be the first one"
    if listing.order == "oldest" and "page.since" not in sources:
        yield (*place, "order"), "with `order: oldest` the request asks for ${page.since}"
    if listing.next.by in {"number", "offset"} and not listing.size and listing.last is None:
        yield place, "say how many a full page holds (`size`), or when it is the last one (`last`)"
    if listing.next.by == "offset" and not listing.size:
        yield place, "say how many a full page holds (`size`): the offset grows by that"
    if listing.next.most is not None and listing.order != "oldest":
        yield (*place, "next", "most"), "only with `order: oldest` a walk can begin again in the middle"
