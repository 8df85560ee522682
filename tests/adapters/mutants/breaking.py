"""How an adapter is broken on purpose, in one way, and the list of what each check must see."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from adapters.contract import Adapter
from adapters.manifest import Capability
from adapters.model import Change, MessagePosted
from adapters.vendors.memory.adapter import Memory

replace = msgspec.structs.replace
MUTANTS: dict[str, list[type[Adapter]]] = {}
"""The mutants that each check must kill."""


def seen_by(*checks: str) -> Callable[[type[Adapter]], type[Adapter]]:
    """Say which checks must fail for this adapter."""

    def enter(mutant: type[Adapter]) -> type[Adapter]:
        for each in checks:
            MUTANTS.setdefault(each, []).append(mutant)
        return mutant

    return enter


class Mutant(Memory):
    """The reference helpdesk's adapter; what follows differs from it in one thing."""

    manifest = Memory.manifest


def able(*capabilities: Capability, without: tuple[Capability, ...] = ()) -> Any:
    """The manifest with other capabilities."""
    changed = Memory.manifest.capabilities | set(capabilities) - set(without)
    return replace(Memory.manifest, capabilities=frozenset(changed - set(without)))


def altered(mutant: str, checks: tuple[str, ...], alter: Callable[[Any], Any]) -> None:
    """A mutant that alters every message it reads from a webhook."""

    def parse(self: Adapter, body: bytes) -> Sequence[Change]:
        return tuple(
            replace(change, message=alter(change.message)) if isinstance(change, MessagePosted) else change
            for change in Memory.parse(self, body)  # type: ignore[arg-type]
        )

    seen_by(*checks)(type(mutant, (Mutant,), {"manifest": Memory.manifest, "parse": parse}))


FIXTURES = Path(__file__).parents[3] / "adapters" / "vendors" / "memory" / "fixtures"
