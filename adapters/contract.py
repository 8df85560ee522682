"""The contract: six verbs.

An adapter translates; the engine owns loops, retries, limits, cursors and secrets.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.errors import Malformed, Unsupported
from adapters.http import call
from adapters.manifest import Manifest, Settings
from adapters.model import Change, Command, Found, Page, PullKind, Pushed, Query
from adapters.signatures import Signature, check_signature
from adapters.webhook import Delivery, HookReply, Receipt, Webhook

__all__ = ["Adapter", "Delivery", "HookReply", "Receipt", "Webhook"]


class Adapter(ABC):
    """A translator for one outside system.

    The engine hands in validated `settings` and an HTTP client that already carries the base
    address and the credentials that `endpoint` describes. Verbs raise `adapters.errors`.
    """

    manifest: ClassVar[Manifest]
    signature: ClassVar[Signature | None] = None

    def __init__(self, *, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http

    def __init_subclass__(cls) -> None:
        """Read the `manifest.toml` that lies beside the class."""
        super().__init_subclass__()
        if "manifest" not in cls.__dict__:
            cls.manifest = Manifest.beside(cls)

    @classmethod
    @abstractmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The `base_url`, `headers` or `auth` that the engine's `httpx.AsyncClient` is made with."""

    @abstractmethod
    async def check(self) -> str:
        """Make the cheapest call that proves the credentials; return whom they belong to."""

    def verify(self, webhook: Webhook, *, now: datetime) -> Receipt:
        """Raise `BadSignature` or `Malformed` unless the vendor sent it; say what to accept.

        A connection whose optional `webhook_secret` was left out trusts its hook's address alone.
        """
        if self.signature is not None and (secrets := self.settings.secrets("webhook_secret")):
            check_signature(self.signature, webhook, secrets, now)
        return self.receive(webhook, decode(webhook.body))

    @abstractmethod
    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """Name the deliveries in a verified webhook: their keys and lanes."""

    @abstractmethod
    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes one delivery means; empty if it is not for us."""

    keeps_tokens: ClassVar[bool] = False
    """Whether every message that we wrote is told of with our token: then one without is never ours."""

    async def pull(
        self,
        kind: PullKind,
        cursor: str | None,  # noqa: ARG002 - for those who override
        *,
        scope: str | None = None,  # noqa: ARG002 - likewise
    ) -> Page:
        """**One** page after `cursor`, oldest first; `scope` is a conversation's id for messages."""
        raise Unsupported(f"{self.manifest.title} cannot list {kind}")

    async def push(self, command: Command) -> Pushed:
        """Carry a command out once."""
        raise Unsupported(f"{self.manifest.title} cannot {type(command).__name__}")

    async def find(self, query: Query) -> Found:
        """Look something up; `None` when it is not there."""
        raise Unsupported(f"{self.manifest.title} cannot answer {type(query).__name__}")

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """One HTTP exchange; returns the decoded JSON body, raises the sorted errors."""
        return await call(self.http, method, path, **options)

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self.http.aclose()


def decode(body: bytes) -> Any:
    """The JSON value in a webhook's body.

    Raises:
        Malformed: it holds none.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from error
