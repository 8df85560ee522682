"""Asking a vendor whether it has a message of ours already (promise 2)."""

from datetime import datetime, timedelta

from adapters import model
from adapters.contract import Adapter

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
