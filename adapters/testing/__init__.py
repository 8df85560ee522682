"""The conformance kit: `class TestAcme(AdapterSuite): adapter = Acme` (docs/reference/conformance.md)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.testing.suite import AdapterSuite

__all__ = ["AdapterSuite"]


def __getattr__(name: str) -> Any:
    """`AdapterSuite`, imported when it is asked for: only tests need pytest."""
    if name == "AdapterSuite":
        from adapters.testing.suite import AdapterSuite  # noqa: PLC0415

        return AdapterSuite
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
