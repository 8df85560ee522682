"""What an adapter declares about itself, and the settings of one connection checked against it."""

import inspect
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from adapters.errors import InvalidSettings, ManifestError
from adapters.hints import cured, meant
from adapters.model import CHANNELS, Channel

CONTRACT = 1
"""The version of the contract between Deskbridge and its adapters; another one needs another Deskbridge."""


class Capability(StrEnum):
    """What an adapter can do; the names of commands, queries and pulls."""

    REPLY = "reply"
    RELAY = "relay"
    """Say in a conversation what its customer said elsewhere."""
    NOTE = "note"
    ASSIGN = "assign"
    SET_STATUS = "set_status"
    CHANGE_TAGS = "change_tags"
    UPDATE_CUSTOMER = "update_customer"
    OPEN_CONVERSATION = "open_conversation"
    HAND_OVER = "hand_over"
    TAKE_CONTROL = "take_control"
    RELEASE_CONTROL = "release_control"
    ATTACHMENTS = "attachments"
    """Messages come with their files."""
    SEND_ATTACHMENTS = "send_attachments"
    """Replies and notes take files along."""
    CONDITIONAL_UPDATE = "conditional_update"
    UPDATE_CONVERSATION = "update_conversation"
    SET_SUBJECT = "set_subject"
    CONDITIONAL_CONVERSATION = "conditional_conversation"
    FIND_MESSAGE = "find_message"
    FIND_CUSTOMER = "find_customer"
    FIND_CONVERSATION = "find_conversation"
    FIND_OPENED = "find_opened"
    GET_MESSAGE = "get_message"
    PULL_CUSTOMERS = "pull_customers"
    PULL_CONVERSATIONS = "pull_conversations"
    PULL_MESSAGES = "pull_messages"


class Role(StrEnum):
    """What a connection can be to Deskbridge."""

    HELPDESK = "helpdesk"
    DESK = "desk"
    CRM = "crm"
    ERP = "erp"


class Tier(StrEnum):
    """How much of the conformance kit an adapter passes."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in the two languages of the console."""

    en: str
    zh: str


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting of a connection. A secret may be given as a list: every active one.

    `choices`, where there are any, are the only texts allowed. A field of the type `channel` says where
    conversations take place of which the vendor doesn't tell: its choices are channels, all unless named.
    """

    name: str
    label: Label
    help: Label | None = None
    type: Literal["text", "url", "integer", "flag", "channel"] = "text"
    secret: bool = False
    required: bool = True
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would lie open, or could not be read; of a channel, the choices."""
        if self.secret and self.default is not None:
            raise ValueError(f"the secret {self.name} has a `default`: no secret belongs into this file")
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} can't be a field's name: use letters, digits and _")
        if self.type == "channel":
            msgspec.structs.force_setattr(self, "choices", self.choices or tuple(CHANNELS))
            _require_channels(self.choices)


_PEM = "-----BEGIN "
"""Keys that have several lines."""
_EXPECTED = {
    "flag": "true or false",
    "integer": "a whole number",
    "url": "an address that starts with https:// or http://",
    "text": "a text; quote it",
    "channel": "a channel",
}


class LimitHeaders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The response headers that tell of a limit, one value each; or `packed`, one header with all of them.

    A reset may be in seconds from now or a Unix time; packed is `total=100; remaining=92; resets=16`
    (Zendesk) or `used/limit` (Gorgias).
    """

    limit: str | None = None
    remaining: str | None = None
    reset: str | None = None
    packed: str | None = None


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests in so many seconds, for the whole account.

    `only` narrows it to a class of endpoints: patterns of method and path such as `PUT */tickets/*`,
    where `*` is any text. A request draws from every limit that it matches.
    """

    requests: int
    seconds: float
    name: str = "all"
    only: tuple[str, ...] = ()
    headers: LimitHeaders = LimitHeaders()

    def __post_init__(self) -> None:
        """Refuse what would stop everything, or nothing."""
        if self.requests < 1 or not self.seconds > 0:
            raise ValueError("a limit is so many `requests` (1 or more) in so many `seconds` (more than 0)")

    @property
    def window(self) -> timedelta:
        """The window as a duration."""
        return timedelta(seconds=self.seconds)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of an adapter's `manifest.toml`; `contract` is the version that it was written for.

    `channels` are those that it tells apart by the vendor's own words.
    """

    contract: int = CONTRACT
    title: str
    roles: tuple[Role, ...]
    auth: Literal["token", "bearer", "basic", "oauth2", "none"]
    tier: Tier
    capabilities: frozenset[Capability]
    channels: frozenset[Channel] = frozenset()
    fields: tuple[Field, ...] = ()
    limits: tuple[Limit, ...] = ()
    exemptions: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what was written for another contract, and `unknown` as a channel."""
        _require_our_contract(self.contract)
        _require_channels(self.channels)

    @classmethod
    def beside(cls, adapter: type) -> Self:
        """Read the `manifest.toml` in the folder of the adapter's module."""
        path = Path(inspect.getfile(adapter)).with_name("manifest.toml")
        if not path.is_file():
            raise ManifestError(f"{adapter.__qualname__} has no manifest: {path} is missing")
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
            _require_our_contract(given.get("contract", CONTRACT))  # before fields that we can't know
            return msgspec.convert(given, cls)
        except msgspec.ValidationError as error:
            raise ManifestError(f"{path} is not a manifest: {cured(cls, error)}") from error
        except ValueError as error:
            raise ManifestError(f"{path} is not a manifest: {error}") from error

    def can(self, capability: Capability | str) -> bool:
        """Whether the adapter declares this capability."""
        return capability in self.capabilities

    @property
    def channel_fields(self) -> tuple[Field, ...]:
        """The settings that say where conversations take place."""
        return tuple(field for field in self.fields if field.type == "channel")

    @property
    def set_channels(self) -> frozenset[Channel]:
        """The channels that a setting may name."""
        return frozenset(Channel(choice) for field in self.channel_fields for choice in field.choices)


