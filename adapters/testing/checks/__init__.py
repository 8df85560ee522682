"""The checks, in the order in which an author meets them."""

# ruff: noqa: F401, I001 - their order is the report's
from adapters.testing.checks import declaring, signing, reading, mangling, asking
from adapters.testing.checks import placing, sending, failing, judging, describing
