"""The switchboard: which integration may speak in a conversation, and how that is passed on.

https://developer.zendesk.com/documentation/conversations/messaging-platform/programmable-conversations/switchboard/
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from adapters.errors import Rejected
from adapters.model import (
    Control,
    ControlChanged,
    ConversationRecord,
    HandOver,
    Person,
    Pushed,
    Raw,
    Reception,
    ReleaseControl,
    TakeControl,
)
from adapters.reading import table
from adapters.vendors.sunshine import mapping

Call = Callable[..., Awaitable[Any]]
_PREFIX = "switchboard:"
NEXT = "next"
METADATA_LIMIT = 4096
"""Bytes of metadata, written as JSON."""
_ROOM = 3900
"""What of it the context takes: how the vendor counts is not said."""
_SUMMARY_SHARE = 1200
_GROUP_DIGITS = 20
_CUT: Raw = {"deskbridge_complete": False}


def tells(kind: str) -> bool:
    """Whether an event of this type is one of the switchboard's."""
    return kind.startswith(_PREFIX)


def change(event: Raw, *, ours: str, sdk_channel: str, occurred_at: datetime) -> ControlChanged:
    """What a switchboard event tells of the right to speak, seen from our integration."""
    payload = event["payload"]
    raw = payload["conversation"]
    active, pending = _active(raw), _pending(raw)
    error = payload.get("error") or {}
    reason = payload.get("reason") or error.get("message") or error.get("title") or error.get("code")
    holder = pending or active if "offerControl" in event["type"] else active
    return ControlChanged(
        conversation=mapping.conversation(raw, sdk_channel=sdk_channel),
        control=_control(event["type"], active, pending, ours),
        holder=_person(holder),
        metadata=table(payload.get("metadata")),
        reason=str(reason or ""),
        occurred_at=occurred_at,
    )


def held_by_others(
    conversation: ConversationRecord, *, ours: str, occurred_at: datetime
) -> Iterator[ControlChanged]:
    """Who has the right to speak in a conversation that came with something else, if it isn't us."""
    active = _active(conversation.raw)
    if active and not is_ours(active, ours):
        yield ControlChanged(
            conversation=conversation,
            control=Control.THEIRS,
            holder=_person(active),
            occurred_at=occurred_at,
        )


def _control(kind: str, active: Raw, pending: Raw, ours: str) -> Control:
    match kind.removeprefix(_PREFIX):
        case "releaseControl":
            return Control.RELEASED
        case "passControl" | "acceptControl" if active:
            return Control.OURS if is_ours(active, ours) else Control.THEIRS
        case "offerControl" if pending:
            return _offered(active, pending, ours)
        case failed if failed.endswith(":failure"):
            return Control.REFUSED
        case _:
            return Control.UNKNOWN


def _offered(active: Raw, pending: Raw, ours: str) -> Control:
    if is_ours(pending, ours):
        return Control.OFFERED_TO_US
    among_others = active and not is_ours(active, ours)
    return Control.THEIRS if among_others else Control.OFFERED_AWAY


def is_theirs(raw: Raw, ours: str) -> bool:
    """Whether somebody else has control of a conversation, or is offered it."""
    return any(each and not is_ours(each, ours) for each in (_active(raw), _pending(raw)))


def is_ours(integration: Raw, ours: str) -> bool:
    """Whether this is our switchboard integration, which settings may call by any of its names."""
    return ours in {integration.get(each) for each in ("id", "name", "integrationId", "integrationType")}


async def hand_over(call: Call, path: str, command: HandOver, *, ours: str, field: str | None) -> Pushed:
    """Pass or offer control. If it isn't ours any more, that has happened already: nothing is sent.

    `field` is the number of the ticket field that shows agents the summary.
    """
    raw = await _read(call, path)
    active, pending = _active(raw), _pending(raw)
    if active and not is_ours(active, ours):
        return Pushed(reception=Reception.ACCEPTED, raw=raw)
    if command.offer and pending and not is_ours(pending, ours):
        return Pushed(reception=Reception.QUEUED, raw=raw)
    group = command.to if command.to and command.to.isdecimal() and len(command.to) < _GROUP_DIGITS else None
    target = NEXT if group or not command.to else command.to
    body = {"switchboardIntegration": target, "metadata": context(command, group=group, field=field)}
    await call("POST", f"{path}/{'offerControl' if command.offer else 'passControl'}", json=body)
    return Pushed(reception=Reception.QUEUED if command.offer else Reception.ACCEPTED)


