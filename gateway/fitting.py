"""Whether each connection is set up for what its vendor can do; refused at the start, with the cure. Pure."""

from collections.abc import Iterator, Mapping

from adapters.contract import Adapter
from adapters.manifest import Capability
from config.settings import ConfigError, ConnectionSettings, Settings

_SWITCHES = frozenset({Capability.TAKE_CONTROL, Capability.RELEASE_CONTROL})


def require_fitting(settings: Settings, adapters: Mapping[str, Adapter]) -> None:
    """Refuse settings of connections that their adapters don't go with. Raises ConfigError."""
    found = [
        f"{settings.config or 'settings'}: connections.{name}: {why}"
        for name, adapter in adapters.items()
        for why in _unfitting(settings.connections[name], adapter)
    ]
    if found:
        raise ConfigError("\n".join(found))


def _unfitting(chosen: ConnectionSettings, adapter: Adapter) -> Iterator[str]:
    """What of a connection's settings can't be, and what to write instead."""
    title, roles = adapter.manifest.title, [role.value for role in adapter.manifest.roles]
    if roles and chosen.role not in roles:  # a broken adapter names none
        can = " or ".join(f"`role: {role}`" for role in roles)
        yield f"{title} can't be a {chosen.role}; it takes {can}"
    if chosen.ai == "theirs" and chosen.role != "desk" and _SWITCHES & adapter.capabilities:
        yield (
            f"`ai: theirs` can't be kept where {title} has a switch of who may speak: that tells only that"
            " others have a conversation, not whether they are a bot, so nobody's turns would be judged;"
            " say `ai: true` if our AI answers there, `ai: false` if it doesn't"
        )
