"""The adapter of Chatwoot (4.x, self-hosted or cloud)."""

from collections.abc import Sequence
from typing import Any, ClassVar

from adapters.attachments import Upload
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import Fatal, Malformed
from adapters.manifest import Settings
from adapters.model import (
    Change,
    Command,
    ConversationRecord,
    FindConversation,
    FindCustomer,
    FindMessage,
    FindOpened,
    Found,
    GetMessage,
    Page,
    PullKind,
    Pushed,
    Query,
    Raw,
)
from adapters.signatures import Signature
from adapters.vendors.chatwoot import commands, events, lookups, mapping, opening, walking
from adapters.vendors.chatwoot.saying import Account


class Chatwoot(Adapter):
    """Translates for one Chatwoot account."""

    signature: ClassVar[Signature | None] = Signature(
        header="X-Chatwoot-Signature",
        prefix="sha256=",
        signed="{timestamp}.{body}",
        timestamp_header="X-Chatwoot-Timestamp",
    )
    unavailable: ClassVar[int] = 500
    """A bot is told again after this and 429 only; after any other, the conversation is opened at once
    (lib/webhooks/trigger.rb, 4.13)."""

    merges_by_moving: ClassVar[bool] = True  # nothing else tells of it: app/actions/contact_merge_action.rb

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
            case {"account": {"id": account}} if str(account) != str(self.settings["account_id"]):
                raise Malformed(f"the event belongs to account {account}, another connection's")
        if lane is None:
            return Receipt(deliveries=())
        key = webhook.headers.get("x-chatwoot-delivery") or events.derived_key(payload, webhook.body)
        return Receipt(deliveries=(Delivery(key=key, lane=lane, body=webhook.body),))

    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes an event tells of."""
        event = decode(body)
        try:
            return events.changes(event, self._conversation)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Malformed(f"the event is not as documented: {error!r}") from error

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page: of a conversation's messages by id, of the rest by last activity."""
        return await walking.pull(self.call, self._path, kind, cursor, scope=scope, read=self._conversation)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(self._account, command, uploads)
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
            case GetMessage(conversation_id=conversation, message_id=message):
                path = f"{self._path}/conversations/{conversation}/messages"
                return await lookups.get_message(self, path, message)
            case FindOpened():
                inbox = self.settings["inbox_id"]
                opened = await opening.find_opened(self.call, self._path, inbox, query)
                return self._conversation(opened) if opened else None
            case FindCustomer():
                return await lookups.find_customer(self, f"{self._path}/contacts", query.identity)
            case _:
                return await super().find(query)

    def _conversation(self, raw: Raw) -> ConversationRecord:
        return mapping.conversation(
            raw,
            base_url=self.settings["base_url"],
            account_id=self.settings["account_id"],
            api_channel=self.settings["api_channel"],
        )

    @property
    def _account(self) -> Account:
        bot_token = self.settings["bot_token"]
        return Account(
            call=self.call,
            path=self._path,
            as_bot={"api_access_token": bot_token} if bot_token else None,
            inbox_id=self.settings["inbox_id"],
        )

    @property
    def _path(self) -> str:
        return f"/api/v1/accounts/{self.settings['account_id']}"
