"""The demo's own directory: fresh at every start, and never somebody else's."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import ConfigError

MARK = "this-is-a-demo"


@contextmanager
def fresh_ground(directory: Path) -> Iterator[Path]:
    """Clear `directory` and keep other demos out of it meanwhile.

    Raises ConfigError when it holds something that no demo wrote, or while another demo runs in it.
    """
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        _lock(lock.fileno(), directory)
        _clear(directory)
        directory.mkdir()
        (directory / MARK).write_text("Deskbridge clears this directory whenever the demo starts.\n")
        yield directory


def _lock(file: int, directory: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConfigError(
            f"another demo is running in {directory}; stop it, or name another place with --data-dir"
        ) from error


def _clear(directory: Path) -> None:
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / MARK).exists():
        raise ConfigError(
            f"{directory} holds something that no demo wrote; name an empty place with --data-dir"
        )
    shutil.rmtree(directory)
