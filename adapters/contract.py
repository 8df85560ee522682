"""The contract: six verbs. An adapter translates; the engine owns loops, retries, limits, cursors and secrets."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.errors import Malformed, Unsupported
from adapters.http import call
from adapters.manifest import Manifest, Settings
from adapters.model import Change, Command, Found, Page, PullKind, Pushed, Query
from adapters.signatures import Signature, check_signature


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request as received: header names in lower case, the body untouched."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class HookReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor wants to hear back once the webhook is safe."""

    status: int = 202
    body: bytes = b""
    content_type: str = "text/plain"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One raw event to accept: `key` de-duplicates it at its connection, `lane` orders it.

    `lane` is the vendor's conversation id, or any stable name for events that belong to none.
    """

    key: str
    lane: str
    body: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `verify`: what to accept, and what to answer."""

    deliveries: tuple[Delivery, ...]
    reply: HookReply = HookReply()


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
        """Raise `BadSignature` or `Malformed` unless the vendor sent it; say what to accept."""
        if self.signature is not None:
            check_signature(self.signature, webhook, self.settings.secrets("webhook_secret"), now)
        try:
            payload = msgspec.json.decode(webhook.body)
        except msgspec.DecodeError as error:
            raise Malformed(f"the body is not JSON: {error}") from error
        return self.receive(webhook, payload)

    @abstractmethod
    def receive(self, webhook: Webhook, payload: Any) -> Receipt:  # noqa: ANN401 - any JSON value
        """Name the deliveries in a verified webhook: their keys and lanes."""

    @abstractmethod
    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes one delivery means; empty if it is not for us."""

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """**One** page after `cursor`, oldest first; `scope` is a conversation's id for messages."""
        raise Unsupported(f"{self.manifest.title} cannot list {kind}")

    async def push(self, command: Command) -> Pushed:
        """Carry a command out once."""
        raise Unsupported(f"{self.manifest.title} cannot {type(command).__name__}")

    async def find(self, query: Query) -> Found:
        """Look something up; `None` when it is not there."""
        raise Unsupported(f"{self.manifest.title} cannot answer {type(query).__name__}")

    async def call(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401
        """One HTTP exchange; returns the decoded JSON body, raises the sorted errors."""
        return await call(self.http, method, path, **options)
