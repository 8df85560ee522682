"""What a vendor told only the id of: the errand to look it up. Pure."""

from datetime import datetime

from msgspec import Struct

from adapters.model import (
    Author,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    Origin,
    Query,
    ThinEvent,
)

FETCH = "fetch"


class Fetching(Struct, frozen=True, kw_only=True, tag=FETCH):
    """The command to look something up and take in what is found, as if the vendor had told it."""

    key: str
    query: Query
    occurred_at: datetime
    by: Author = Author.UNKNOWN
    origin: Origin = Origin.LIVE


def bare(change: ThinEvent) -> ConversationChanged | CustomerChanged:
    """All that a thin event tells by itself: that there is such a conversation, or such a customer.

    Raises ValueError when it names neither.
    """
    match change.query:
        case FindConversation(conversation_id=conversation_id) | GetMessage(conversation_id=conversation_id):
            return ConversationChanged(
                conversation=ConversationRecord(id=conversation_id), occurred_at=change.occurred_at
            )
        case FindCustomer(identity=Identity(kind=IdentityKind.VENDOR, value=customer_id)):
            return CustomerChanged(customer=CustomerRecord(id=customer_id), occurred_at=change.occurred_at)
        case _:
            raise ValueError(
                f"a thin event names a conversation, a message or a customer by the vendor's id, not"
                f" {type(change.query).__name__}"
            )
