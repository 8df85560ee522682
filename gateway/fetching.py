"""Looking up what a vendor told only the id of."""

from datetime import timedelta

from msgspec import UNSET, Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Adapter
from adapters.errors import Retryable
from adapters.manifest import Capability
from adapters.model import (
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
)
from gateway.thin import Fetching
from sync.pull import Pulled
from sync.store import reconciling

PATIENT = 3
"""What was told of but isn't there is asked for so often: some vendors tell faster than they store."""
SOON = timedelta(seconds=1)


class Held(Struct, frozen=True):
    """What we hold of a connection already."""

    engine: AsyncEngine
    connection: str

    async def conversation(self, conversation_id: str) -> bool:
        """Whether more is known of this conversation than its id."""
        async with self.engine.connect() as database:
            held = await reconciling.held_conversations(database, self.connection, [conversation_id])
        return conversation_id in held and held[conversation_id].status != "unknown"

    async def customer(self, customer_id: str) -> bool:
        """Whether this customer is known."""
        async with self.engine.connect() as database:
            held = await reconciling.held_customers(database, self.connection, [customer_id])
        return customer_id in held


async def look_up(adapter: Adapter, asked: Fetching, *, attempt: int, held: Held) -> tuple[Pulled, ...]:
    """What there is, as changes; with whom and what it belongs to, where we don't know that yet.

    Nothing when it is gone. Raises the adapter's errors.
    """
    found = await adapter.find(asked.query)
    if found is None:
        if attempt < PATIENT:
            raise Retryable("it was told of, but is not there (yet)", retry_after=SOON)
        return ()
    match found:
        case CustomerRecord():
            return (CustomerChanged(customer=found, occurred_at=asked.occurred_at, by=asked.by),)
        case ConversationRecord():
            return (await _conversation(adapter, asked, found, held),)
        case MessageRecord():
            return (await _message(adapter, asked, found, held),)


async def _conversation(
    adapter: Adapter, asked: Fetching, found: ConversationRecord, held: Held
) -> ConversationChanged:
    told = found.updated_at if found.updated_at is not UNSET else asked.occurred_at
    return ConversationChanged(
        conversation=found,
        customer=await _customer(adapter, found, held),
        occurred_at=max(asked.occurred_at, told),
        by=asked.by,
    )


async def _message(adapter: Adapter, asked: Fetching, found: MessageRecord, held: Held) -> MessagePosted:
    assert isinstance(asked.query, GetMessage)
    conversation = ConversationRecord(id=asked.query.conversation_id)
    if adapter.manifest.can(Capability.FIND_CONVERSATION) and not await held.conversation(conversation.id):
        whole = await adapter.find(FindConversation(conversation_id=conversation.id))
        conversation = whole if isinstance(whole, ConversationRecord) else conversation
    return MessagePosted(
        message=found,
        conversation=conversation,
        customer=await _customer(adapter, conversation, held),
        occurred_at=found.sent_at,
    )


async def _customer(adapter: Adapter, conversation: ConversationRecord, held: Held) -> CustomerRecord | None:
    """The customer, if we don't know them yet."""
    wanted = conversation.customer_id
    if wanted is UNSET or not adapter.manifest.can(Capability.FIND_CUSTOMER) or await held.customer(wanted):
        return None
    found = await adapter.find(FindCustomer(identity=Identity(IdentityKind.VENDOR, wanted)))
    return found if isinstance(found, CustomerRecord) else None
