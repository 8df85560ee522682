"""The checks, in the order in which an author meets them."""

from adapters.testing.checks import declaring, signing, reading, mangling, asking  # noqa: F401, I001 - their order is the report's
from adapters.testing.checks import sending, failing, judging, describing  # noqa: F401 - likewise
