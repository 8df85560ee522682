"""What every test may use, and where its processes find their compiled modules."""

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "support.bridge",
    "support.chatwoot",
    "support.connected",
    "support.database",
    "support.desk",
    "support.file_server",
    "support.handed_over",
    "support.pulling",
    "support.redis",
    "support.sunshine",
    "support.mirrored",
    "support.hubspot",
    "support.intercom",
    "support.zendesk",
]

# Tests start many processes. Where compiled modules may not lie beside their sources, each would take
# seconds to compile them all for itself.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    compiled = Path(__file__).parent.parent / ".pytest_cache" / "compiled"
    sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(compiled))
    sys.dont_write_bytecode = False

# An example takes as long as the machine is busy with other things: that is no fault.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Keep the collector off what importing made: it would walk it again in the middle of every test."""
    gc.collect()
    gc.freeze()


REFERENCE = Path(os.environ.get("DESKBRIDGE_REFERENCE", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def specs() -> Path | None:
    """The vendors' descriptions; without them, what can be proven unjudged is."""
    found = REFERENCE / "vendor-specs"
    return found if found.is_dir() else None


@pytest.fixture(scope="session")
def reference(specs: Path | None) -> Path:
    """The vendors' descriptions and recordings; tests that need them are skipped where they are absent."""
    if specs is None:
        pytest.skip(f"no reference material at {REFERENCE} (set DESKBRIDGE_REFERENCE)")
    return REFERENCE
