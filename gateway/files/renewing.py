"""Addresses of files that were good for a while: the message that a file lies beside is looked up again."""

from collections.abc import Iterable

from adapters.contract import Adapter
from adapters.errors import AdapterError, Retryable
from adapters.manifest import Capability
from adapters.model import Attachment, GetMessage, MessageRecord


async def renewed(adapter: Adapter, wanted: Attachment) -> Attachment | None:
    """The same file as its vendor tells of it now; `None` if it can't say, or says what we know.

    Raises Retryable where another try may work.
    """
    if wanted.conversation_id is None or wanted.message_id is None:
        return None
    if Capability.GET_MESSAGE not in adapter.capabilities:
        return None
    query = GetMessage(conversation_id=wanted.conversation_id, message_id=wanted.message_id)
    try:
        found = await adapter.find(query)
    except Retryable:
        raise
    except AdapterError:
        return None
    again = _same(wanted, found.attachments) if isinstance(found, MessageRecord) else None
    return again if again is not None and again.url != wanted.url else None


def _same(wanted: Attachment, told: Iterable[Attachment]) -> Attachment | None:
    """By its id; where a vendor makes that of the address, by a name that no other file there has."""
    every = list(told)
    alike = [each for each in every if each.id == wanted.id] or [
        each for each in every if each.name == wanted.name
    ]
    return alike[0] if len(alike) == 1 else None
