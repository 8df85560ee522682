"""What an adapter says about itself, and what its source must not hold."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from adapters.manifest import Capability, Tier
from adapters.testing.checking import CHECKS, check, require
from adapters.testing.subject import Subject

SILVER = frozenset(
    {Capability.REPLY, Capability.FIND_MESSAGE, Capability.PULL_CONVERSATIONS, Capability.PULL_MESSAGES}
)
GOLD = SILVER | {
    Capability.NOTE,
    Capability.ASSIGN,
    Capability.SET_STATUS,
    Capability.CHANGE_TAGS,
    Capability.UPDATE_CUSTOMER,
    Capability.ATTACHMENTS,
    Capability.SEND_ATTACHMENTS,
    Capability.FIND_CUSTOMER,
    Capability.FIND_CONVERSATION,
    Capability.PULL_CUSTOMERS,
}
_REASON = 20
_FOREIGN = {
    "requests",
    "aiohttp",
    "urllib3",
    "tenacity",
    "backoff",
    "sqlalchemy",
    "redis",
    "threading",
    "sched",
}
_FORBIDDEN = {
    "httpx.AsyncClient": "an HTTP client",
    "httpx.Client": "an HTTP client",
    "httpx.get": "an HTTP client",
    "httpx.post": "an HTTP client",
    "asyncio.sleep": "a wait",
    "time.sleep": "a wait",
    "os.environ": "a secret from elsewhere",
    "os.getenv": "a secret from elsewhere",
}
_SETTING = re.compile(r"\{setting:([^{}]+)\}")


@check(Tier.BRONZE)
def manifest(subject: Subject) -> None:
    """The manifest is complete: roles, labels in both languages, capabilities, a README beside it."""
    told = subject.adapter.manifest
    require(told.roles, "manifest.toml names no role")
    require(told.capabilities or subject.webhooks, "it can do nothing, and hears nothing")
    for field in told.fields:
        require(field.label.en and field.label.zh, f"the field {field.name} has no label in both languages")
    readme = subject.adapter.home() / "README.md"
    require(readme.is_file(), f"{readme} is missing: credentials, webhook set-up, what syncs, limits, traps")


@check(Tier.BRONZE)
def exemptions(subject: Subject) -> None:
    """Every exemption names a check and gives its reason."""
    for name, reason in subject.adapter.manifest.exemptions.items():
        require(name in CHECKS, f"the exemption {name!r} names no check; there are: {', '.join(CHECKS)}")
        require(len(reason) >= _REASON, f"the exemption {name!r} gives no reason that one could judge")


@check(Tier.BRONZE)
def settings(subject: Subject) -> None:
    """The sample settings fit the manifest, and make a client with a base address."""
    adapter = subject.make()
    require(
        adapter.http.base_url.host,
        "endpoint() gives no base_url: relative paths would lead nowhere",
    )


@check(Tier.BRONZE)
def declared_signature(subject: Subject) -> None:
    """A signature is declared, and the settings that it names are in the manifest."""
    require(
        subject.signatures,
        "no signature is declared: anybody who learns the address could speak for the vendor. If the vendor"
        " signs nothing, demand a shared secret, or say so in an exemption",
    )
    fields = {field.name: field for field in subject.adapter.manifest.fields}
    for each in subject.signatures:
        secret = fields.get(each.secret_field)
        require(secret and secret.secret, f"the manifest has no secret field {each.secret_field!r}")
        for name in _SETTING.findall(each.template):
            require(name in fields, f"the signature covers the setting {name!r}, which the manifest lacks")


@check(Tier.BRONZE)
def only_a_translator(subject: Subject) -> None:
    """The source holds no HTTP client, no wait, no threads and no environment: the engine has those."""
    faults = [fault for path in _sources(subject.adapter) for fault in _foreign(path)]
    require(not faults, "; ".join(faults))


@check(Tier.SILVER)
def useful(subject: Subject) -> None:
    """It replies, finds its replies again, and lists conversations and messages."""
    _complete(subject, SILVER, Tier.SILVER)


@check(Tier.GOLD)
def complete(subject: Subject) -> None:
    """It does all that a helpdesk is used for."""
    _complete(subject, GOLD, Tier.GOLD)


def _complete(subject: Subject, needed: frozenset[Capability], tier: Tier) -> None:
    lacking = sorted(needed - subject.adapter.manifest.capabilities)
    require(not lacking, f"{tier} needs these capabilities, too: {', '.join(lacking)}")


def _sources(adapter: type) -> list[Path]:
    """The files of the adapter's own package that its module needs."""
    start = inspect.getmodule(adapter)
    assert start is not None
    package = start.__name__.rpartition(".")[0] or start.__name__
    found: dict[str, ModuleType] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module.__name__ in found or not module.__file__:
            continue
        found[module.__name__] = module
        names = {name for name in _imported(Path(module.__file__)) if name.startswith(f"{package}.")}
        waiting += [sys.modules[name] for name in names if name in sys.modules]
    return [Path(module.__file__) for module in found.values() if module.__file__]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _foreign(path: Path) -> Iterator[str]:
    for name in _imported(path):
        if name in _FORBIDDEN:
            yield f"{path.name} holds {_FORBIDDEN[name]} ({name})"
        elif name.partition(".")[0] in _FOREIGN:
            yield f"{path.name} imports {name}: the engine hands in what an adapter may use"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in _FORBIDDEN:
            name = ast.unparse(node)
            yield f"{path.name}:{node.lineno} holds {_FORBIDDEN[name]} ({name})"
