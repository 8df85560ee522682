"""The adapter of Zendesk messaging, whose API is Sunshine Conversations v2."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.attachments import Fetch, Upload, same_origin
from adapters.contract import Adapter, Delivery, Receipt, Webhook, decode
from adapters.errors import AdapterError, Fatal, Malformed, Rejected
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
    IdentityKind,
    Page,
    PullKind,
    Pushed,
    Query,
)
from adapters.signatures import Signature
from adapters.vendors.sunshine import commands, events, lookups, mapping, opening
from adapters.vendors.sunshine.access import address, authorization

_FOUND_BY = frozenset({IdentityKind.VENDOR, IdentityKind.EXTERNAL, IdentityKind.EMAIL})
_CONTROL = ("/acceptControl", "/releaseControl")


class Sunshine(Adapter):
    """Translates for one app of Zendesk messaging."""

    signature: ClassVar[Signature | None] = Signature(header="X-API-Key", method="shared")
    keeps_tokens: ClassVar[bool] = True
    # 400, 401, 403, 404 and 406 are final at the vendor: what is answered so to a passing fault is lost.
    unavailable: ClassVar[int] = 503

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The subdomain's address, and the key as it is or as a token signed with it."""
        return {"base_url": address(settings), "headers": {"Authorization": authorization(settings)}}

    async def check(self) -> str:
        """Ask for the app, or, with a key that may not, for a user; and whether the switchboard knows us."""
        app_id, ours = self.settings["app_id"], self.settings["integration"]
        if self.settings["key_id"].startswith("int_"):
            nobody = {"filter[identities.email]": "nobody@deskbridge.invalid"}
            await self.call("GET", f"{self._path}/users", params=nobody)
            return f"an integration of app {app_id}"
        app = (await self.call("GET", self._path)).get("app") or {}
        names = await lookups.switchboard_integrations(self.call, self._path)
        if names and not any(ours in each for each in names):
            known = ", ".join(sorted({each[0] for each in names}))
            raise Fatal(f"the switchboard has no integration {ours!r}; it has: {known}")
        return f"{app.get('displayName') or 'app'} ({app_id})"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:  # noqa: ARG002 - the payload has it all
        """One delivery for each event. As 400 is final, an odd one must not take its neighbours along."""
        match payload:
            case {"app": {"id": str(app)}} if app != self.settings["app_id"]:
                raise Malformed(f"the events belong to app {app}, another connection's")
            case {"events": list(told)}:
                return Receipt(deliveries=tuple(_delivery(each) for each in told if events.is_for_us(each)))
            case {"trigger": _}:
                raise Malformed("a webhook of version 1: make one of version 2, by a custom integration")
            case _:
                raise Malformed("the body holds no events")

    def parse(self, body: bytes) -> Sequence[Change]:
        """What an event tells."""
        event = decode(body)
        if not events.is_for_us(event):
            return ()
        ours, sdk_channel = self.settings["integration"], self.settings["sdk_channel"]
        try:
            return tuple(events.changes(event, ours=ours, sdk_channel=sdk_channel))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Malformed(f"the event is not as documented: {error!r}") from error

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """A conversation's messages; users and conversations can't be listed."""
        if kind is not PullKind.MESSAGES or not scope:
            return await super().pull(kind, cursor, scope=scope)
        return await lookups.pull_messages(self.call, self._app.thread(scope), scope, cursor)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(self._app, command, uploads)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by our mark, a conversation, a user by id, external id or e-mail."""
        match query:
            case FindMessage(conversation_id=thread):
                return await lookups.find_message(self.call, self._app.thread(thread), query)
            case FindConversation(conversation_id=thread):
                raw = ((await self.look(self._app.thread(thread))) or {}).get("conversation")
                return mapping.conversation(raw, sdk_channel=self._app.sdk_channel) if raw else None
            case FindCustomer(identity=identity) if identity.kind in _FOUND_BY:
                return await lookups.find_customer(self, self._path, identity)
            case FindOpened(token=key):
                ours, sdk = self._app.ours, self._app.sdk_channel
                return await opening.find_opened(self.call, self._path, key, ours=ours, sdk_channel=sdk)
            case _:
                return await super().find(query)

    def fetch(self, attachment: Attachment) -> Fetch:
        """With private attachments, files of the account's own address want its credentials."""
        if not same_origin(attachment.url, address(self.settings)):
            return super().fetch(attachment)
        return Fetch(url=attachment.url, headers={"Authorization": authorization(self.settings)})

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:  # noqa: ARG002 - by status
        """A full conversation, and control that isn't ours, are no fault of the connection's."""
        status = response.status_code
        if status == HTTPStatus.LOCKED:
            cure = "delete its messages, or go on in another"
            return Rejected(f"the conversation is full (30,000 messages): {cure}", status=status)
        if status == HTTPStatus.FORBIDDEN and response.request.url.path.endswith(_CONTROL):
            return Rejected("control of the conversation is not ours to take or give", status=status)
        return None

    @property
    def _app(self) -> commands.App:
        named = ("sdk_channel", "bot_name", "ai_disclaimer", "summary_field")
        values = {name: self.settings[name] for name in named}
        return commands.App(call=self.call, path=self._path, ours=self.settings["integration"], **values)

    @property
    def _path(self) -> str:
        return f"/v2/apps/{self.settings['app_id']}"


def _delivery(event: Any) -> Delivery:
    body = msgspec.json.encode(event)
    key = event.get("id") or f"{event['type']}:{hashlib.sha256(body).hexdigest()[:32]}"
    return Delivery(key=str(key), lane=events.lane(event) or "unplaced", body=body)
