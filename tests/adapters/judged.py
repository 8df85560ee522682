"""Adapters whose every request is judged by the vendor's published description."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters import registry
from adapters.contract import Adapter
from adapters.testing.judge import Judge


@contextmanager
def judging(description: Path, vendor: httpx.AsyncBaseTransport, **about: Any) -> Iterator[Judge]:
    """A judge before the vendor, who finds no fault."""
    judge = Judge(description, vendor, **about)
    yield judge
    assert judge.faults == []


@asynccontextmanager
async def connected(name: str, settings: Any, vendor: httpx.AsyncBaseTransport) -> AsyncIterator[Adapter]:
    """The adapter before this vendor."""
    adapter = registry.build(name, settings, transport=vendor)
    yield adapter
    await adapter.aclose()
