"""The checks, in the order in which an author meets them."""

from adapters.testing.checks import declaring, signing, reading, mangling, asking, sending, failing, judging  # noqa: F401, I001 - their order is the report's
