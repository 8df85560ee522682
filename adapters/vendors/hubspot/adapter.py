"""The adapter of HubSpot Conversations."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from adapters.attachments import Upload
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import Malformed, as_documented
from adapters.manifest import Settings
from adapters.model import (
    Change,
    Command,
    FindConversation,
    FindCustomer,
    FindMessage,
    Found,
    GetMessage,
    IdentityKind,
    Page,
    PullKind,
    Pushed,
    Query,
)
from adapters.signatures import Signature
from adapters.vendors.hubspot import commands, events, lookups, mapping

_V3 = Signature(
    header="X-HubSpot-Signature-v3",
    encoding="base64",
    signed="{method}{url}{body}{timestamp}",
    timestamp_header="X-HubSpot-Request-Timestamp",
    timestamp_unit="ms",
)
_V1 = Signature(header="X-HubSpot-Signature", method="digest", signed="{secret}{body}")


class Hubspot(Adapter):
    """Translates for one HubSpot account (portal)."""

    signature: ClassVar[tuple[Signature, ...]] = (_V3, _V1)

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The API's address and the private app's token."""
        headers = {"Authorization": f"Bearer {settings['token']}"}
        return {"base_url": settings["base_url"], "headers": headers}

    async def check(self) -> str:
        """Ask for the actor that we write as."""
        answer = await self.call("GET", f"/conversations/v3/conversations/actors/{self._account.actor}")
        return f"{answer.get('name') or 'actor'} ({self._account.actor})"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:  # noqa: ARG002 - the payload has it all
        """One delivery for each event of the array; an odd one takes no others along."""
        if not isinstance(payload, list):
            raise Malformed("the body is no list of events")
        ours = [each for each in payload if isinstance(each, dict) and events.lane(each)]
        found = {events.key(each): each for each in ours}
        return Receipt(
            deliveries=tuple(
                Delivery(key=key, lane=str(events.lane(each)), body=msgspec.json.encode(each))
                for key, each in found.items()
            )
        )

    def parse(self, body: bytes) -> Sequence[Change]:
        """What an event tells: mostly what to look up."""
        event = decode(body)
        if not isinstance(event, dict):
            raise Malformed("this is no event")
        with as_documented("the event"):
            return events.changes(event)

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page: of a thread's messages in their order, of the rest as it was last touched."""
        return await lookups.pull(self, self._account, kind, cursor, scope)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(self, self._account, command, uploads)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by its words or its id, a contact, a thread as it is now."""
        match query:
            case FindConversation():
                raw = await self.look(f"{lookups.THREADS}/{query.conversation_id}")
                return mapping.conversation(raw, self._account) if raw else None
            case FindCustomer(identity=identity) if identity.kind is not IdentityKind.EXTERNAL:
                return await lookups.find_customer(self, self._account, identity)
            case GetMessage():
                return await lookups.get_message(self, self._account, query)
            case FindMessage():
                return await lookups.find_message(self, self._account, query)
            case _:
                return await super().find(query)

    @property
    def _account(self) -> mapping.Account:
        return mapping.Account.of(self.settings)