def _require_channels(named: Iterable[str]) -> None:
    for name in named:
        if name not in CHANNELS:
            raise ValueError(f"{name} is no channel; {meant(name, tuple(CHANNELS))}")


def _require_our_contract(version: Any) -> None:
    if version != CONTRACT:
        older = "Deskbridge" if isinstance(version, int) and version > CONTRACT else "the adapter"
        raise ValueError(f"it is for contract {version!r}, and this is contract {CONTRACT}: upgrade {older}")


class Settings:
    """The checked settings of one connection. Secrets never show in its `repr`."""

    def __init__(self, manifest: Manifest, values: Mapping[str, Any], *, connection: str = "") -> None:
        self.connection = connection
        self._fields = {field.name: field for field in manifest.fields}
        self._title = manifest.title
        unknown = sorted(set(values) - set(self._fields))
        if unknown:
            hint = meant(unknown[0], tuple(self._fields))
            raise self._invalid(unknown[0], f"is not a setting of {manifest.title}; {hint}")
        self._values = {name: self._checked(field, values.get(name)) for name, field in self._fields.items()}

    def __getitem__(self, name: str) -> Any:
        """The value of a declared field; `None` where an optional one was left out.

        Of a secret with several active values it is the first.
        """
        value = self._values[name]
        return (value[0] if value else None) if self._fields[name].secret else value

    def secrets(self, name: str) -> tuple[str, ...]:
        """Every active value of a secret field, newest first as configured; empty if it was left out."""
        field = self._fields[name]
        assert field.secret, f"{name} is not declared secret"
        active: tuple[str, ...] = self._values[name]
        return active

    @property
    def every_secret(self) -> tuple[str, ...]:
        """All active secrets, of all fields: what must show nowhere."""
        secret = [name for name, field in self._fields.items() if field.secret]
        return tuple(value for name in secret for value in self._values[name])

    def __repr__(self) -> str:
        shown = {name: "•••" if self._fields[name].secret else value for name, value in self._values.items()}
        return f"Settings({self.connection!r}, {shown!r})"

    def _checked(self, field: Field, value: Any) -> Any:
        given = field.default if value is None or value in ("", []) else value
        if given is None:
            if field.required:
                help_ = f": {field.help.en}" if field.help else ""
                cure = f"set {field.label.en!r} ({field.label.zh}){help_}"
                raise self._invalid(field.name, f"is missing; {cure}")
            return () if field.secret else None
        if field.secret:
            return self._active(field, given)
        if not _fits(field, given):
            expected = f"one of {', '.join(field.choices)}" if field.choices else _EXPECTED[field.type]
            raise self._invalid(field.name, f"must be {expected}")
        match field.type:
            case "integer":
                return int(given)
            case "url":
                return str(given).rstrip("/")
            case _:
                return given

    def _active(self, field: Field, given: Any) -> tuple[str, ...]:
        active = tuple(given) if isinstance(given, list | tuple) else (given,)
        if not all(isinstance(secret, str) and secret for secret in active):
            raise self._invalid(field.name, "must be a non-empty text, or a list of them; quote it")
        if any(secret != secret.strip() or not (secret.isprintable() or _PEM in secret) for secret in active):
            raise self._invalid(
                field.name, "has a space or a line break at its end, or within: copy it again"
            )
        return active

    def _invalid(self, field: str, problem: str) -> InvalidSettings:
        return InvalidSettings(f"connection {self.connection!r} ({self._title}): {field} {problem}")


def _fits(field: Field, given: Any) -> bool:
    match field.type:
        case "flag":
            return isinstance(given, bool)
        case "integer":
            return not isinstance(given, bool) and str(given).isdecimal()
        case "url":
            return isinstance(given, str) and given.startswith(("https://", "http://"))
        case "text" | "channel":
            return isinstance(given, str) and given in (field.choices or (given,))
