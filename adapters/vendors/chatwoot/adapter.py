"""The adapter of Chatwoot (4.x, self-hosted or cloud)."""

from collections.abc import Sequence
from typing import Any, ClassVar, assert_never

from adapters.attachments import Upload
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import Fatal, Malformed
from adapters.manifest import Settings
from adapters.model import (
    Change,
    Command,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    FindConversation,
    FindCustomer,
    FindMessage,
    Found,
    MessagePosted,
    Page,
    PullKind,
    Pushed,
    Query,
    Raw,
)
from adapters.signatures import Signature
from adapters.vendors.chatwoot import commands, events, lookups, mapping
from adapters.vendors.chatwoot.paging import Walk

_MESSAGES_PER_PAGE = 100


class Chatwoot(Adapter):
    """Translates for one Chatwoot account."""

    signature: ClassVar[Signature | None] = Signature(
        header="X-Chatwoot-Signature",
        prefix="sha256=",
        signed="{timestamp}.{body}",
        timestamp_header="X-Chatwoot-Timestamp",
    )

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The installation's address and the user's token."""
        return {"base_url": settings["base_url"], "headers": {"api_access_token": settings["token"]}}

    async def check(self) -> str:
        """Ask whose token it is, and whether they belong to the account."""
        profile = await self.call("GET", "/api/v1/profile")
        account = self.settings["account_id"]
        if account not in {each["id"] for each in profile.get("accounts") or ()}:
            raise Fatal(f"the token's user is no member of account {account}")
        return f"{profile['name']} in account {account}"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """One event per webhook; those that mean nothing to us are not kept."""
        lane = events.lane(payload)
        match payload:
            case {"account": {"id": int(account)}} if account != self.settings["account_id"]:
                raise Malformed(f"the event belongs to account {account}, another connection's")
        if lane is None:
            return Receipt(deliveries=())
        key = webhook.headers.get("x-chatwoot-delivery") or events.derived_key(payload, webhook.body)
        return Receipt(deliveries=(Delivery(key=key, lane=lane, body=webhook.body),))

    def parse(self, body: bytes) -> Sequence[Change]:
        """The change an event tells of."""
        event = decode(body)
        try:
            change = events.change(event, self._conversation)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Malformed(f"the event is not as documented: {error!r}") from error
        return (change,) if change else ()

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page: of a conversation's messages by id, of the rest by last activity."""
        match kind:
            case PullKind.MESSAGES:
                return await self._pull_messages(scope or "", cursor)
            case PullKind.CONVERSATIONS:
                walk = Walk.at(cursor)
                query = {"status": "all", "assignee_type": "all", "page": walk.page}
                answer = await self.call("GET", f"{self._path}/conversations", params=query)
                items, walk, last = walk.step(answer["data"]["payload"])
                total = (answer["data"].get("meta") or {}).get("all_count")
                changes: list[Change] = [self._conversation_pulled(raw) for raw in items]
            case PullKind.CUSTOMERS:
                walk = Walk.at(cursor)
                query = {"sort": "-last_activity_at", "page": walk.page}
                answer = await self.call("GET", f"{self._path}/contacts", params=query)
                items, walk, last = walk.step(answer["payload"])
                total = (answer.get("meta") or {}).get("count")
                changes = [
                    CustomerChanged(customer=mapping.customer(raw), occurred_at=mapping.seen_at(raw))
                    for raw in items
                ]
            case _:
                assert_never(kind)
        return Page(changes=tuple(changes), cursor=walk.cursor(), last=last, total=total)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(self._account, command)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by our mark, else by what it says; a contact by one of their addresses."""
        match query:
            case FindMessage():
                path = f"{self._path}/conversations/{query.conversation_id}/messages"
                return await lookups.find_message(self.call, path, query)
            case FindConversation():
                raw = await self.look(f"{self._path}/conversations/{query.conversation_id}")
                return self._conversation(raw) if raw else None
            case FindCustomer():
                return await lookups.find_customer(self, f"{self._path}/contacts", query.identity)
            case _:
                return await super().find(query)

    async def _pull_messages(self, conversation_id: str, cursor: str | None) -> Page:
        path = f"{self._path}/conversations/{conversation_id}/messages"
        answer = await self.call("GET", path, params={"after": cursor or "0"})
        messages = [mapping.message(raw) for raw in answer["payload"]]
        conversation = ConversationRecord(id=conversation_id)
        return Page(
            changes=tuple(
                MessagePosted(message=message, conversation=conversation, occurred_at=message.sent_at)
                for message in messages
            ),
            cursor=messages[-1].id if messages else cursor,
            last=len(messages) < _MESSAGES_PER_PAGE,
        )

    def _conversation_pulled(self, raw: Raw) -> ConversationChanged:
        return ConversationChanged(
            conversation=self._conversation(raw),
            customer=mapping.customer_of(raw),
            occurred_at=mapping.seen_at(raw),
        )

    def _conversation(self, raw: Raw) -> ConversationRecord:
        return mapping.conversation(
            raw,
            base_url=self.settings["base_url"],
            account_id=self.settings["account_id"],
            api_channel=self.settings["api_channel"],
        )

    @property
    def _account(self) -> commands.Account:
        bot_token = self.settings["bot_token"]
        return commands.Account(
            call=self.call,
            path=self._path,
            as_bot={"api_access_token": bot_token} if bot_token else None,
        )

    @property
    def _path(self) -> str:
        return f"/api/v1/accounts/{self.settings['account_id']}"
