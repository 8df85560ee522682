"""The shipped descriptions pass the conformance kit, each at the tier that it claims."""

from typing import ClassVar

from adapters.contract import Adapter
from adapters.testing import AdapterSuite
from adapters.vendors.doudian import Doudian
from adapters.vendors.freshdesk import Freshdesk
from adapters.vendors.inhouse import Inhouse
from adapters.vendors.meiqia import Meiqia
from adapters.vendors.sobot import Sobot
from adapters.vendors.udesk import Udesk
from adapters.vendors.zammad import Zammad


class TestDoudian(AdapterSuite):
    """抖店's orders."""

    adapter: ClassVar[type[Adapter]] = Doudian


class TestFreshdesk(AdapterSuite):
    """Freshdesk."""

    adapter: ClassVar[type[Adapter]] = Freshdesk


class TestInhouse(AdapterSuite):
    """A chat system of one's own."""

    adapter: ClassVar[type[Adapter]] = Inhouse


class TestMeiqia(AdapterSuite):
    """美洽's pushes."""

    adapter: ClassVar[type[Adapter]] = Meiqia


class TestSobot(AdapterSuite):
    """智齿 as a desk."""

    adapter: ClassVar[type[Adapter]] = Sobot


class TestUdesk(AdapterSuite):
    """Udesk as a desk."""

    adapter: ClassVar[type[Adapter]] = Udesk


class TestZammad(AdapterSuite):
    """Zammad."""

    adapter: ClassVar[type[Adapter]] = Zammad
