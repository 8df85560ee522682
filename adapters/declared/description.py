"""What a description may say: the shape of the file, every expression in it compiled while it is read."""

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from adapters.declared.asking import (
    Check,
    Command,
    Find,
    Listing,
    Lookup,
    Next,
    Request,
    Search,
    Step,
    Yields,
)
from adapters.declared.places import ForAll, OfAnswer, Part
from adapters.declared.telling import (
    Attachments,
    Change,
    ControlChanged,
    Conversation,
    ConversationChanged,
    ConversationDeleted,
    Customer,
    CustomerChanged,
    CustomerDeleted,
    CustomersMerged,
    DeclaredSignature,
    Handshake,
    Handshakes,
    Hook,
    Identities,
    Message,
    MessageFailed,
    MessagePosted,
    Person,
    Records,
    Reply,
    ThinEvent,
)
from adapters.manifest import CONTRACT, Field, Limit, Role, Tier
from adapters.model import Author, Channel, Control, Status

__all__ = [
    "Anonymous",
    "Attachments",
    "Basic",
    "Bearer",
    "Change",
    "Check",
    "Command",
    "ControlChanged",
    "Conversation",
    "ConversationChanged",
    "ConversationDeleted",
    "Customer",
    "CustomerChanged",
    "CustomerDeleted",
    "CustomersMerged",
    "DeclaredSignature",
    "Description",
    "Fault",
    "Find",
    "ForAll",
    "Handshake",
    "Handshakes",
    "Hook",
    "Identities",
    "Listing",
    "Lookup",
    "Message",
    "MessageFailed",
    "MessagePosted",
    "Next",
    "Person",
    "Plain",
    "Records",
    "Reply",
    "Request",
    "Search",
    "Signing",
    "Step",
    "ThinEvent",
    "Times",
    "Yields",
]


class Basic(Part, frozen=True, kw_only=True, tag="basic", tag_field="kind"):
    """HTTP basic authentication."""

    user: ForAll
    password: ForAll


class Bearer(Part, frozen=True, kw_only=True, tag="bearer", tag_field="kind"):
    """A token in the header `Authorization`."""

    token: ForAll


class Plain(Part, frozen=True, kw_only=True, tag="token", tag_field="kind"):
    """Headers or query parameters of the vendor's own."""

    headers: dict[str, ForAll] = msgspec.field(default_factory=dict)
    query: dict[str, ForAll] = msgspec.field(default_factory=dict)


class Signing(Part, frozen=True, kw_only=True, tag="signed", tag_field="kind"):
    """Every request is signed. `query` comes along and may be covered; `${nonce}` is new each time."""

    signature: DeclaredSignature
    query: dict[str, ForAll] = msgspec.field(default_factory=dict)


class Anonymous(Part, frozen=True, kw_only=True, tag="none", tag_field="kind"):
    """No credentials."""


class Fault(Part, frozen=True, kw_only=True):
    """An answer that means an error, whatever its status."""

    when: OfAnswer
    means: Literal["retryable", "fatal", "rejected", "outdated", "unsupported"] = msgspec.field(name="is")
    reason: OfAnswer | None = None
    retry_after: OfAnswer | None = None


class Times(Part, frozen=True, kw_only=True):
    """How the vendor writes times that aren't ISO 8601 with an offset."""

    unit: Literal["s", "ms"] = "s"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse a zone that nobody knows."""
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"no time zone is called {self.zone!r}: write one such as Asia/Shanghai"
            ) from error


Word = str | int
CommandName = Literal[
    "reply",
    "relay",
    "note",
    "assign",
    "set_status",
    "change_tags",
    "update_customer",
    "update_conversation",
    "open_conversation",
    "hand_over",
    "take_control",
    "release_control",
]


class Description(Part, frozen=True, kw_only=True):
    """One vendor's API. Sources of facts belong into the README beside it."""

    contract: int = CONTRACT
    title: str
    roles: tuple[Role, ...]
    tier: Tier
    exemptions: dict[str, str] = msgspec.field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    limits: tuple[Limit, ...] = ()
    base_url: ForAll
    headers: dict[str, ForAll] = msgspec.field(default_factory=dict)
    auth: Basic | Bearer | Plain | Signing | Anonymous
    check: Check | None = None
    times: Times = Times()
    statuses: dict[Word, Status] = msgspec.field(default_factory=dict)
    channels: dict[Word, Channel] = msgspec.field(default_factory=dict)
    authors: dict[Word, Author] = msgspec.field(default_factory=dict)
    controls: dict[Word, Control] = msgspec.field(default_factory=dict)
    records: Records = Records()
    webhook: Hook | None = None
    pages: dict[Literal["customers", "conversations", "messages"], Listing] = msgspec.field(
        default_factory=dict
    )
    commands: dict[CommandName, Command] = msgspec.field(default_factory=dict)
    find: Find = Find()
    errors: tuple[Fault, ...] = ()
    keeps_tokens: bool = False
