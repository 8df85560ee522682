"""The conformance kit: `class TestAcme(AdapterSuite): adapter = Acme` (docs: the reference of the kit)."""

from adapters.testing.suite import AdapterSuite

__all__ = ["AdapterSuite"]
