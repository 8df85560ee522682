"""The shipped adapters pass the conformance kit, each at the tier that it claims."""

import os
from pathlib import Path
from typing import ClassVar

import pytest
from vendors import hubspot_description, zendesk_description

from adapters.contract import Adapter
from adapters.testing import AdapterSuite
from adapters.vendors.chatwoot.adapter import Chatwoot
from adapters.vendors.hubspot.adapter import Hubspot
from adapters.vendors.intercom.adapter import Intercom
from adapters.vendors.memory.adapter import Memory
from adapters.vendors.qiyu.adapter import Qiyu
from adapters.vendors.sunshine.adapter import Sunshine
from adapters.vendors.zendesk.adapter import Zendesk
from gateway.authoring import matrix

_ROOT = Path(__file__).parents[2]
_DESCRIPTIONS = Path(os.environ.get("DESKBRIDGE_REFERENCE", _ROOT.parent / "shared")) / "vendor-specs"


def description(place: str) -> Path | None:
    """A vendor's own description, where the reference material is at hand."""
    path = _DESCRIPTIONS / place
    return path if path.is_file() else None


class TestMemory(AdapterSuite):
    """The reference helpdesk."""

    adapter: ClassVar[type[Adapter]] = Memory


class TestChatwoot(AdapterSuite):
    """Chatwoot."""

    adapter: ClassVar[type[Adapter]] = Chatwoot
    description: ClassVar[Path | None] = description("chatwoot/swagger-4.13.0.json")


class TestQiyu(AdapterSuite):
    """网易七鱼; nobody publishes a description of its interface."""

    adapter: ClassVar[type[Adapter]] = Qiyu


class TestZendesk(AdapterSuite):
    """Zendesk Support, before its description with what it forgot."""

    adapter: ClassVar[type[Adapter]] = Zendesk
    description: ClassVar[Path | None] = zendesk_description.at(description("zendesk/support-oas-2.0.0.json"))


class TestSunshine(AdapterSuite):
    """Zendesk messaging."""

    adapter: ClassVar[type[Adapter]] = Sunshine
    description: ClassVar[Path | None] = description("sunshine/openapi-17.12.1.yaml")


class TestIntercom(AdapterSuite):
    """Intercom."""

    adapter: ClassVar[type[Adapter]] = Intercom
    description: ClassVar[Path | None] = description("intercom/api.intercom.io-2.16.yaml")


class TestHubspot(AdapterSuite):
    """HubSpot Conversations."""

    adapter: ClassVar[type[Adapter]] = Hubspot
    description: ClassVar[Path | None] = hubspot_description.at(_DESCRIPTIONS / "hubspot")


@pytest.mark.parametrize("name", [each.name for each in matrix.entries(shipped=True) if each.name != "http"])
def test_what_a_shipped_adapter_claims_holds_wherever_it_is_installed(name: str) -> None:
    """`deskbridge adapters test` needs nothing but the package to say so."""
    report = matrix.examine(name)
    assert report.holds, report.faults(up_to=report.claimed)
