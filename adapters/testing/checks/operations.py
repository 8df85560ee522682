"""All that the kit asks of an adapter: listings, queries and commands about what its vendor knows."""

from collections.abc import Awaitable, Callable
from typing import Any

from adapters.contract import Adapter
from adapters.manifest import Capability
from adapters.model import (
    Command,
    FindConversation,
    FindCustomer,
    GetMessage,
    Identity,
    IdentityKind,
    PullKind,
    Query,
)
from adapters.testing.checks.sending import commands
from adapters.testing.subject import Subject

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
