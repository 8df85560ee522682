"""The process's settings: one frozen tree, read once.

Environment variables (`DESKBRIDGE_…`, nested with `__`) win over the file, the file over the defaults.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.channels import ChannelSettings, ChannelsSettings
from config.fields import SharedFields
from config.refusal import RefusalError

PACKAGED = Path(__file__).parent
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class ConfigError(RefusalError):
    """The configuration can't be used; the message names the place and the cure."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LimitSettings(_Frozen):
    """A vendor's limit as this account has it."""

    requests: int = Field(ge=1)
    """So many requests."""
    seconds: float = Field(gt=0)
    """In so many seconds."""


class ConnectionSettings(_Frozen):
    """One account at one outside system."""

    adapter: str
    """The adapter that speaks to it, such as `memory` or `chatwoot`."""
    role: Literal["helpdesk", "desk", "crm", "erp"] = "helpdesk"
    """What it is to us."""
    ai: bool | Literal["theirs"] = True
    """Whose AI answers first here: ours (`true`), the vendor's own bot (`theirs`), or nobody's (`false`)."""
    account: str | None = None
    """The vendor's account, if not its own: connections that name the same one share its limits."""
    limits: dict[str, LimitSettings] = Field(default_factory=dict)
    """Limits that are to be kept instead of those that the adapter declares, by name."""
    queues: dict[str, str] = Field(default_factory=dict)
    """Your queues as the vendor calls them (a group, a team), for hand-overs by its own switch."""
    poll: timedelta | None = None
    """How often to ask it what webhooks may have lost; never, unless given."""
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """What the adapter asks for: see its README. Secrets as `${NAME}`; `description` relative to the file."""


class AnswerSettings(_Frozen):
    """How the knowledge answers."""

    threshold: float = Field(default=0.5, ge=0, le=1)
    """An answer less sure than this is withheld."""
    time_limit: timedelta = timedelta(seconds=8)
    """An answer that takes longer has failed."""
    show_sources: bool = True
    """Whether a line under the answer names the articles it rests on."""


class TurnSettings(_Frozen):
    """When a burst of customer messages is over."""

    quiet: timedelta = timedelta(milliseconds=600)
    """How long the customer must be quiet before a burst is answered."""
    quiet_by_channel: dict[str, timedelta] = {"live": timedelta(0), "comment": timedelta(0)}
    """The same for channels with a pace of their own."""

    def quiet_for(self, channel: str) -> timedelta:
        """How long the customer must be quiet before the burst is answered."""
        return self.quiet_by_channel.get(channel, self.quiet)


class VipSettings(_Frozen):
    """Which customers are VIPs: those whose attribute has one of these values."""

    attribute: str = "tier"
    """The customer's attribute to look at."""
    values: frozenset[str] = frozenset({"vip", "gold"})
    """Its values that mean VIP, in lower case."""


class VoiceSettings(_Frozen):
    """Who may speak, and how the right to speak comes back to the AI."""

    other_bot_silence: timedelta = timedelta(minutes=10)
    """Another bot that speaks takes the conversation from the AI, which has it again after this silence."""
    most_returns: int = Field(default=3, ge=0)
    """How often people may give a conversation back to the AI; then it stays with them until resolved."""


class IdentitySettings(_Frozen):
    """When customers of several connections are one person. An address that isn't verified never links."""

    default_region: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    """The country of phone numbers written without a country code, such as `CN`."""
    link_by: tuple[Literal["external", "email", "phone"], ...] = ("external", "email", "phone")
    """What links, strongest first; `external` is your own id of a customer, the same everywhere."""
    trust: frozenset[str] = frozenset()
    """Connections whose addresses count as verified, such as your CRM."""
    ids: dict[str, tuple[Annotated[str, Field(pattern=r"^(id|attributes\..+)$")], ...]] = Field(
        default_factory=dict
    )
    """By connection, where else it keeps your id of a customer: `id` (its own) or `attributes.NAME`."""
    never: tuple[str, ...] = (
        "info@*",
        "contact@*",
        "hello@*",
        "sales@*",
        "service@*",
        "support@*",
        "office@*",
        "admin@*",
        "no-reply@*",
        "noreply@*",
    )
    """Addresses that many share, which never link; `*` stands for anything."""
    shared_after: int = Field(default=5, ge=1)
    """An address that more customers have than this never links."""


