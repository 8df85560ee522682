"""Checking a log against its manifest: nothing missing, nothing changed, no gap between runs."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from gateway.export import manifest as manifests
from gateway.export.manifest import ExportRefusedError, LogFile, Manifest

_CHUNK = 1 << 20
Advance = Callable[[int], None]


def open_log(directory: Path) -> Manifest:
    """The manifest of a log. Raises ExportRefusedError when there is none."""
    found = manifests.load(directory)
    if found is None:
        raise ExportRefusedError(f"{directory}: there is no {manifests.NAME} here; name a log's directory")
    return found


def verify(directory: Path, manifest: Manifest, advance: Advance = lambda _bytes: None) -> list[str]:
    """What is wrong with the log, in words; empty when all is well. `advance` is told of bytes read."""
    problems = list(_gaps(manifest))
    for run in manifest.runs:
        for file in run.files:
            problems += _check(directory / file.name, file, advance)
    return problems


def _gaps(manifest: Manifest) -> Iterator[str]:
    for earlier, later in pairwise(manifest.runs):
        if earlier.to_watermark != later.from_watermark or later.number != earlier.number + 1:
            yield f"runs {earlier.number} and {later.number} don't meet: something between them is missing"


def _check(path: Path, file: LogFile, advance: Advance) -> Iterator[str]:
    digest, size, lines = hashlib.sha256(), 0, 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
                advance(len(chunk))
    except OSError as error:
        yield f"{file.name}: {error.strerror}"
        return
    if size != file.bytes:
        yield f"{file.name}: {size} bytes, the manifest says {file.bytes}"
    elif digest.hexdigest() != file.sha256:
        yield f"{file.name}: its checksum is not the manifest's"
    if lines != file.rows:
        yield f"{file.name}: {lines} rows, the manifest says {file.rows}"
