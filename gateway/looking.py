"""Asking a vendor whether what we may have done is done already (promise 2)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec import UNSET

from adapters import model
from adapters.contract import Adapter
from adapters.errors import Retryable, Unsupported
from adapters.manifest import Capability
from sync.store.outbox import Told

SLACK = timedelta(minutes=1)
"""How far the vendor's clock may be behind ours."""


def looks_up(adapter: Adapter, command: model.Command) -> bool:
    """Whether looking settles if this was done: what is found is there, what isn't was not."""
    match command:
        case model.Reply() | model.Note():
            return True
        case model.OpenConversation():
            return adapter.manifest.can(Capability.FIND_OPENED)
        case _:
            return False


async def was_done(
    adapter: Adapter,
    command: model.Command,
    *,
    since: datetime,
    told: Callable[[], Awaitable[Told]],
    patient: bool,
) -> model.Pushed | None:
    """What an earlier try has left at the vendor, if it worked; `since` is when we decided to do it."""
    match command:
        case model.Reply() | model.Note():
            message = await look_for(adapter, command, since=since)
            return model.Pushed(id=message.id, at=message.sent_at) if message else None
        case model.OpenConversation() if looks_up(adapter, command):
            opened = await adapter.find(model.FindOpened(token=command.key, since=since - SLACK))
            return model.Pushed(id=opened.id) if isinstance(opened, model.ConversationRecord) else None
        case model.SetStatus():
            was_set = await status_was_set(adapter, command, await told(), patient=patient)
            return model.Pushed() if was_set else None
        case _:
            return None


async def look_for(
    adapter: Adapter, command: model.Reply | model.Note, *, since: datetime
) -> model.MessageRecord | None:
    """The message that this command wrote, if it did; `since` is when we decided to send it."""
    found = await adapter.find(
        model.FindMessage(
            conversation_id=command.conversation_id,
            token=command.key,
            text=command.text,
            private=isinstance(command, model.Note),
            since=since - SLACK,
        )
    )
    return found if isinstance(found, model.MessageRecord) else None


async def status_was_set(adapter: Adapter, command: model.SetStatus, told: Told, *, patient: bool) -> bool:
    """Whether the status was set, though the conversation may have moved on since.

    Setting it again could undo what somebody did after it. Where the vendor has changes that we were
    not told of yet, `patient` ones wait for being told: raises Retryable.
    """
    if told.back:
        return True
    try:
        found = await adapter.find(model.FindConversation(conversation_id=command.conversation_id))
    except Unsupported:
        return False
    if not isinstance(found, model.ConversationRecord):
        return False
    if found.status == command.status:
        return True
    known = told.vendor_updated_at
    untold = found.updated_at is not UNSET and (known is None or found.updated_at > known)
    if untold and patient:
        raise Retryable("the conversation has changed since, and we were not told how yet")
    return False
