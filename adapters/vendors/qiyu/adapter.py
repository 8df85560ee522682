"""The adapter of 网易七鱼 (Qiyu): its message interface, by which a company's server brings visitors in."""

from collections.abc import Sequence
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.attachments import Upload
from adapters.contract import Adapter, Delivery, HookReply, Receipt, Webhook
from adapters.errors import AdapterError, Malformed
from adapters.manifest import Settings
from adapters.model import Change, Channel, Command, Pushed, Raw
from adapters.signatures import Signature
from adapters.signing import Signed
from adapters.vendors.qiyu import codes, commands, events
from adapters.vendors.qiyu.mapping import Ground

_DONE = HookReply(status=200, body=b"")
"""Whatever is not the empty string is taken for a failure, and sent again."""
CHECKSUM = Signature(
    parameter="checksum",
    method="digest",
    algorithm="sha1",
    signed="{secret}{md5_body}{timestamp}",
    timestamp_parameter="time",
    secret_field="app_secret",  # noqa: S106 - the name of a setting
)
"""Of what comes in and of what goes out alike."""


class Qiyu(Adapter):
    """Translates for one app key."""

    signature: ClassVar[Signature | tuple[Signature, ...] | None] = CHECKSUM
    keeps_tokens: ClassVar[bool] = True  # what we write is never told of: whatever is told of isn't ours

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """Every request names the app and bears a checksum."""
        return {
            "base_url": settings["base_url"],
            "params": {"appKey": settings["app_key"]},
            "auth": Signed(CHECKSUM, settings["app_secret"], values=settings),
        }

    async def check(self) -> str:
        """Ask for the place in the queue of somebody who isn't in it."""
        await self._ask(codes.QUEUE, {"uid": "deskbridge-check"})
        return f"app key {self.settings['app_key'][:8]}… at {self.settings['base_url']}"

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """One event per webhook; its kind and time stand in the address."""
        if not isinstance(payload, dict):
            raise Malformed("the body is no event")
        kind = events.kind_of(webhook.query.get("eventType"), payload)
        if kind is None:
            return Receipt(deliveries=(), reply=_DONE)
        if not payload.get("uid") or not payload.get("msgId" if kind == events.MESSAGE else "sessionId"):
            raise Malformed(f"the {kind} names nobody, or bears no id")
        delivery = Delivery(
            key=events.key_of(kind, payload),
            lane=str(payload["uid"]),
            body=events.wrapped(webhook.query, payload),
        )
        return Receipt(deliveries=(delivery,), reply=_DONE)

    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes an event tells of."""
        try:
            return events.changes(body, self._ground)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Malformed(f"the event is not as documented: {error!r}") from error

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out."""
        if isinstance(command, commands.Known):
            account = commands.Account(
                ask=self._ask,
                upload=self._upload,
                group_id=self.settings["group_id"],
                robot_first=self.settings["robot_first"],
            )
            return await commands.carry_out(account, command, uploads)
        return await super().push(command, uploads)

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:
        """Errors come with status 200, and a code."""
        return codes.complaint(answer, response)

    async def _ask(self, path: str, body: Raw) -> Any:
        return await self.call(
            "POST",
            path,
            content=msgspec.json.encode(body),
            headers={"Content-Type": "application/json;charset=utf-8"},
        )

    async def _upload(self, upload: Upload) -> Any:
        """Of a file the checksum covers the file alone, not the form that it comes in."""
        secret = self.settings["app_secret"]
        signed = Signed(CHECKSUM, secret, values=self.settings, covering=upload.read())
        return await self.call("POST", commands.UPLOAD, files={"file": upload.part()}, auth=signed)

    @property
    def _ground(self) -> Ground:
        named = (self.settings["robots"] or "").replace("，", ",").split(",")
        return Ground(
            channel=Channel(self.settings["channel"]),
            robots=frozenset(name.strip() for name in named if name.strip()),
            robot_first=self.settings["robot_first"],
        )
