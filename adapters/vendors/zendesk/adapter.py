"""The adapter of Zendesk Support."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

import httpx

from adapters.attachments import Fetch, Upload, same_origin
from adapters.contract import Adapter, Receipt, Webhook, decode
from adapters.errors import AdapterError, Fatal, Malformed, Outdated, Retryable, as_documented
from adapters.http import retry_after
from adapters.manifest import Settings
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
    Page,
    PullKind,
    Pushed,
    Query,
)
from adapters.signatures import Signature
from adapters.vendors.zendesk import commands, events, lookups, mapping, paging
from adapters.webhook import single


class Zendesk(Adapter):
    """Translates for one Zendesk account."""

    signature: ClassVar[Signature | None] = Signature(
        header="X-Zendesk-Webhook-Signature",
        encoding="base64",
        signed="{timestamp}{body}",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        timestamp_unit="iso",
        tolerance=timedelta(minutes=5),  # the vendor names none
    )

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The account's address; with an e-mail address the token is an API token, else of OAuth."""
        mapping.Account.of(settings)  # so that a wrong setting is told before anything is asked
        return {"base_url": settings["base_url"], "headers": {"Authorization": _authorization(settings)}}

    async def check(self) -> str:
        """Ask whose token it is: whoever isn't known is answered as an anonymous user, with success."""
        user = (await self.call("GET", "/api/v2/users/me"))["user"]
        if user.get("id") is None or user.get("role") == "end-user":
            raise Fatal("the token belongs to nobody of the staff; check email and token")
        return f"{user.get('name')} ({user.get('role')})"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """One event per webhook, known by its id; those that mean nothing to us are not kept."""
        if not isinstance(payload, dict):
            raise Malformed("the body is no event")
        return single(webhook, key=payload.get("id"), lane=events.lane(payload))

    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes an event tells of."""
        event = decode(body)
        with as_documented("the event"):
            return events.changes(event, self._account)

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page: of a ticket's comments in their order, of the rest as it was last touched."""
        return await paging.pull(self, self._account, kind, cursor, scope)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            desk = commands.Desk(self.call, partial(lookups.requester, self), self._account)
            return await commands.carry_out(desk, command, uploads)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A comment, a user by one of their addresses, a ticket by its number or by our key."""
        match query:
            case FindMessage():
                return await lookups.find_message(self, self._account, query)
            case GetMessage():
                return await lookups.get_message(self, self._account, query)
            case FindCustomer():
                return await lookups.find_customer(self, query.identity)
            case FindConversation():
                answer = await self.look(f"/api/v2/tickets/{query.conversation_id}")
                return mapping.conversation(answer["ticket"], self._account) if answer else None
            case FindOpened():
                answer = await self.look("/api/v2/tickets", params={"external_id": query.token})
                found = (answer or {}).get("tickets") or ()
                return next((mapping.conversation(raw, self._account) for raw in found), None)
            case _:
                return await super().find(query)

    def fetch(self, attachment: Attachment) -> Fetch:
        """Private attachments want credentials, at the account's own address only."""
        if same_origin(attachment.url, self.settings["base_url"]):
            return Fetch(url=attachment.url, headers={"Authorization": _authorization(self.settings)})
        return super().fetch(attachment)

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:
        """409 is a passing conflict of two updates, or a safe update that came too late."""
        if response.status_code != HTTPStatus.CONFLICT:
            return None
        if isinstance(answer, dict) and answer.get("error") == "UpdateConflict":
            return Outdated("the ticket has changed since it was read", status=response.status_code)
        wait = retry_after(response)
        return Retryable("two updates came at once (409)", status=response.status_code, retry_after=wait)

    @property
    def _account(self) -> mapping.Account:
        return mapping.Account.of(self.settings)


def _authorization(settings: Settings) -> str:
    if not settings["email"]:
        return f"Bearer {settings['token']}"
    pair = f"{settings['email']}/token:{settings['token']}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
