"""The adapter of Intercom."""

from collections.abc import Sequence
from typing import Any, ClassVar

import httpx

from adapters.attachments import Upload
from adapters.contract import Adapter, Receipt, Webhook, decode
from adapters.errors import AdapterError, Fatal, as_documented
from adapters.manifest import Settings
from adapters.model import (
    Change,
    Command,
    Found,
    Page,
    PullKind,
    Pushed,
    Query,
)
from adapters.signatures import Signature
from adapters.vendors.intercom import commands, events, lookups, mapping
from adapters.webhook import single

VERSION = "2.16"


class Intercom(Adapter):
    """Translates for one Intercom workspace."""

    signature: ClassVar[Signature | None] = Signature(
        header="X-Hub-Signature", algorithm="sha1", prefix="sha1="
    )

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The region's address, and the version that we were written for."""
        headers = {"Authorization": f"Bearer {settings['token']}", "Intercom-Version": VERSION}
        return {"base_url": settings["base_url"], "headers": headers}

    async def check(self) -> str:
        """Ask whose token it is, and whether the admin that we write as is there."""
        me = await self.call("GET", "/me")
        us = await self.look(f"/admins/{self.settings['admin_id']}")
        if not us:
            raise Fatal(f"the workspace has no admin {self.settings['admin_id']}: check admin_id")
        app = ((me or {}).get("app") or {}).get("name") or "Intercom"
        return f"{us.get('name') or us.get('id')} ({app})"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """One notification per webhook, known by its id; pings and others not for us are not kept."""
        return single(webhook, lane=events.lane(payload), key=payload.get("id"))

    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes a notification tells of."""
        with as_documented("the notification"):
            return events.changes(decode(body), account=self._account)

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page: of a search by the last change, or all of a conversation that is new."""
        return await lookups.pull(self, self._account, kind, cursor, scope)

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            return await commands.carry_out(commands.Desk(self.call, self._account), command, uploads)
        return await super().push(command, uploads)

    async def find(self, query: Query) -> Found:
        """A message by its words or its id, a contact by an address, a conversation as it is now."""
        if isinstance(query, lookups.Known):
            return await lookups.find(self, self._account, query)
        return await super().find(query)

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:  # noqa: ARG002
        """A contact that was merged is gone, and its answer says where to."""
        return lookups.merged(response)

    @property
    def _account(self) -> mapping.Account:
        return mapping.Account.of(self.settings)
