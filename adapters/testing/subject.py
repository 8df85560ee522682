"""What is put to the test: an adapter, and beside it what its folder `fixtures/` declares.

fixtures/
├── subject.toml     optional: sample settings, ids, what the vendor never leaves empty (`Declared`)
├── *.json           webhook bodies, one per file; `unknown*` mean nothing to us, `echo*` are our own reply
├── answers/*.json   what the vendor answers (`adapters.testing.vendor.Answer`)
└── signatures/*.json    signed webhooks from elsewhere (`Known`)
"""

import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from functools import cached_property
from inspect import isawaitable, iscoroutine
from pathlib import Path
from typing import Any

import httpx
import msgspec

from adapters import registry
from adapters.contract import Adapter, decode
from adapters.manifest import Field, Settings
from adapters.model import Change, MessagePosted
from adapters.signatures import Signature, sign
from adapters.testing.vendor import ScriptedVendor, Watched, read_answers
from adapters.webhook import Delivery, Webhook

NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
"""When the kit's webhooks are signed and received."""


class Ids(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ids that the scripted vendor knows; what is left out is taken from the webhooks."""

    conversation: str = ""
    customer: str = ""
    message: str = ""
    person: str = ""
    team: str = ""
    hand_over_to: str = ""


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `subject.toml`.

    `headers` and `query` come with every webhook. `required` names the keys that the vendor never leaves out
    or null, such as `id` or `conversation.id`: without them a body may be refused as malformed.
    `description` is a file beside it: the vendor's OpenAPI description, whose paths begin at `base_path`.
    """

    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    ids: Ids = Ids()
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    query: dict[str, str] = msgspec.field(default_factory=dict)
    required: tuple[str, ...] = ()
    description: str = ""
    base_path: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook that was signed by somebody else: the vendor, its documentation, or another tool."""

    source: str
    secret: str
    body: str
    at: datetime = NOW
    method: str = "POST"
    url: str = "https://deskbridge.example/hooks/kit"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    query: dict[str, str] = msgspec.field(default_factory=dict)
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    def webhook(self) -> Webhook:
        """As it would come in."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Webhook(
            method=self.method, url=self.url, query=self.query, headers=headers, body=self.body.encode()
        )


