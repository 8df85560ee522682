"""The pytest plugin, found through the entry point `pytest11`: nothing is needed in a conftest."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapters.testing.running import Result

_RESULTS = pytest.StashKey[dict[str, list["Result"]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what suites find."""
    config.stash[_RESULTS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each fixture file of a suite's adapter."""
    if "fixture_file" in metafunc.fixturenames and hasattr(metafunc.cls, "subject"):
        metafunc.parametrize("fixture_file", sorted(metafunc.cls.subject().webhooks))


@pytest.fixture
def kept_result(request: pytest.FixtureRequest) -> Callable[["Result"], None]:
    """Where a suite leaves what a check found, for the summary."""
    name = f"{request.cls.__module__}::{request.cls.__qualname__}"
    return request.config.stash[_RESULTS].setdefault(name, []).append


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Which tier every adapter earned, as far as its checks were run."""
    for name, results in sorted(config.stash[_RESULTS].items()):
        from adapters.testing.running import earned  # noqa: PLC0415 - only who has suites pays for it

        reached = earned(tuple(results))
        open_ = sorted({each.check for each in results if each.ending == "failed"})
        lacks = f"; not passed: {', '.join(open_)}" if open_ else ""
        terminalreporter.write_line(f"{name}: {reached or 'no tier'}{lacks}")
