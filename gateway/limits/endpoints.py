"""Which limits of an account a request draws from. Pure."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from adapters.errors import InvalidSettings
from adapters.manifest import LimitHeaders, Manifest
from config.settings import ConnectionSettings
from gateway.limits.arithmetic import Rule


class Budget(Struct, frozen=True, kw_only=True):
    """One limit of one account. `key` names it in Redis and is the same for all who share it."""

    key: str
    account: str
    name: str
    rule: Rule
    only: tuple[str, ...]
    headers: LimitHeaders

    def covers(self, method: str, path: str) -> bool:
        """Whether a request draws from it."""
        return not self.only or any(fnmatchcase(f"{method} {path}", pattern) for pattern in self.only)


def budgets_of(name: str, connection: ConnectionSettings, manifest: Manifest) -> tuple[Budget, ...]:
    """The limits of a connection's account: as the adapter declares them, unless its settings say otherwise.

    Raises:
        InvalidSettings: the settings name a limit that the adapter doesn't declare.
    """
    declared = {limit.name: limit for limit in manifest.limits}
    for unknown in sorted(set(connection.limits) - set(declared)):
        known = ", ".join(declared) or "none"
        raise InvalidSettings(
            f"connection {name!r} ({manifest.title}): limits.{unknown} is none of its limits; it has: {known}"
        )
    account = connection.account or name
    rules = {limit: _rule(limit, connection, manifest) for limit in declared}
    return tuple(
        Budget(
            key=f"deskbridge:budget:{connection.adapter}:{account}:{limit.name}:{rules[limit.name].window}",
            account=account,
            name=limit.name,
            rule=rules[limit.name],
            only=limit.only,
            headers=limit.headers,
        )
        for limit in manifest.limits
    )


def _rule(limit: str, connection: ConnectionSettings, manifest: Manifest) -> Rule:
    wanted = connection.limits.get(limit)
    if wanted is None:
        declared = next(each for each in manifest.limits if each.name == limit)
        return Rule(requests=declared.requests, window=_window(declared.seconds))
    return Rule(requests=wanted.requests, cap=wanted.requests, window=_window(wanted.seconds))


def _window(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def by_account(budgets: Mapping[str, tuple[Budget, ...]]) -> list[Budget]:
    """Every limit once, in a stable order."""
    every = {budget.key: budget for group in budgets.values() for budget in group}
    return sorted(every.values(), key=lambda budget: (budget.account, budget.name))
