"""What an adapter can look up."""

from datetime import datetime

from msgspec import Struct

from adapters.model.records import ConversationRecord, CustomerRecord, Identity, MessageRecord


class FindMessage(Struct, frozen=True, kw_only=True, tag="find_message"):
    """Did our command `token` leave a message in this conversation?

    `text`, `private` and `since` let an adapter whose vendor keeps no token match by content.
    """

    conversation_id: str
    token: str
    text: str
    private: bool
    since: datetime


class FindCustomer(Struct, frozen=True, kw_only=True, tag="find_customer"):
    """The customer with this identity, if any."""

    identity: Identity


class FindConversation(Struct, frozen=True, kw_only=True, tag="find_conversation"):
    """A conversation as it is now."""

    conversation_id: str


class FindOpened(Struct, frozen=True, kw_only=True, tag="find_opened"):
    """The conversation that our command `token` opened, if it did."""

    token: str
    since: datetime


class GetMessage(Struct, frozen=True, kw_only=True, tag="get_message"):
    """A message as it is now."""

    conversation_id: str
    message_id: str


Query = FindMessage | FindCustomer | FindConversation | FindOpened | GetMessage
Found = MessageRecord | CustomerRecord | ConversationRecord | None
