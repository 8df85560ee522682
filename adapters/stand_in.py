"""What stands in for an adapter that can't be used: its connection rests, and all others go on."""

# ruff: noqa: ARG002 - it refuses whatever it is given

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, NoReturn

import httpx

from adapters.attachments import Upload
from adapters.contract import Adapter, Receipt, Webhook
from adapters.errors import Fatal
from adapters.manifest import Manifest, Settings, Tier
from adapters.model import Change, Command, Found, Page, PullKind, Pushed, Query


class StandIn(Adapter):
    """Whatever it is asked, it says why it can't. Vendors are told to send their webhooks again later."""

    manifest: ClassVar[Manifest] = Manifest(
        title="Broken adapter", roles=(), auth="none", tier=Tier.BRONZE, capabilities=frozenset()
    )

    def __init__(self, *, connection: str, reason: str) -> None:
        super().__init__(
            settings=Settings(self.manifest, {}, connection=connection),
            http=httpx.AsyncClient(trust_env=False, transport=_Nowhere()),
        )
        self.reason = reason

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """Nowhere; the `settings` are those of no adapter."""
        return {"headers": {"X-Connection": settings.connection}}

    async def check(self) -> str:
        """Raises Fatal."""
        self._say()

    def verify(self, webhook: Webhook, *, now: datetime) -> Receipt:
        """Raises Fatal."""
        self._say()

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """Raises Fatal."""
        self._say()

    def parse(self, body: bytes) -> Sequence[Change]:
        """Raises Fatal."""
        self._say()

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """Raises Fatal."""
        self._say()

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Raises Fatal."""
        self._say()

    async def find(self, query: Query) -> Found:
        """Raises Fatal."""
        self._say()

    def _say(self) -> NoReturn:
        raise Fatal(self.reason)


class _Nowhere(httpx.AsyncBaseTransport):
    """Reaches nobody."""
