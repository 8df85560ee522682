"""The shipped descriptions pass the conformance kit, each at the tier that it claims."""

from typing import ClassVar

from adapters.contract import Adapter
from adapters.testing import AdapterSuite
from adapters.vendors.inhouse import Inhouse


class TestInhouse(AdapterSuite):
    """A chat system of one's own."""

    adapter: ClassVar[type[Adapter]] = Inhouse
