"""A made-up app of Zendesk messaging, its own description between us and it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from judged import connected, judging
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import settings

from adapters.contract import Adapter
from adapters.testing.judge import Judge


@pytest.fixture
def sunshine() -> FakeSunshine:
    """The other side; pages of its message lists are short."""
    return FakeSunshine(page_size=4)


@pytest.fixture
def judge(reference: Path, sunshine: FakeSunshine) -> Iterator[Judge]:
    """The published description between us and it."""
    with judging(
        reference / "vendor-specs/sunshine/openapi-17.12.1.yaml", sunshine, base_path="/sc"
    ) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("sunshine", settings(), judge) as adapter:
        yield adapter
