"""What each adapter can do: declared in its manifest, and its tier earned by running the conformance kit."""

import asyncio
import os
from importlib.metadata import entry_points
from pathlib import Path

from msgspec import Struct

from adapters import registry
from adapters.errors import BrokenAdapter, Fatal
from adapters.manifest import Capability, Manifest, Tier
from adapters.model import CHANNELS, Channel
from adapters.testing.running import Report, run
from adapters.testing.subject import Subject

_SHIPPED = "deskbridge"


class Entry(Struct, frozen=True, kw_only=True):
    """One installed adapter; `broken` says why it can't be used."""

    name: str
    source: str
    manifest: Manifest | None = None
    broken: str = ""
    made: bool = False
    """What it can do is known only with a connection's settings."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.manifest.title if self.manifest else self.name


def entries(*, shipped: bool = False) -> list[Entry]:
    """All installed adapters, or only those that come with Deskbridge."""
    found = []
    for entry in sorted(entry_points(group=registry.GROUP), key=lambda each: each.name):
        if shipped and not (entry.dist and entry.dist.name == _SHIPPED):
            continue
        source = registry.source_of(entry)
        try:
            adapter = registry.get(entry.name)
        except BrokenAdapter as error:
            found.append(Entry(name=entry.name, source=source, broken=error.detail))
        else:
            made = "of" in vars(adapter)
            found.append(Entry(name=entry.name, source=source, manifest=adapter.manifest, made=made))
    return found


def examine(name: str) -> Report:
    """Run the conformance kit on an installed adapter, or on one that a YAML file describes.

    Raises:
        Fatal: there is none, or it is broken.
    """
    if name.endswith((".yaml", ".yml")):
        return asyncio.run(run(Subject(registry.get("http", {"description": name}))))
    if os.sep in name or (Path(name).is_dir() and name not in registry.names()):
        raise Fatal(f"{name} is no adapter's name: name an installed one, or a description's file (.yaml)")
    adapter = registry.get(name)
    if "of" in vars(adapter):
        raise Fatal(f"the adapter {name!r} is made of a description: name its file, such as acme.yaml")
    return asyncio.run(run(Subject(adapter)))


def table(every: list[Entry]) -> tuple[list[str], list[list[str]]]:
    """Capabilities down, adapters across: `●` where one has it."""
    working = [each for each in every if each.manifest and not each.made]
    rows = [
        [
            capability.value,
            *("●" if each.manifest and each.manifest.can(capability) else "" for each in working),
        ]
        for capability in Capability
    ]
    return ["", *(each.name for each in working)], rows


def channels(every: list[Entry]) -> tuple[list[str], list[list[str]]]:
    """Channels down, adapters across: `●` where the vendor tells of one, `○` where a setting can say it."""
    working = [each for each in every if each.manifest and not each.made]
    rows = [[channel.value, *(_told(each.manifest, channel) for each in working)] for channel in CHANNELS]
    return ["", *(each.name for each in working)], rows


def _told(manifest: Manifest | None, channel: Channel) -> str:
    if manifest is None:
        return ""
    return "●" if channel in manifest.channels else "○" if channel in manifest.set_channels else ""


def tier_of(report: Report) -> str:
    """The tier that a report proves, in words."""
    earned: Tier | None = report.earned
    return earned.value if earned else "none"
