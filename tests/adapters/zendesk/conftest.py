"""A Zendesk with one ticket, its own description between us and it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from judged import connected, judging
from vendors.zendesk import CUSTOMER, FakeZendesk, Raw
from vendors.zendesk_description import amended
from zendesk_said import BASE

from adapters.contract import Adapter
from adapters.testing.judge import Judge


@pytest.fixture
def zendesk() -> FakeZendesk:
    """The other side."""
    return FakeZendesk(page_size=3)


@pytest.fixture
def ticket(zendesk: FakeZendesk) -> Raw:
    """A ticket with one comment of its requester's."""
    made = zendesk.new_ticket(CUSTOMER, "包裹")
    zendesk.comment(made, {"body": "我的包裹呢？"}, actor=CUSTOMER)
    return made


@pytest.fixture
def judge(reference: Path, zendesk: FakeZendesk) -> Iterator[Judge]:
    """Zendesk's description between us and it."""
    with judging(
        amended(reference / "vendor-specs" / "zendesk" / "support-oas-2.0.0.json"), zendesk
    ) as judge:
        yield judge


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement."""
    async with connected("zendesk", BASE, judge) as adapter:
        yield adapter