async def take(call: Call, path: str, command: TakeControl, *, ours: str) -> Pushed:
    """Accept what is offered to us, take what nobody holds, take back what we have only offered, or opened.

    An app's key would accept for anybody, so it is looked first.
    """
    raw = await _read(call, path)
    active, pending = _active(raw), _pending(raw)
    metadata = {mapping.KEY: command.key}
    if is_ours(pending, ours):
        await call("POST", f"{path}/acceptControl", json={"metadata": metadata})
        return Pushed()
    opened_by_us = isinstance(table(raw.get("metadata")).get(mapping.KEY), str)
    if active and not is_ours(active, ours) and not opened_by_us:
        raise Rejected(f"others have control of {command.conversation_id}, and don't offer it to {ours!r}")
    if is_ours(active, ours) and not pending:
        return Pushed(raw=raw)
    await call("POST", f"{path}/passControl", json={"switchboardIntegration": ours, "metadata": metadata})
    return Pushed()


async def release(call: Call, path: str, command: ReleaseControl, *, ours: str) -> Pushed:
    """Give control back. An app's key would take it from anybody, so it is looked first."""
    raw = await _read(call, path)
    if not is_ours(_active(raw), ours):
        return Pushed(raw=raw)
    told = {mapping.KEY: command.key, "deskbridge_reason": _cut(command.reason, _SUMMARY_SHARE)}
    await call("POST", f"{path}/releaseControl", json={"metadata": told})
    return Pushed()


def context(command: HandOver, *, group: str | None = None, field: str | None = None) -> Raw:
    """The context as flat metadata within the limit.

    The whole package as JSON where it fits, else without the transcript, else its plain values as far as
    there is room; then `deskbridge_complete` is false, and `deskbridge_url` leads to the rest.

    The names with `dataCapture` and `first_message_id` are what Zendesk's Agent Workspace reads:
    https://support.zendesk.com/hc/en-us/articles/4419179022874
    """
    summary = _cut(command.summary, _SUMMARY_SHARE)
    told: Raw = {mapping.KEY: command.key, "deskbridge_url": command.url, "deskbridge_summary": summary}
    if field:
        shown = f"{summary}\n{command.url}".strip()
        told[f"dataCapture.ticketField.{field}"] = shown
    if group:
        told["dataCapture.systemField.group_id"] = group
    if command.assignee_id:
        told["dataCapture.systemField.assignee_id"] = command.assignee_id
    told |= dict(_first_message(command.package))
    lighter = {name: value for name, value in command.package.items() if name != "transcript"}
    for package in (command.package, lighter):
        more = told | {"deskbridge_package": msgspec.json.encode(package).decode()}
        if fits(more | _CUT, room=_ROOM):
            is_whole = package is command.package and summary == command.summary
            return more if is_whole else more | _CUT
    for name, value in command.package.items():
        more = told | {f"deskbridge_{name}": value}
        if isinstance(value, str | int | float) and fits(more | _CUT, room=_ROOM):
            told = more
    return told | _CUT


def fits(metadata: Raw, *, room: int = METADATA_LIMIT) -> bool:
    """Whether the vendor takes metadata of this size."""
    return len(msgspec.json.encode(metadata)) <= room


def _first_message(package: Raw) -> Iterator[tuple[str, str]]:
    """Where the Agent Workspace is to begin; by default it shows agents the last ten messages."""
    match package.get("transcript"):
        case [{"id": str(first)}, *_] if ":" not in first:
            yield "first_message_id", first


def _cut(text: str, size: int) -> str:
    """The text, or as much of it as takes so many bytes as JSON."""
    kept = text
    while (taken := len(msgspec.json.encode(kept))) > size:
        kept = kept[: len(kept) * size // taken - 1]
    return text if kept == text else f"{kept}…"


async def _read(call: Call, path: str) -> Raw:
    answer: Raw = await call("GET", path)
    return answer.get("conversation") or {}


def _active(raw: Raw) -> Raw:
    return raw.get("activeSwitchboardIntegration") or {}


def _pending(raw: Raw) -> Raw:
    return raw.get("pendingSwitchboardIntegration") or {}


def _person(integration: Raw) -> Person | None:
    known = integration.get("id") or integration.get("name")
    return Person(str(known), str(integration.get("name") or "")) if known else None
