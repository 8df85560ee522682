"""The contract: six verbs.

An adapter translates; the engine owns loops, retries, limits, cursors and secrets.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec

from adapters.attachments import Fetch, Upload
from adapters.errors import AdapterError, Malformed, Rejected, Unsupported
from adapters.http import call, exchange
from adapters.manifest import CONTRACT, Capability, Manifest, Settings
from adapters.model import Attachment, Change, Command, Found, Page, PullKind, Pushed, Query
from adapters.signatures import Signature, check_signature
from adapters.webhook import Delivery, HookReply, Receipt, Webhook

__all__ = ["CONTRACT", "Adapter", "Delivery", "HookReply", "Receipt", "Webhook"]


class Adapter(ABC):
    """A translator for one outside system.

    The engine hands in validated `settings` and an HTTP client that already carries the base
    address and the credentials that `endpoint` describes. Verbs raise `adapters.errors`.
    """

    manifest: ClassVar[Manifest]

    signature: ClassVar[Signature | tuple[Signature, ...] | None] = None
    """How webhooks are signed. Of several, the first that a webhook bears decides: strongest first."""

    unavailable: ClassVar[int] = 503
    """What a webhook is answered that could not be stored: a status after which the vendor sends it again."""

    keeps_tokens: ClassVar[bool] = False
    """Whether every message that we wrote is told of with our token: then one without is never ours."""

    merges_by_moving: ClassVar[bool] = False
    """Whether a conversation that comes with another customer than it had tells that the two are one now."""

    def __init__(self, *, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http

    def __init_subclass__(cls) -> None:
        """Read the `manifest.toml` that lies beside the class."""
        super().__init_subclass__()
        if "manifest" not in cls.__dict__:
            cls.manifest = Manifest.beside(cls)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "type[Adapter]":  # noqa: ARG003 - for those who override
        """The class for a connection with these settings: this one, unless they name what it is made of."""
        return cls

    @classmethod
    def home(cls) -> Path:
        """The folder in which its README and its fixtures lie."""
        return Path(inspect.getfile(cls)).parent

    @classmethod
    @abstractmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The `base_url`, `headers` or `auth` that the engine's `httpx.AsyncClient` is made with."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this connection can do: all that the manifest declares, unless its settings take some away."""
        return self.manifest.capabilities

    @abstractmethod
    async def check(self) -> str:
        """Make the cheapest call that proves the credentials; return whom they belong to."""

    def verify(self, webhook: Webhook, *, now: datetime) -> Receipt:
        """Raise `BadSignature` or `Malformed` unless the vendor sent it; say what to accept.

        A connection whose optional secret was left out trusts its hook's address alone.
        """
        if webhook.method != "POST":
            return Receipt(deliveries=(), reply=self.greet(webhook))
        declared = self.signature or ()
        alternatives = (declared,) if isinstance(declared, Signature) else declared
        known = [each for each in alternatives if self.settings.secrets(each.secret_field)]
        if known:
            check_signature(
                known,
                webhook,
                lambda chosen: self.settings.secrets(chosen.secret_field),
                now,
                values=self.settings,
            )
        return self.receive(webhook, decode(webhook.body))

    def greet(self, webhook: Webhook) -> HookReply:
        """The answer to a handshake, such as a challenge sent with GET to be echoed.

        Nothing is signed there yet: check what the vendor sends instead, and raise `BadSignature`.
        """
        raise Unsupported(f"{self.manifest.title} sends its webhooks with POST, not {webhook.method}")

    @abstractmethod
    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """Name the deliveries in a verified webhook: their keys and lanes."""

    @abstractmethod
    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes one delivery means; empty if it is not for us."""

    async def pull(
        self,
        kind: PullKind,
        cursor: str | None,  # noqa: ARG002 - for those who override
        *,
        scope: str | None = None,  # noqa: ARG002 - likewise
    ) -> Page:
        """**One** page after `cursor`, oldest first; `scope` is a conversation's id for messages."""
        raise Unsupported(f"{self.manifest.title} cannot list {kind}")

    async def push(
        self,
        command: Command,
        uploads: Sequence[Upload] = (),  # noqa: ARG002 - for those who override
    ) -> Pushed:
        """Carry a command out once. `uploads` are the files of its `attachments`, in their order.

        They are given only where the manifest declares `send_attachments`.
        """
        raise Unsupported(f"{self.manifest.title} cannot {type(command).__name__}")

    async def find(self, query: Query) -> Found:
        """Look something up; `None` when it is not there."""
        raise Unsupported(f"{self.manifest.title} cannot answer {type(query).__name__}")

    def fetch(self, attachment: Attachment) -> Fetch:
        """How an attachment of a message is asked for; without credentials, unless overridden.

        Give some only after `adapters.attachments.same_origin`: a message may hold anybody's address.
        """
        return Fetch(url=attachment.url)

    def complaint(
        self,
        answer: Any,  # noqa: ARG002 - for those who override
        response: httpx.Response,  # noqa: ARG002 - likewise
    ) -> AdapterError | None:
        """The error that an answer tells of in its own way, whatever its status; `None` if the status holds.

        `answer` is the decoded JSON body, or `None`.
        """
        return None

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """One HTTP exchange; returns the decoded JSON body, raises the sorted errors."""
        known = self.settings.every_secret
        return await call(self.http, method, path, complaint=self.complaint, secrets=known, **options)

    async def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One HTTP exchange, for those who need the headers of the response, too."""
        known = self.settings.every_secret
        return await exchange(self.http, method, path, complaint=self.complaint, secrets=known, **options)

    async def look(self, path: str, **options: Any) -> Any:
        """GET something; `None` when the vendor says that it is not there."""
        try:
            return await self.call("GET", path, **options)
        except Rejected as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                return None
            raise

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
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            return _mended(body)
        except (ValueError, RecursionError):
            raise Malformed(f"the body is not JSON that could be read: {error}") from error


def _mended(body: bytes) -> Any:
    """JSON behind a byte order mark, or with halves of characters, as texts end that were cut by UTF-16."""
    told = json.dumps(json.loads(body.decode("utf-8-sig")), ensure_ascii=False)
    return msgspec.json.decode(told.encode(errors="replace"))
