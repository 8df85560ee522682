"""All that the kit asks of an adapter: listings, queries and commands about what its vendor knows."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from adapters.contract import Adapter
from adapters.manifest import Capability
from adapters.model import (
    Assign,
    Author,
    ChangeTags,
    Channel,
    Command,
    FindConversation,
    FindCustomer,
    GetMessage,
    HandOver,
    Identity,
    IdentityKind,
    Note,
    OpenConversation,
    Person,
    PullKind,
    Query,
    ReleaseControl,
    Reply,
    SetStatus,
    Status,
    TakeControl,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.testing.subject import Subject

KEY = "0d5e1c52b7a94b0c9a7c0e7f4a1b2c3d"
TEXT = "Your parcel has cleared customs. 包裹已清關。"
Operation = Callable[[Adapter], Awaitable[Any]]

KINDS = {
    PullKind.CUSTOMERS: Capability.PULL_CUSTOMERS,
    PullKind.CONVERSATIONS: Capability.PULL_CONVERSATIONS,
    PullKind.MESSAGES: Capability.PULL_MESSAGES,
}


def scope_of(subject: Subject, kind: PullKind) -> str | None:
    """Whose messages are listed."""
    return subject.ids.conversation if kind is PullKind.MESSAGES else None


def queries(subject: Subject) -> dict[Capability, Query]:
    """A query of each kind, for what the scripted vendor knows."""
    ids = subject.ids
    return {
        Capability.FIND_CUSTOMER: FindCustomer(identity=Identity(IdentityKind.VENDOR, ids.customer)),
        Capability.FIND_CONVERSATION: FindConversation(conversation_id=ids.conversation),
        Capability.GET_MESSAGE: GetMessage(conversation_id=ids.conversation, message_id=ids.message),
    }


def commands(subject: Subject) -> dict[Capability, Command]:
    """A command of each kind, about what the scripted vendor knows."""
    ids = subject.ids
    at: dict[str, Any] = {"key": KEY, "conversation_id": ids.conversation}
    reply = reply_of(subject)
    team = {"team_id": ids.team} if ids.team else {"assignee_id": ids.person}
    return {
        Capability.REPLY: reply,
        Capability.RELAY: msgspec.structs.replace(reply, author=Author.CUSTOMER),
        Capability.NOTE: Note(text=TEXT, **at),
        Capability.ASSIGN: Assign(**at, **team),
        Capability.SET_STATUS: SetStatus(status=Status.RESOLVED, **at),
        Capability.CHANGE_TAGS: ChangeTags(add=("kit-added",), remove=("kit-removed",), **at),
        Capability.UPDATE_CUSTOMER: UpdateCustomer(
            key=KEY, customer_id=ids.customer, attributes={"member_level": "gold"}
        ),
        Capability.UPDATE_CONVERSATION: UpdateConversation(attributes={"order_number": "CS-10482"}, **at),
        Capability.OPEN_CONVERSATION: OpenConversation(
            key=KEY,
            subject="Parcel at customs",
            text=TEXT,
            customer_name="陳雅婷",
            identities=(Identity(IdentityKind.EMAIL, "chen.yating@example.com"),),
            channel=Channel.CHAT,
        ),
        Capability.HAND_OVER: HandOver(
            summary="The parcel is at customs.",
            to=ids.hand_over_to or None,
            package={"turns": [TEXT] * 3},
            **at,
        ),
        Capability.TAKE_CONTROL: TakeControl(**at),
        Capability.RELEASE_CONTROL: ReleaseControl(**at),
    }


def shapes(subject: Subject) -> dict[str, Operation]:
    """What is asked of an adapter in production beyond `commands` and `queries`, by what it is."""
    can, ids = subject.adapter.manifest.capabilities, subject.ids
    at: dict[str, Any] = {"key": KEY, "conversation_id": ids.conversation}
    every: dict[str, tuple[Capability, Operation]] = {
        f"set_status {status}": (Capability.SET_STATUS, _push(SetStatus(status=status, **at)))
        for status in Status
        if status is not Status.UNKNOWN
    }
    for what, to in (("a person", {"assignee_id": ids.person}), ("a team", {"team_id": "1"}), ("nobody", {})):
        every[f"assign to {what}"] = (Capability.ASSIGN, _push(Assign(**at, **to)))
    for name in ("add", "remove"):
        only: dict[str, Any] = {name: ("kit",)}
        every[f"change_tags, {name} only"] = (Capability.CHANGE_TAGS, _push(ChangeTags(**at, **only)))
    for kind in IdentityKind:
        sought = FindCustomer(identity=Identity(kind, "nobody@kit.example"))
        every[f"find_customer by {kind}"] = (Capability.FIND_CUSTOMER, _find(sought))
    named = UpdateCustomer(key=KEY, customer_id=ids.customer, name="陳雅婷")
    every["update_customer, the name only"] = (Capability.UPDATE_CUSTOMER, _push(named))
    emptied: dict[str, Any] = {"attributes": {"kit": None}}
    gone = UpdateCustomer(key=KEY, customer_id=ids.customer, **emptied)
    every["update_customer, an attribute taken away"] = (Capability.UPDATE_CUSTOMER, _push(gone))
    less = UpdateConversation(**at, **emptied)
    every["update_conversation, an attribute taken away"] = (Capability.UPDATE_CONVERSATION, _push(less))
    spoken = msgspec.structs.replace(reply_of(subject), author=Author.AGENT, person=Person("kit-9", "王芳"))
    every["reply of a person at a desk"] = (Capability.REPLY, _push(spoken))
    bare = OpenConversation(key=KEY, subject="", text=TEXT, private=True)
    every["open_conversation for a stranger, private"] = (Capability.OPEN_CONVERSATION, _push(bare))
    offered = HandOver(summary=TEXT, offer=True, **at)
    every["hand_over as an offer, to nobody named"] = (Capability.HAND_OVER, _push(offered))
    return {what: ask for what, (needed, ask) in every.items() if needed in can}


def reply_of(subject: Subject) -> Reply:
    """The reply that the kit sends."""
    return Reply(key=KEY, conversation_id=subject.ids.conversation, text=TEXT, author=Author.AI)


def operations(subject: Subject) -> dict[str, Operation]:
    """Everything that the adapter can ask of the vendor, by name."""
    can = subject.adapter.manifest.capabilities
    every: dict[str, Operation] = {}
    if not subject.exemption("credentials"):
        every["check"] = lambda adapter: adapter.check()
    for kind, needed in KINDS.items():
        every |= {f"pull {kind}": _pull(kind, scope_of(subject, kind))} if needed in can else {}
    every |= {needed: _find(query) for needed, query in queries(subject).items() if needed in can}
    every |= {needed: _push(command) for needed, command in commands(subject).items() if needed in can}
    return every


def _pull(kind: PullKind, scope: str | None) -> Operation:
    return lambda adapter: adapter.pull(kind, None, scope=scope)


def _find(query: Query) -> Operation:
    return lambda adapter: adapter.find(query)


def _push(command: Command) -> Operation:
    return lambda adapter: adapter.push(command)
