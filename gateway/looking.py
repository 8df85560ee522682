"""Asking a vendor whether what we may have done is done already (promise 2)."""

from datetime import datetime, timedelta

from msgspec import UNSET

from adapters import model
from adapters.contract import Adapter
from adapters.errors import Retryable, Unsupported
from sync.store.outbox import Told

SLACK = timedelta(minutes=1)
"""How far the vendor's clock may be behind ours."""


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