class Subject:
    """An adapter and all that is declared about it."""

    def __init__(
        self,
        adapter: type[Adapter],
        *,
        folder: Path | None = None,
        vendor: Callable[[], httpx.AsyncBaseTransport] | None = None,
        description: Path | None = None,
        **declared: Any,
    ) -> None:
        self.adapter = adapter
        self.folder = folder or adapter.home() / "fixtures"
        self.declared = _declared(self.folder / "subject.toml", declared)
        self.vendor = vendor or self._scripted
        self.description = description or self._described()
        self.settings = {field.name: _sample(field) for field in adapter.manifest.fields}
        self.settings |= self.declared.settings

    @cached_property
    def webhooks(self) -> dict[str, bytes]:
        """The webhook bodies, by the names of their files."""
        return {path.stem: path.read_bytes().strip() for path in sorted(self.folder.glob("*.json"))}

    @cached_property
    def known(self) -> dict[str, Known]:
        """The webhooks that were signed elsewhere."""
        paths = sorted((self.folder / "signatures").glob("*.json"))
        return {path.stem: msgspec.json.decode(path.read_bytes(), type=Known) for path in paths}

    @cached_property
    def changes(self) -> dict[str, tuple[Change, ...]]:
        """What each webhook means; nothing if it can't be read: the check `understood` tells of that."""
        return {name: self._understood(body) for name, body in self.webhooks.items()}

    @cached_property
    def ids(self) -> Ids:
        """Ids that the vendor knows."""
        return msgspec.structs.replace(_met(self.changes), **_given(self.declared.ids))

    def having(self, settings: Mapping[str, Any]) -> "Subject":
        """The same with these among its sample settings."""
        other = copy(self)
        other.settings = {**self.settings, **settings}
        other.__dict__.pop("changes", None)
        return other

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The declared signatures, strongest first."""
        declared = self.adapter.signature or ()
        return (declared,) if isinstance(declared, Signature) else declared

    def exemption(self, check: str) -> str:
        """Why a check need not be passed; empty if it must be. A given description ends one."""
        exempt = self.adapter.manifest.exemptions.get(check, "")
        return "" if check == "requests_valid" and self.description else exempt

    def make(
        self, vendor: httpx.AsyncBaseTransport | None = None, settings: Mapping[str, Any] | None = None
    ) -> Adapter:
        """The adapter, before this vendor; without one it can't ask anything."""
        return registry.make(
            self.adapter,
            {**self.settings, **(settings or {})},
            connection="kit",
            transport=vendor or ScriptedVendor((), "nothing: this must work without asking the vendor"),
        )

    @asynccontextmanager
    async def opened(
        self, vendor: httpx.AsyncBaseTransport | None = None
    ) -> AsyncIterator[tuple[Adapter, Watched]]:
        """The adapter before the scripted vendor (or this one), and what it asks there."""
        watched = Watched(vendor or self.vendor())
        adapter = self.make(watched)
        try:
            yield adapter, watched
        finally:
            await adapter.aclose()

    def webhook(self, body: bytes) -> Webhook:
        """A webhook as it comes in, not signed yet."""
        headers = {"content-type": "application/json"}
        headers |= {name.lower(): value for name, value in self.declared.headers.items()}
        return Webhook(
            method="POST",
            url="https://deskbridge.example/hooks/kit",
            query=self.declared.query,
            headers=headers,
            body=body,
        )

    def signed(
        self, signature: Signature, webhook: Webhook, *, at: datetime = NOW, secret: str = ""
    ) -> Webhook:
        """The webhook as the vendor would sign it, with the first secret of the sample settings."""
        values = Settings(self.adapter.manifest, self.settings)
        return sign(signature, webhook, secret or values[signature.secret_field], at=at, values=values)

    def deliveries(self, body: bytes) -> Sequence[Delivery]:
        """What is accepted of a webhook's body."""
        return self.make().receive(self.webhook(body), decode(body)).deliveries

    def parse(self, body: bytes) -> tuple[Change, ...]:
        """What a webhook's body means, all of its deliveries together."""
        adapter = self.make()
        deliveries = adapter.receive(self.webhook(body), decode(body)).deliveries
        return tuple(change for delivery in deliveries for change in listed(adapter.parse(delivery.body)))

    def _understood(self, body: bytes) -> tuple[Change, ...]:
        try:
            return self.parse(body)
        except Exception:  # noqa: BLE001 - whatever an adapter raises
            return ()

    def _scripted(self) -> ScriptedVendor:
        where = self.folder / "answers"
        return ScriptedVendor(read_answers(where), f"{where}/")

    def _described(self) -> Path | None:
        name = self.declared.description
        return self.folder / name if name else None


def listed(changes: Any) -> tuple[Change, ...]:
    """What `parse` gave, if that is what it should give."""
    if isawaitable(changes):
        if iscoroutine(changes):
            changes.close()
        raise AssertionError("parse() is async: make it a plain def, for it asks nobody")
    try:
        return tuple(changes)
    except TypeError as error:
        told = f"parse() gives {changes!r}: return a tuple of changes, an empty one for none"
        raise AssertionError(told) from error


def _declared(path: Path, given: Mapping[str, Any]) -> Declared:
    held = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    try:
        return msgspec.convert({**held, **given}, Declared)
    except msgspec.ValidationError as error:
        raise AssertionError(f"{path}: {error}") from error


def _sample(field: Field) -> Any:
    """A value that the manifest allows."""
    if field.secret:
        return f"kit-{field.name.replace('_', '-')}"
    if field.default is not None:
        return field.default
    match field.type:
        case "url":
            return "https://vendor.example"
        case "integer":
            return 1
        case "flag":
            return False
        case "text" | "channel":
            return field.choices[0] if field.choices else f"sample-{field.name}"


def _met(changes: Mapping[str, Sequence[Change]]) -> Ids:
    posted = [c for cs in changes.values() for c in cs if isinstance(c, MessagePosted)]
    people = [c.message.person for c in posted if c.message.person]
    customers = [c.customer for c in posted if c.customer]
    return Ids(
        conversation=posted[0].conversation.id if posted else "",
        message=posted[0].message.id if posted else "",
        customer=customers[0].id if customers else "",
        person=people[0].id if people else "",
    )


def _given(ids: Ids) -> dict[str, str]:
    return {name: value for name, value in msgspec.structs.asdict(ids).items() if value}
