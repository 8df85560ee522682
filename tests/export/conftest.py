"""Fixtures of the export's tests."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from support.log import Log


@pytest.fixture
def log(engine: AsyncEngine, tmp_path: Path) -> Log:
    """A log that isn't begun yet, of this test's own database."""
    return Log(engine=engine, directory=tmp_path / "log")
