"""HubSpot's own descriptions of its conversations and contacts, as one."""

import atexit
import json
import tempfile
from functools import cache
from pathlib import Path


def at(folder: Path) -> Path | None:
    """Both in one file, where they are at hand; it is removed when the process ends."""
    return _joined(folder) if (folder / "conversations-v3.json").is_file() else None


@cache
def _joined(folder: Path) -> Path:
    whole = json.loads((folder / "conversations-v3.json").read_text(encoding="utf-8"))
    text = (folder / "crm-contacts-v3.json").read_text(encoding="utf-8")
    crm = json.loads(text.replace("#/components/schemas/", "#/components/schemas/Crm"))
    whole["paths"] |= crm["paths"]
    whole["components"]["schemas"] |= {f"Crm{name}": s for name, s in crm["components"]["schemas"].items()}
    # How to log in is described in a scheme that openapi-core does not know, and warns of.
    del whole["components"]["securitySchemes"]
    for operation in (each for path in whole["paths"].values() for each in path.values()):
        operation.pop("security", None)
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    path = Path(kept.name) / "hubspot.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path
