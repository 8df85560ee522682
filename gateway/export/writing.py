"""Writing the files of a run: as `.part` until every one of them is whole."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from gateway.export.manifest import PART, LogFile, file_name

_encoder = msgspec.json.Encoder()


class TableWriter:
    """Writes one table's file, counting as it goes; makes no file when there are no rows."""

    def __init__(self, directory: Path, table: str, run: int) -> None:
        self._table = table
        self._name = file_name(table, run)
        self._path = directory / (self._name + PART)
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._bytes = 0
        self.rows = 0

    def write(self, rows: Sequence[Any]) -> None:
        """Append rows, a line each."""
        if not rows:
            return
        if self._file is None:
            self._file = self._path.open("wb")
        lines = _encoder.encode_lines(rows)
        self._file.write(lines)
        self._digest.update(lines)
        self._bytes += len(lines)
        self.rows += len(rows)

    def finish(self) -> LogFile | None:
        """Bring the file to the disk, still as `.part`; `None` when nothing was written."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return LogFile(
            name=self._name,
            table=self._table,
            rows=self.rows,
            bytes=self._bytes,
            sha256=self._digest.hexdigest(),
        )

    def abandon(self) -> None:
        """Close and remove what was written so far."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def publish(directory: Path, files: Sequence[LogFile]) -> None:
    """Give whole files their names."""
    for file in files:
        (directory / (file.name + PART)).replace(directory / file.name)
