"""The command as a user has it: a process, a settings file, a database."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Ran = subprocess.CompletedProcess[str]
Command = Callable[..., Ran]
_LIMIT = 60


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file; tests write into it what they need."""
    path = tmp_path / "deskbridge.yaml"
    path.write_text("answers: {threshold: 0.5}\n")
    return path


@pytest.fixture
def run(config: Path, tmp_path: Path) -> Command:
    """Runs `deskbridge …`; `database` is the address to work on."""

    def run(*arguments: str | Path, database: str = "postgresql://127.0.0.1:1/none") -> Ran:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DESKBRIDGE_")}
        return subprocess.run(
            [Path(sys.executable).with_name("deskbridge"), *arguments],
            env=kept
            | {"DESKBRIDGE_DATABASE_URL": database, "DESKBRIDGE_CONFIG": str(config), "COLUMNS": "160"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )

    return run


@pytest.fixture
def refused(run: Command) -> Callable[..., str]:
    """Runs a command that must refuse; its one line of explanation."""

    def refused(*arguments: str | Path, **options: str) -> str:
        ran = run(*arguments, **options)
        assert ran.returncode == 2, (ran.stdout, ran.stderr)
        (line,) = ran.stderr.strip().splitlines()
        return line

    return refused
