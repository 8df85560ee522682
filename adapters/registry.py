"""The installed adapters, found through the entry-point group `deskbridge.adapters`.

An adapter is imported when it is first asked for, so a broken one harms nobody but its own connections.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import httpx

from adapters.blame import place, why_not_loaded
from adapters.contract import Adapter
from adapters.errors import AdapterError, BrokenAdapter, Fatal, InvalidSettings
from adapters.hints import meant
from adapters.manifest import Manifest, Settings
from adapters.stand_in import StandIn
from adapters.transport import Transport

GROUP = "deskbridge.adapters"
TIMEOUT = httpx.Timeout(10.0, connect=3.0)
LIMITS = httpx.Limits(max_connections=32, keepalive_expiry=30)


def names() -> tuple[str, ...]:
    """The names of all installed adapters, loaded or not, working or not."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def get(name: str, settings: Mapping[str, Any] | None = None) -> type[Adapter]:
    """The adapter class of that name; of one that is made of its settings, the one that these make.

    Raises:
        Fatal: there is none, or it can't be made of these settings.
        BrokenAdapter: it can't be imported, or is none.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise Fatal(f"no adapter is called {name!r}; {meant(name, names())}")
    adapter = _load(*found)
    return adapter if settings is None else adapter.of(settings)


def _load(entry: EntryPoint, *others: EntryPoint) -> type[Adapter]:
    rivals = {each.value: each for each in (entry, *others)}
    if len(rivals) > 1:
        told = ", ".join(
            sorted(f"{source_of(each) or 'somebody'} ({value})" for value, each in rivals.items())
        )
        raise BrokenAdapter(
            f"several installed adapters are called {entry.name!r}: {told}; uninstall all but one"
        )
    what = f"the adapter {entry.name!r} ({entry.value})"
    try:
        adapter = entry.load()
    except (Exception, SystemExit) as error:  # a third party's import may raise anything, even try to leave
        raise BrokenAdapter(f"{what} can't be loaded: {why_not_loaded(entry, error)}") from error
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        cure = "name one, as in package.module:Class, that inherits from adapters.contract.Adapter"
        raise BrokenAdapter(f"{what} is no Adapter class: {cure}")
    if lacking := sorted(getattr(adapter, "__abstractmethods__", ())):
        raise BrokenAdapter(f"{what} is not finished: define its abstract methods {', '.join(lacking)}")
    return adapter


def source_of(entry: EntryPoint) -> str:
    """The distribution that an adapter comes from, with its version; empty where none is known."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""


def manifest_of(name: str, settings: Mapping[str, Any] | None = None) -> Manifest:
    """What the adapter of that name (and these settings) declares; of a broken one, nothing.

    Raises:
        Fatal: there is none.
    """
    try:
        return get(name, settings).manifest
    except BrokenAdapter:
        return StandIn.manifest


def open_transport() -> httpx.AsyncBaseTransport:
    """The plain transport with the usual pool limits, for an engine to wrap and hand to `build`."""
    return Transport(limits=LIMITS)


def build(
    name: str,
    settings: Mapping[str, Any],
    *,
    connection: str = "",
    transport: httpx.AsyncBaseTransport | None = None,
) -> Adapter:
    """Make the adapter of one connection, with an HTTP client of its own; close it with `aclose`.

    Raises:
        InvalidSettings: the settings don't fit the adapter's manifest.
        BrokenAdapter: it can't be used.
        Fatal: there is no such adapter.
    """
    return make(get(name, settings), settings, connection=connection or name, transport=transport)


def build_or_stand_in(
    name: str, settings: Mapping[str, Any], *, connection: str, transport: httpx.AsyncBaseTransport
) -> Adapter:
    """As `build`; for a broken adapter one that says of everything why it can't (`StandIn`)."""
    try:
        return build(name, settings, connection=connection, transport=transport)
    except BrokenAdapter as error:
        return StandIn(connection=connection, reason=error.detail)


def make(
    adapter: type[Adapter],
    settings: Mapping[str, Any],
    *,
    connection: str,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Adapter:
    """As `build`, of an adapter that is at hand.

    Raises:
        InvalidSettings: the settings don't fit the adapter's manifest.
        BrokenAdapter: it fails when it is made.
    """
    checked = Settings(adapter.manifest, settings, connection=connection)
    what = f"connection {connection!r} ({adapter.manifest.title})"
    try:
        http = httpx.AsyncClient(
            **adapter.endpoint(checked),
            timeout=TIMEOUT,
            transport=transport or open_transport(),
            trust_env=False,
        )
        return adapter(settings=checked, http=http)
    except AdapterError:
        raise
    except httpx.InvalidURL as error:
        raise InvalidSettings(f"{what}: its address can't be used: {error}") from error
    except UnicodeEncodeError as error:  # it holds the whole text, and that may be a secret
        cure = "copy them again, without signs that no header can carry, such as full-width letters"
        raise InvalidSettings(f"{what}: its credentials can't be sent; {cure}") from error
    except (Exception, SystemExit) as error:  # a third party's code may raise anything
        told = repr(error)
        for secret in checked.every_secret:
            told = told.replace(secret, "•••")
        where = place(error, adapter.home())
        raise BrokenAdapter(
            f"connection {connection!r}: {adapter.__name__} fails: {told}{where and f' ({where})'}"
        ) from error
