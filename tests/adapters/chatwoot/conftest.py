"""A made-up Chatwoot account, its own description between us and it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from judged import judging
from support.chatwoot_description import amend
from support.fake_chatwoot import FakeChatwoot

from adapters.testing.judge import Judge


@pytest.fixture
def chatwoot() -> FakeChatwoot:
    """The other side."""
    return FakeChatwoot()


@pytest.fixture
def judge(reference: Path, chatwoot: FakeChatwoot) -> Iterator[Judge]:
    """Chatwoot's description between us and it."""
    description = reference / "vendor-specs" / "chatwoot" / "swagger-4.13.0.json"
    with judging(description, chatwoot, amend=amend) as judge:
        yield judge
