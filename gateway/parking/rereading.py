"""Reading a malformed body again, with the adapter as it is now. Pure."""

from collections.abc import Mapping

from adapters.contract import Adapter, decode
from adapters.model import Origin
from adapters.webhook import Webhook
from sync.store.inbox import Event, RawEvent, lane_of


def read_malformed(adapters: Mapping[str, Adapter], event: Event, origin: Origin) -> list[RawEvent]:
    """The deliveries in a body that was refused before, under the keys that the adapter gives them.

    Its signature was checked when it came. Raises Malformed while it still can't be read, LookupError
    when its connection is gone.
    """
    adapter = adapters.get(event.connection)
    if adapter is None:
        raise LookupError(f"no connection is called {event.connection!r} any more")
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=event.body)
    receipt = adapter.receive(webhook, decode(event.body))
    return [
        RawEvent(
            connection=event.connection,
            key=delivery.key,
            lane=lane_of(event.connection, delivery.lane),
            body=delivery.body,
            received_at=event.received_at,
            origin=origin,
        )
        for delivery in receipt.deliveries
    ]
