"""`AdapterSuite`: the checks as tests, one for each check and fixture file."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from adapters.contract import Adapter
from adapters.testing.checking import CHECKS, TIERS, Check
from adapters.testing.running import Ending, Result, run_one
from adapters.testing.subject import Subject


class AdapterSuite:
    """All checks of the kit: `class TestAcme(AdapterSuite): adapter = Acme`.

    What lies in the adapter's `fixtures/` is all that is needed. A class may say more: another `folder`, a
    `vendor` (a function that makes an httpx transport) instead of scripted answers, the vendor's
    `description`, or whatever `fixtures/subject.toml` could say, as `declared`.

    Checks of a tier that the manifest does not claim are run, too; what fails there is no failure.
    """

    adapter: ClassVar[type[Adapter]]
    folder: ClassVar[Path | None] = None
    vendor: ClassVar[Callable[[], httpx.AsyncBaseTransport] | None] = None
    description: ClassVar[Path | None] = None
    declared: ClassVar[dict[str, Any]] = {}
    _subject: ClassVar[Subject]

    @classmethod
    def subject(cls) -> Subject:
        """What is tested."""
        if "_subject" not in cls.__dict__:
            vendor = cls.__dict__.get("vendor")
            cls._subject = Subject(
                cls.adapter,
                folder=cls.folder,
                vendor=vendor.__func__ if isinstance(vendor, staticmethod) else vendor,
                description=cls.description,
                **cls.declared,
            )
        return cls._subject

    def run_check(self, each: Check, file: str, keep: Callable[[Result], None]) -> None:
        """Run one check and tell pytest how it ended."""
        subject = self.subject()
        result = _in_a_loop_of_its_own(each, subject, file)
        keep(result)
        claimed = TIERS.index(subject.adapter.manifest.tier) >= TIERS.index(each.tier)
        match result.ending:
            case Ending.PASSED:
                return
            case Ending.EXEMPT | Ending.NOT_APPLICABLE:
                pytest.skip(result.detail)
            case Ending.FAILED if claimed:
                pytest.fail(f"{each.promise}\n\n{result.detail}", pytrace=False)
            case Ending.FAILED:
                pytest.xfail(f"{each.tier} is not claimed: {result.detail}")


def _in_a_loop_of_its_own(each: Check, subject: Subject, file: str) -> Result:
    """In a thread: a loop of the test run's own may be under way here."""
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(run_one(each, subject, file))))
    thread.start()
    thread.join()
    return results[0]


def _test(each: Check) -> Callable[..., None]:
    if each.per_file:

        def test(self: AdapterSuite, fixture_file: str, kept_result: Callable[[Result], None]) -> None:
            self.run_check(each, fixture_file, kept_result)

    else:

        def test(self: AdapterSuite, kept_result: Callable[[Result], None]) -> None:  # type: ignore[misc]
            self.run_check(each, "", kept_result)

    test.__doc__ = f"{each.promise} ({each.tier})"
    test.__name__ = f"test_{each.name}"
    return test


for _each in CHECKS.values():
    setattr(AdapterSuite, f"test_{_each.name}", _test(_each))
