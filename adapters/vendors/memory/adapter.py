"""The adapter of the reference helpdesk."""

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import UNSET

from adapters.attachments import Upload
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import Malformed, Unsupported
from adapters.manifest import Settings
from adapters.model import (
    Assign,
    Author,
    Change,
    ChangeTags,
    Command,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    FindConversation,
    FindCustomer,
    FindMessage,
    Found,
    GetMessage,
    Identity,
    IdentityKind,
    MessagePosted,
    Note,
    Page,
    PullKind,
    Pushed,
    Query,
    Reply,
    SetStatus,
    UpdateConversation,
    UpdateCustomer,
)
from adapters.signatures import Signature
from adapters.vendors.memory import mapping
from adapters.vendors.memory.records import SIGNATURE

_SEARCHED_BY = {
    IdentityKind.EMAIL: "email",
    IdentityKind.PHONE: "phone",
    IdentityKind.EXTERNAL: "external_id",
}


class Memory(Adapter):
    """Translates for the reference helpdesk."""

    signature: ClassVar[Signature | None] = SIGNATURE
    keeps_tokens: ClassVar[bool] = True

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
        changes = tuple(_pulled(kind, raw) for raw in page["items"])
        return Page(changes=changes, cursor=page["cursor"], last=page["last"], total=page["total"])

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        match command:
            case Reply() | Note():
                path = f"/api/conversations/{command.conversation_id}/messages"
                posted = await self.call("POST", path, json=_new_message(command))
                return Pushed(id=posted["id"], at=mapping.moment(posted["created_at"]), raw=posted)
            case Assign():
                fields = {"assignee_id": command.assignee_id, "team_id": command.team_id}
                return await self._patch(f"/api/conversations/{command.conversation_id}", fields)
            case SetStatus():
                if command.status.value not in mapping.STATUSES:
                    raise Unsupported(f"a conversation can't be {command.status}")
                fields = {"status": command.status.value}
                return await self._patch(f"/api/conversations/{command.conversation_id}", fields)
            case ChangeTags():
                path = f"/api/conversations/{command.conversation_id}/tags"
                tags = {"add": command.add, "remove": command.remove}
                return _pushed(await self.call("POST", path, json=tags))
            case UpdateCustomer() | UpdateConversation():
                return await self._update(command)
            case _:
                return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by our token, a customer by one of their addresses."""
        match query:
            case FindMessage():
                path = f"/api/conversations/{query.conversation_id}/messages"
                page = await self.call("GET", path, params={"token": query.token})
                return mapping.message(page["items"][0]) if page["items"] else None
            case FindConversation():
                raw = await self.look(f"/api/conversations/{query.conversation_id}")
                return mapping.conversation(raw) if raw else None
            case GetMessage():
                path = f"/api/conversations/{query.conversation_id}/messages/{query.message_id}"
                raw = await self.look(path)
                return mapping.message(raw) if raw else None
            case FindCustomer(identity=Identity(kind=IdentityKind.VENDOR, value=customer)):
                raw = await self.look(f"/api/customers/{customer}")
                return mapping.customer(raw) if raw else None
            case FindCustomer(identity=identity):
                wanted = {_SEARCHED_BY[identity.kind]: identity.value}
                page = await self.call("GET", "/api/customers", params=wanted)
                return mapping.customer(page["items"][0]) if page["items"] else None
            case _:
                return await super().find(query)

    async def _update(self, command: UpdateCustomer | UpdateConversation) -> Pushed:
        if isinstance(command, UpdateConversation):
            path = f"/api/conversations/{command.conversation_id}"
            raw = await self.call("PATCH", path, json=mapping.patch(command))
            return Pushed(id=raw["id"], conversation=mapping.conversation(raw), raw=raw)
        name = {} if command.name is UNSET else {"name": command.name}
        changed = {"attributes": command.attributes, **name}
        known = {} if command.revision is UNSET else {"If-Match": f'"{command.revision}"'}
        raw = await self.call("PATCH", f"/api/customers/{command.customer_id}", json=changed, headers=known)
        return Pushed(id=raw["id"], customer=mapping.customer(raw), raw=raw)

    async def _patch(self, path: str, fields: dict[str, Any]) -> Pushed:
        return _pushed(await self.call("PATCH", path, json=fields))


def _new_message(command: Reply | Note) -> dict[str, Any]:
    new: dict[str, Any] = {"text": command.text, "token": command.key}
    if isinstance(command, Note):
        return {**new, "private": True}
    if command.author is Author.AGENT and command.person is not None:
        return {**new, "author": "agent", "agent": {"id": command.person.id, "name": command.person.name}}
    return {**new, "author": "bot"}


def _pushed(answer: dict[str, Any]) -> Pushed:
    return Pushed(id=answer["id"], raw=answer)


def _pulled(kind: PullKind, raw: dict[str, Any]) -> Change:
    match kind:
        case PullKind.CUSTOMERS:
            customer = mapping.customer(raw)
            return CustomerChanged(customer=customer, occurred_at=mapping.moment(raw["updated_at"]))
        case PullKind.CONVERSATIONS:
            conversation = mapping.conversation(raw)
            return ConversationChanged(
                conversation=conversation, occurred_at=mapping.moment(raw["updated_at"])
            )
        case PullKind.MESSAGES:
            message = mapping.message(raw)
            conversation = ConversationRecord(id=raw["conversation_id"])
            return MessagePosted(message=message, conversation=conversation, occurred_at=message.sent_at)
