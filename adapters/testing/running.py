"""Running the checks on a subject, and what it earns by them."""

import logging
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from adapters.blame import place
from adapters.manifest import Tier
from adapters.testing import checks as _  # noqa: F401 - it enters them
from adapters.testing.checking import CHECKS, TIERS, Check, NotApplicable
from adapters.testing.checks.failing import heard_from
from adapters.testing.subject import Subject

_KIT = Path(__file__).parent


class Ending(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXEMPT = "exempt"
    NOT_APPLICABLE = "not applicable"


class Result(msgspec.Struct, frozen=True):
    """How one check ended; `detail` is the fault, or the reason."""

    check: str
    tier: Tier
    ending: Ending
    detail: str = ""
    file: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter claims, and how its checks ended."""

    claimed: Tier
    results: tuple[Result, ...]

    @property
    def earned(self) -> Tier | None:
        """The highest tier of which nothing failed, nor of those below."""
        return earned(each.tier for each in self.results if each.ending is Ending.FAILED)

    @property
    def holds(self) -> bool:
        """Whether it earns what it claims."""
        return self.earned is not None and TIERS.index(self.earned) >= TIERS.index(self.claimed)

    def faults(self, *, up_to: Tier = Tier.GOLD) -> list[Result]:
        """What failed, up to a tier."""
        within = TIERS[: TIERS.index(up_to) + 1]
        return [each for each in self.results if each.ending is Ending.FAILED and each.tier in within]


def earned(failed: Iterable[str]) -> Tier | None:
    """The highest tier below the lowest in which a check failed."""
    lowest = min((TIERS.index(Tier(tier)) for tier in failed), default=len(TIERS))
    return TIERS[lowest - 1] if lowest else None


async def run(subject: Subject) -> Report:
    """Run every check; of those about files, once for each."""
    results = []
    for each in CHECKS.values():
        files = subject.webhooks if each.per_file else ("",)
        results += [await run_one(each, subject, file) for file in files]
    return Report(claimed=subject.adapter.manifest.tier, results=tuple(results))


def _place(error: BaseException, subject: Subject) -> str:
    """The line of the adapter's own at which it broke; empty where that isn't to blame."""
    return place(error.__cause__ or error, subject.adapter.home(), but=_KIT)


async def run_one(each: Check, subject: Subject, file: str = "") -> Result:
    """Run one check, unless the manifest exempts the adapter from it."""
    reason = subject.exemption(each.name)
    if reason:
        return Result(each.name, each.tier, Ending.EXEMPT, reason, file)
    try:
        with heard_from(logging.WARNING):
            await each.run(subject, file)
    except NotApplicable as reason_:
        return Result(each.name, each.tier, Ending.NOT_APPLICABLE, str(reason_), file)
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises here is its fault
        detail = str(error) if isinstance(error, AssertionError) else repr(error)
        broke = _place(error, subject)
        return Result(each.name, each.tier, Ending.FAILED, f"{detail}{broke and f' ({broke})'}", file)
    return Result(each.name, each.tier, Ending.PASSED, "", file)
