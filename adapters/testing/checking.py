"""What a check is: a function of a subject that raises `AssertionError` when it finds a fault."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from adapters.manifest import Tier
from adapters.testing.subject import Subject

Function = Callable[..., Coroutine[Any, Any, None] | None]
TIERS = (Tier.BRONZE, Tier.SILVER, Tier.GOLD)


class NotApplicable(Exception):  # noqa: N818 - no error
    """The adapter has nothing that this could check."""


class Check(msgspec.Struct, frozen=True):
    """One check: its name, the tier that needs it, and what it does.

    One that takes a `file` runs once for each webhook in `fixtures/`.
    """

    name: str
    tier: Tier
    function: Function

    @property
    def per_file(self) -> bool:
        """Whether it is about one fixture file."""
        return "file" in inspect.signature(self.function).parameters

    @property
    def promise(self) -> str:
        """What it says of an adapter that passes."""
        return (self.function.__doc__ or "").partition("\n")[0]

    async def run(self, subject: Subject, file: str = "") -> None:
        """Raises AssertionError for a fault, NotApplicable where there is nothing to check."""
        done = self.function(subject, file) if self.per_file else self.function(subject)
        if done is not None:
            await done


CHECKS: dict[str, Check] = {}
"""All checks, by name, in the order in which they stand."""


def check(tier: Tier) -> Callable[[Function], Function]:
    """Make a function a check that `tier` needs, under the function's name."""

    def enter(function: Function) -> Function:
        name = function.__name__
        assert name not in CHECKS, f"two checks are called {name}"
        CHECKS[name] = Check(name, tier, function)
        return function

    return enter


def require(condition: object, fault: str) -> None:
    """Raise AssertionError with the fault unless the condition holds."""
    if not condition:
        raise AssertionError(fault)
