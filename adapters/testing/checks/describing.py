"""Adapters that a file describes: whether what it reads is ever there, for a wrong path is no error."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from adapters.contract import decode
from adapters.declared import hooks
from adapters.declared.adapter import Declared
from adapters.declared.description import Attachments, Hook, Records
from adapters.declared.expressions import ABSENT, Expression, facts
from adapters.declared.reading import Reader
from adapters.errors import AdapterError
from adapters.manifest import Settings, Tier
from adapters.model import ConversationRecord, CustomerRecord, MessageRecord
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.checks.asking import records_of, walk
from adapters.testing.checks.operations import KINDS
from adapters.testing.subject import Subject

Read = dict[str, Expression]
_RECORDS = {"customer": CustomerRecord, "conversation": ConversationRecord, "message": MessageRecord}


@check(Tier.BRONZE)
async def shown(subject: Subject) -> None:
    """Of all that a description reads of webhooks and records, a fixture shows an example.

    A misspelt path is no error: it gives nothing, for ever.
    """
    if not issubclass(subject.adapter, Declared):
        raise NotApplicable("it is no description")
    description = subject.adapter.description
    reader = Reader(description, _open(subject))
    lacking = [*_unseen_fields(reader, description.records, await _raws(subject))]
    if description.webhook is not None:
        lacking += _unseen_changes(subject, description.webhook, reader)
    require(
        not lacking,
        f"no fixture shows {'; '.join(lacking)}. Mend what is misspelt, put a body that has it into"
        f" {subject.folder}, or take the line out",
    )


async def _raws(subject: Subject) -> dict[type, list[Any]]:
    """The vendor's own objects, by what they became: in webhooks and in listings."""
    changes = [change for told in subject.changes.values() for change in told]
    for kind, needed in KINDS.items():
        if needed in subject.adapter.manifest.capabilities:
            with suppress(AdapterError, AssertionError):  # told of by the checks of listings
                changes += [change async for page in walk(subject, kind) for change in page.changes]
    found: dict[type, list[Any]] = {}
    for record in (record for change in changes for record in records_of(change)):
        if record.raw:
            found.setdefault(type(record), []).append(record.raw)
    return found


def _unseen_fields(reader: Reader, how: Records, raws: dict[type, list[Any]]) -> Iterator[str]:
    for name, kind in _RECORDS.items():
        described = getattr(how, name)
        if described is None or kind not in raws:
            continue
        for place, expression, listed in _fields(described, f"records.{name}"):
            held = [_value(listed, raw, reader) if listed else [raw] for raw in raws[kind]]
            given = [_value(expression, it, reader) for each in held if isinstance(each, list) for it in each]
            if all(value in (None, ABSENT) for value in given):
                yield f"{place} (`{expression.source}`)"
            elif place.endswith("_at") and not any(map(reader.moment, given)):
                yield f"a time in {place} (`{expression.source}`): say in `times` how it is written"


def _fields(part: Any, place: str, listed: Expression | None = None) -> Iterator[tuple[str, Expression, Any]]:
    """Each field's place, its expression, and the list in which its `it` lies, if it is one of several."""
    for field in msgspec.structs.fields(type(part)):
        value, at = getattr(part, field.name), f"{place}.{field.encode_name}"
        if isinstance(value, Expression):
            yield at, value, None if field.name == "each" else listed
        elif isinstance(value, msgspec.Struct):
            yield from _fields(value, at, value.each if isinstance(value, Attachments) else listed)


def _unseen_changes(subject: Subject, hook: Hook, reader: Reader) -> Iterator[str]:
    bodies = [each.body for body in subject.webhooks.values() for each in _deliveries(subject, body)]
    for index, change in enumerate(hook.changes):
        alone = msgspec.structs.replace(hook, changes=(change,))
        if not any(hooks.changes(alone, reader, decode(body)) for body in bodies):
            yield f"webhook.changes[{index}] ({change.__struct_config__.tag})"
    headers = {name.lower(): value for name, value in subject.declared.headers.items()}
    whole = {"headers": headers, "query": subject.declared.query, "settings": reader.settings}
    if hook.key is not None and all(
        hook.key.value(facts(event=decode(body), **whole)) in (None, ABSENT) for body in bodies
    ):
        yield f"webhook.key (`{hook.key.source}`)"


def _deliveries(subject: Subject, body: bytes) -> Any:
    with suppress(AdapterError):
        return subject.deliveries(body)
    return ()


def _value(expression: Expression, thing: Any, reader: Reader) -> Any:
    return expression.value(facts(it=thing, settings=reader.settings))


def _open(subject: Subject) -> dict[str, Any]:
    """The sample settings that are no secrets."""
    manifest = subject.adapter.manifest
    values = Settings(manifest, subject.settings)
    return {field.name: values[field.name] for field in manifest.fields if not field.secret}
