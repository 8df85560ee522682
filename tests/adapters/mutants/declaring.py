"""Adapters that say something wrong of themselves."""

# ruff: noqa: D102 - each overrides what the class's one line tells of

import asyncio
from typing import Any, ClassVar

from adapters.manifest import Capability, Settings
from adapters.signatures import Signature
from adapters.vendors.memory.adapter import Memory
from mutants.breaking import Mutant, able, replace, seen_by


@seen_by("manifest")
class NoReadme(Mutant):
    """There is no README beside this file."""

    manifest = Memory.manifest


@seen_by("exemptions")
class VagueExemption(Mutant):
    """An exemption without a reason."""

    manifest = replace(Memory.manifest, exemptions={"nulls": "later"})


@seen_by("exemptions")
class MisspeltExemption(Mutant):
    """An exemption from nothing."""

    manifest = replace(Memory.manifest, exemptions={"nuls": "The vendor never sends any, we were told."})


@seen_by("settings")
class NoAddress(Mutant):
    """Paths that lead nowhere."""

    manifest = Memory.manifest

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        return {"headers": {"Authorization": settings["token"]}}


@seen_by("declared_signature")
class Unsigned(Mutant):
    """Anybody may speak for the vendor."""

    manifest = Memory.manifest
    signature: ClassVar[Signature | None] = None


@seen_by("declared_signature")
class StrangeSecret(Mutant):
    """The secret is in a field that isn't there."""

    manifest = replace(Memory.manifest, fields=Memory.manifest.fields[:2])


@seen_by("only_a_translator")
class Waits(Mutant):
    """It has a retry of its own."""

    manifest = Memory.manifest

    async def check(self) -> str:
        await asyncio.sleep(0)
        return await super().check()


@seen_by("useful", "complete")
class Mute(Mutant):
    """It can't find its replies."""

    manifest = able(without=(Capability.FIND_MESSAGE,))


@seen_by("requests_valid")
class Undescribed(Mutant):
    """Nobody says what the vendor takes."""

    manifest = replace(Memory.manifest, exemptions={})
