"""The short version of `make faults`: every kind of fault at least once, every promise kept."""

import pytest

from tests.faults.report import render
from tests.faults.run import run

pytestmark = pytest.mark.alone
SEED = 20260102
MINUTES = 0.6
CONVERSATIONS = 40


@pytest.mark.timeout(560)
async def test_customers_lose_nothing_whatever_breaks() -> None:
    """Nothing lost, nothing doubled, one voice; and each kind of fault did strike."""
    lines: list[str] = []
    result = await run(seed=SEED, minutes=MINUTES, conversations=CONVERSATIONS, say=lines.append)
    lines += render(result)
    print("\n".join(lines))  # noqa: T201 - pytest shows it where the test fails
    assert not result.violations, result.last_line
    assert not result.missing, f"never injected: {result.missing}"
