"""The pytest plugin, found through the entry point `pytest11`: nothing is needed in a conftest."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapters.testing.running import Result

_PROPERTY = "deskbridge_check"


class _Summary:
    """Gathers what the checks of all suites came to, also from the processes of pytest-xdist."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[str, str, str]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test left in its report."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    suite, *result = str(value).split("|")
                    check, tier, ending = result
                    self.found.setdefault(suite, []).append((check, tier, ending))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which tier every adapter earned, as far as its checks were run."""
        for suite, results in sorted(self.found.items()):
            from adapters.testing.running import earned  # noqa: PLC0415 - only who has suites pays for it

            failed = {(check, tier) for check, tier, ending in results if ending == "failed"}
            reached = earned(tier for _, tier in failed)
            lacks = f"; not passed: {', '.join(sorted(check for check, _ in failed))}" if failed else ""
            terminalreporter.write_line(f"{suite}: {reached or 'no tier'}{lacks}")


def pytest_configure(config: pytest.Config) -> None:
    """Gather, where the reports arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Summary(), "deskbridge-summary")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each fixture file of a suite's adapter."""
    if "fixture_file" in metafunc.fixturenames and hasattr(metafunc.cls, "subject"):
        metafunc.parametrize("fixture_file", sorted(metafunc.cls.subject().webhooks))


@pytest.fixture
def kept_result(request: pytest.FixtureRequest) -> Callable[["Result"], None]:
    """Where a suite leaves what a check came to, for the summary."""
    suite = f"{request.cls.__module__}::{request.cls.__qualname__}"

    def keep(result: "Result") -> None:
        told = f"{suite}|{result.check}|{result.tier}|{result.ending}"
        request.node.user_properties.append((_PROPERTY, told))

    return keep
