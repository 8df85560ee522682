"""What the checks on the house itself look at: the files that git tracks."""

import subprocess
from pathlib import Path

import pytest
from support.repository import ROOMS, ROOT


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every tracked file that is still there, as in a clean checkout."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def modules() -> list[Path]:
    """The product's Python files; migrations are written once and never grow."""
    return [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.relative_to(ROOT).parts
    ]
