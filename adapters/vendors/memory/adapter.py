"""The adapter of the reference helpdesk."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from adapters.attachments import Fetch, Upload, same_origin
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import Malformed
from adapters.manifest import Capability, Settings
from adapters.model import (
    Attachment,
    Change,
    Command,
    FindConversation,
    FindCustomer,
    FindMessage,
    FindOpened,
    Found,
    GetMessage,
    IdentityKind,
    Page,
    PullKind,
    Pushed,
    Query,
    Raw,
)
from adapters.signatures import Signature
from adapters.vendors.memory import commands, mapping
from adapters.vendors.memory.records import SIGNATURE

_CONTROL = frozenset({Capability.HAND_OVER, Capability.TAKE_CONTROL, Capability.RELEASE_CONTROL})
_SEARCHED_BY = {
    IdentityKind.EMAIL: "email",
    IdentityKind.PHONE: "phone",
    IdentityKind.EXTERNAL: "external_id",
}


class Memory(Adapter):
    """Translates for the reference helpdesk."""

    signature: ClassVar[Signature | None] = SIGNATURE
    keeps_tokens: ClassVar[bool] = True

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but control where there is no switchboard."""
        every = self.manifest.capabilities
        return every if self.settings["switchboard"] else every - _CONTROL

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The helpdesk's address and the bearer token."""
        return {
            "base_url": settings["base_url"],
            "headers": {"Authorization": f"Bearer {settings['token']}"},
        }

    async def check(self) -> str:
        """Ask whose token it is."""
        me = await self.call("GET", "/api/me")
        return str(me["name"])

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """One event per webhook, in its conversation's lane."""
        match payload:
            case {"id": str(key), "conversation": {"id": str(lane)}}:
                pass
            case {"id": str(key), "customer": {"id": str(customer)}}:
                lane = f"customer:{customer}"
            case _:
                raise Malformed("the event names neither a conversation nor a customer")
        return Receipt(deliveries=(Delivery(key=key, lane=lane, body=webhook.body),))

    def parse(self, body: bytes) -> Sequence[Change]:
        """The change an event tells of."""
        event = decode(body)
        try:
            change = mapping.thin(event) if event.get("thin") else mapping.change(event)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"the event is not as documented: {error!r}") from error
        return (change,) if change else ()

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page of what changed after the cursor."""
        path = f"/api/conversations/{scope}/messages" if kind is PullKind.MESSAGES else f"/api/{kind}"
        page = await self.call("GET", path, params={"cursor": cursor or "0"})
        changes = tuple(mapping.pulled(kind, raw) for raw in page["items"])
        return Page(changes=changes, cursor=page["cursor"], last=page["last"], total=page["total"])

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(self.call, command, uploads)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by our token, a customer by one of their addresses, or anything by its id."""
        match query:
            case FindMessage():
                path = f"/api/conversations/{query.conversation_id}/messages"
                return await self._first(path, {"token": query.token}, mapping.message)
            case FindOpened():
                return await self._first("/api/conversations", {"token": query.token}, mapping.conversation)
            case FindCustomer(identity=identity) if identity.kind in _SEARCHED_BY:
                wanted = {_SEARCHED_BY[identity.kind]: identity.value}
                return await self._first("/api/customers", wanted, mapping.customer)
            case FindConversation() | GetMessage() | FindCustomer():
                return await self._one(query)
            case _:
                return await super().find(query)

    def fetch(self, attachment: Attachment) -> Fetch:
        """Its own files want the token."""
        if not same_origin(attachment.url, self.settings["base_url"]):
            return super().fetch(attachment)
        return Fetch(url=attachment.url, headers={"Authorization": f"Bearer {self.settings['token']}"})

    async def _first(self, path: str, wanted: dict[str, str], read: Callable[[Raw], Found]) -> Found:
        page = await self.call("GET", path, params=wanted)
        return read(page["items"][0]) if page["items"] else None

    async def _one(self, query: FindConversation | GetMessage | FindCustomer) -> Found:
        read: Callable[[Raw], Found]
        match query:
            case FindConversation():
                path, read = f"/api/conversations/{query.conversation_id}", mapping.conversation
            case GetMessage():
                place = f"/api/conversations/{query.conversation_id}"
                path, read = f"{place}/messages/{query.message_id}", mapping.message
            case FindCustomer():
                path, read = f"/api/customers/{query.identity.value}", mapping.customer
        raw = await self.look(path)
        return read(raw) if raw else None