class DeliverySettings(_Frozen):
    """How commands are sent."""

    concurrency: int = Field(default=32, ge=1)
    """How many commands a worker sends at once."""
    per_connection: int = Field(default=12, ge=1)
    """How many of them may go to one connection, so that a slow vendor leaves slots for the others."""
    attempts: int = Field(default=12, ge=1)
    """After this many tries a command is parked."""
    first_retry: timedelta = timedelta(seconds=0.5)
    """The pause before the second try; later ones double it, with jitter."""
    longest_retry: timedelta = timedelta(minutes=5)
    """The pauses grow up to this."""


class BreakerSettings(_Frozen):
    """When a vendor that fails is left alone."""

    failures: int = Field(default=5, ge=1)
    """So many time-outs, connection errors and 5xx in a row open a connection's breaker."""
    pause: timedelta = timedelta(seconds=30)
    """So long nothing is sent; then one request probes whether the vendor is back."""


class AttachmentSettings(_Frozen):
    """Which files go along with messages: from one vendor to another, to the built-in desk and from it."""

    max_bytes: int = Field(default=20 * 1024 * 1024, ge=1)
    """A larger file stays where it is; the message names it."""
    most: int = Field(default=10, ge=1, le=50)
    """So many files may go with one reply of the built-in desk."""
    keep: timedelta = Field(default=timedelta(days=7), ge=timedelta(hours=1))
    """How long a file of the built-in desk is kept for a reply that can't be sent, at most."""
    types: tuple[str, ...] = (
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/bmp",
        "audio/*",
        "video/*",
        "application/pdf",
        "application/zip",
        "application/vnd.openxmlformats-officedocument.*",
        "text/plain",
        "text/csv",
    )
    """Types that go along, by what the content is; `*` stands for anything."""
    time_limit: timedelta = timedelta(seconds=30)
    """How long fetching one may take."""
    allow_hosts: frozenset[str] = frozenset()
    """Hosts that may lie in a private network, such as a helpdesk of your own: files come from there, too."""


class LaneSettings(_Frozen):
    """How accepted events are worked."""

    lanes_per_batch: int = Field(default=64, ge=1, le=128)
    """How many conversations one transaction works on at most."""


class StorageSettings(_Frozen):
    """How long what is stored is kept."""

    keep_payloads: timedelta = Field(default=timedelta(days=30), ge=timedelta(days=1))
    """How long the bodies of events are kept, such as `30d`; those that are waiting or parked stay longer."""


class PullSettings(_Frozen):
    """How records are fetched: backfill, polling, reconciliation."""

    backlog: int = Field(default=1000, ge=1)
    """At most about so many fetched events wait to be worked; then fetching waits for the workers."""
    live_for: timedelta = timedelta(minutes=10)
    """What polling finds acts like a webhook if it happened so recently; what is older is history."""
    overlap: timedelta = timedelta(minutes=5)
    """Each poll reads again what changed so long before the last one ended."""
    attempts: int = Field(default=10, ge=1)
    """A page that failed so often in a row ends the run; the next one goes on there."""
    first_retry: timedelta = timedelta(seconds=1)
    """The pause before the second try at a page; later ones double it, up to a minute."""
    reconcile_every: timedelta = timedelta(days=1)
    """How often a connection that was backfilled is compared with what we hold."""


