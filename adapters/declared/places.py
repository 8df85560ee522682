"""What expressions and texts may read, by the place where they stand in a description."""

from typing import ClassVar

from msgspec import Struct

from adapters.declared.expressions import Expression, Template, Tree


class OfEvent(Expression):
    """Reads the event that a webhook brings; `it` is one of the things that `each` names in it."""

    reads = ("event", "it", "settings")


class OfHook(Expression):
    """Reads the whole request of a webhook."""

    reads = ("event", "headers", "query", "settings")


class OfHandshake(Expression):
    """Likewise, and the secrets that a handshake is to prove."""

    reads = ("event", "headers", "query", "settings")
    secrets = True


class ToHook(Template):
    """An answer to a webhook."""

    reads = ("event", "headers", "query", "settings")


class OfRecord(Expression):
    """Reads `it`: the vendor's own object."""

    reads = ("it", "settings")


class OfAnswer(Expression):
    """Reads what the vendor answered, and what it was asked."""

    reads = ("answer", "status", "headers", "command", "query", "page", "steps", "settings")


class OfItem(Expression):
    """Reads one thing on a page: `it`."""

    reads = ("it", "answer", "conversation_id", "settings")


class InRequest(Template):
    """A part of a request."""

    reads = (
        "command",
        "it",
        "text",
        "status",
        "channel",
        "query",
        "page",
        "steps",
        "uploads",
        "conversation_id",
        "settings",
    )


class If(Expression):
    """Whether a request is made at all."""

    reads = InRequest.reads
    secrets = True


class Body(Tree):
    """The JSON body of a request."""

    template: ClassVar[type[Template]] = InRequest


class ForAll(Template):
    """A part of every request."""

    reads = ("settings", "nonce")


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a description has in common."""
