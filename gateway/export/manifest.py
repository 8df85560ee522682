"""The manifest: which files a log consists of, and how far it has come."""

import os
import re
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from config.refusal import RefusalError

SCHEMA = "deskbridge.log/1"
NAME = "manifest.json"
PART = ".part"
TABLES = ("conversations", "messages", "turns", "lease_changes", "decisions", "hand_offs", "customers")
_FILE = re.compile(rf"(?:{'|'.join(TABLES)})-(\d{{6,}})\.jsonl")


class ExportRefusedError(RefusalError):
    """The export can't go on in this directory; the message names the cure."""


class Database(Struct, frozen=True, kw_only=True):
    """Which database the log is of: the server cluster, and the database's oid in it."""

    system_identifier: str
    oid: str


class LogFile(Struct, frozen=True, kw_only=True):
    """One whole file."""

    name: str
    table: str
    rows: int
    bytes: int
    sha256: str


class Run(Struct, frozen=True, kw_only=True):
    """One run: the files with all that transactions wrote between two watermarks."""

    number: int
    from_watermark: str
    to_watermark: str
    started_at: datetime
    finished_at: datetime
    files: tuple[LogFile, ...]


class Manifest(Struct, frozen=True, kw_only=True):
    """A log: what it is of, under which terms, and its runs."""

    schema: str = SCHEMA
    database: Database
    since: datetime | None
    redacted: bool
    runs: tuple[Run, ...] = ()

    @property
    def watermark(self) -> int:
        """Up to which transaction number the log is complete."""
        return int(self.runs[-1].to_watermark) if self.runs else 0

    def with_run(self, run: Run) -> "Manifest":
        """This manifest with one run more."""
        return msgspec.structs.replace(self, runs=(*self.runs, run))


def file_name(table: str, run: int) -> str:
    """The name of a run's file."""
    return f"{table}-{run:06d}.jsonl"


def load(directory: Path) -> Manifest | None:
    """The manifest of a directory, if it has one. Raises ExportRefusedError on one that can't be read."""
    path = directory / NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ExportRefusedError(
            f"{path}: can't be read ({error}); restore it from a backup, or export into an empty directory"
        ) from error
    if found.schema != SCHEMA:
        raise ExportRefusedError(
            f"{path}: this version writes {SCHEMA}, the log is {found.schema}; export into an empty directory"
        )
    return found


def save(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step: readers see the old one or the new one."""
    part = directory / (NAME + PART)
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(directory / NAME)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make renamed files last through a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_leftovers(directory: Path, manifest: Manifest | None) -> None:
    """Remove what a run that was killed left behind; refuses files that it can't account for."""
    following = len(manifest.runs) + 1 if manifest else 0
    for path in sorted(directory.iterdir()):
        found = _FILE.fullmatch(path.name.removesuffix(PART))
        if found is None:
            continue
        if path.name.endswith(PART) or int(found[1]) == following:
            path.unlink()
        elif manifest is None or int(found[1]) > following:
            raise ExportRefusedError(
                f"{path}: the manifest doesn't know this file; restore {NAME} from a backup,"
                " or export into an empty directory"
            )