class Settings(BaseSettings):
    """Everything a process needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="DESKBRIDGE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    config: Path | None = None
    """The file that the rest came from."""
    database_url: str | None = Field(default=None, repr=False)
    """A PostgreSQL of your own; without it an embedded one runs in `data_dir`."""
    redis_url: str | None = Field(default=None, repr=False)
    """A Redis that shares vendors' budgets and breakers among processes; without it each keeps its part."""
    data_dir: Path = Path(".deskbridge")
    """Where the embedded PostgreSQL keeps its data."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    public_url: str = "http://127.0.0.1:8080"
    """Where people reach the console; links in hand-off packages start with it."""
    body_limit: int = Field(default=1024 * 1024, ge=1024)
    """The largest webhook accepted, in bytes."""
    policies: Path = PACKAGED / "policies"
    """The directory of policies; in the file, relative to the file."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    connections: dict[str, ConnectionSettings] = Field(default_factory=dict)
    """The accounts at outside systems, by your name for each: webhooks come to `/hooks/NAME`."""
    fields: SharedFields = SharedFields()
    """The fields that are kept equal at several connections."""
    answers: AnswerSettings = AnswerSettings()
    """How the knowledge answers."""
    turns: TurnSettings = TurnSettings()
    """When a burst of customer messages is over."""
    channels: ChannelsSettings = ChannelsSettings()
    """How one speaks on each channel."""
    voice: VoiceSettings = VoiceSettings()
    """Who may speak, and how the right to speak comes back to the AI."""
    vip: VipSettings = VipSettings()
    """Which customers are VIPs."""
    identity: IdentitySettings = IdentitySettings()
    """When customers of several connections are one person."""
    delivery: DeliverySettings = DeliverySettings()
    """How commands are sent."""
    breaker: BreakerSettings = BreakerSettings()
    """When a vendor that fails is left alone."""
    attachments: AttachmentSettings = AttachmentSettings()
    """Which files go along with messages."""
    lanes: LaneSettings = LaneSettings()
    """How accepted events are worked."""
    pull: PullSettings = PullSettings()
    """How records are fetched: backfill, polling, reconciliation."""
    storage: StorageSettings = StorageSettings()
    """How long what is stored is kept."""

    @model_validator(mode="after")
    def _fields_name_connections(self) -> Self:
        shared = {"customer": self.fields.customer, "conversation": self.fields.conversation}
        named = {f"{of}.{name}": field for of, fields in shared.items() for name, field in fields.items()}
        for name, field in named.items():
            if unknown := field.names() - self.connections.keys():
                known = ", ".join(sorted(self.connections)) or "none"
                raise ValueError(
                    f"fields.{name}: no connection is called {', '.join(sorted(unknown))}; there are: {known}"
                )
        return self

    def manners(self, channel: str) -> ChannelSettings:
        """How one speaks on this channel."""
        return self.channels.of(channel)

    @property
    def with_our_ai(self) -> tuple[str, ...]:
        """The connections at which our AI answers."""
        return tuple(
            name for name, chosen in self.connections.items() if chosen.ai is True and chosen.role != "desk"
        )

    @property
    def desks(self) -> frozenset[str]:
        """The connections whose people rules may hand off to by name."""
        return frozenset(name for name, chosen in self.connections.items() if chosen.role == "desk")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls it so
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file said."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read `path`, else `$DESKBRIDGE_CONFIG`, else `./deskbridge.yaml`, else the packaged defaults.

    Raises ConfigError naming the file, the field and the cure.
    """
    chosen = path or _named() or _nearby()
    try:
        return Settings(**_read(chosen), config=chosen)
    except ValidationError as error:
        lines = [
            ": ".join([str(chosen), *filter(None, [".".join(map(str, item["loc"]))]), item["msg"]])
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError("\n".join(lines)) from None


def _named() -> Path | None:
    name = os.environ.get("DESKBRIDGE_CONFIG")
    return Path(name) if name else None


def _nearby() -> Path:
    here = Path("deskbridge.yaml")
    return here if here.exists() else PACKAGED / "deskbridge.yaml"


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); set DESKBRIDGE_CONFIG") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(f"{place}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected settings by name at the top, found {type(tree).__name__}")
    expanded: dict[str, Any] = _expand(tree, path)
    if isinstance(expanded.get("policies"), str):
        expanded["policies"] = path.parent / expanded["policies"]
    for settings in _settings_of_connections(expanded):
        if isinstance(settings.get("description"), str):
            settings["description"] = str(path.parent / settings["description"])
    return expanded


def _settings_of_connections(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """What the adapters are told, as far as it is a mapping; the rest is refused later."""
    connections = tree.get("connections")
    held = connections.values() if isinstance(connections, dict) else ()
    settings = (each.get("settings") for each in held if isinstance(each, dict))
    return [each for each in settings if isinstance(each, dict)]


def _expand(value: Any, path: Path) -> Any:
    match value:
        case dict():
            return {key: _expand(item, path) for key, item in value.items()}
        case list():
            return [_expand(item, path) for item in value]
        case str():
            return _VARIABLE.sub(lambda found: _variable(found[1], path), value)
        case _:
            return value


def _variable(name: str, path: Path) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"{path}: ${{{name}}} is not set; export {name} or remove the reference")
    return value
