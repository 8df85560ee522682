"""What comes in over a hook, and what goes back."""

from collections.abc import Mapping

import msgspec

from adapters.errors import Malformed


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request as received: header names in lower case, the body untouched."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class HookReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor wants to hear back once the webhook is safe, or on a handshake."""

    status: int = 202
    body: bytes = b""
    content_type: str = "text/plain"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One raw event to accept: `key` de-duplicates it at its connection, `lane` orders it.

    `lane` is the vendor's conversation id, or any stable name for events that belong to none.
    """

    key: str
    lane: str
    body: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `verify`: what to accept, and what to answer."""

    deliveries: tuple[Delivery, ...]
    reply: HookReply = HookReply()


def single(webhook: Webhook, *, key: object, lane: str | None) -> Receipt:
    """The outcome for a webhook that is one event: nothing to accept if it has no lane, being not for us.

    Raises:
        Malformed: it is for us, and its key is no text.
    """
    if lane is None:
        return Receipt(deliveries=())
    if not isinstance(key, str) or not key:
        raise Malformed("the event has no id")
    return Receipt(deliveries=(Delivery(key=key, lane=lane, body=webhook.body),))
