"""Finding, loading and building adapters."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import httpx
import pytest
from msgspec import structs

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import BrokenAdapter, Fatal, InvalidSettings
from adapters.manifest import Settings
from adapters.vendors.memory.adapter import Memory

SETTINGS = {"base_url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"}

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Add entry points to those that are installed."""

    def add(**extra: str) -> None:
        known = registry.entry_points(group=registry.GROUP)
        added = [EntryPoint(name, value, registry.GROUP) for name, value in extra.items()]
        monkeypatch.setattr(
            registry, "entry_points", lambda **wanted: EntryPoints([*known, *added]).select(**wanted)
        )

    return add


def test_the_shipped_adapters_are_installed() -> None:
    """Through the same entry-point group as anybody's."""
    assert {"chatwoot", "memory"} <= set(registry.names())
    assert registry.get("memory") is Memory


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("no.such.module:Thing", "there is no module no: mend the entry point in its pyproject.toml"),
        ("adapters.contract:Adaptr", "holds no Adaptr; did you mean Adapter\\? If so, mend the entry point"),
        ("adapters.contract:Xyz", "adapters.contract holds no Xyz; mend the entry point"),
        ("adapters/contract.py", "is no entry point: write it as package.module:Class"),
        ("adapters.contract", "is no Adapter class: name one, as in package.module:Class"),
        ("json:dumps", "inherits from adapters.contract.Adapter"),
        ("httpx:AsyncClient", "inherits from adapters.contract.Adapter"),
        ("adapters.contract:Adapter", "define its abstract methods check, endpoint, parse, receive"),
    ],
)
def test_a_broken_adapter_harms_nobody_else(install: Install, value: str, cure: str) -> None:
    """It is listed, its own use is fatal and says why and what to do, and the others still load."""
    install(broken=value)
    assert "broken" in registry.names()
    with pytest.raises(Fatal, match=f"'broken'.*{cure}"):
        registry.get("broken")
    assert registry.get("memory") is Memory


def test_an_unknown_adapter_is_answered_by_what_was_meant() -> None:
    """Or by all that there are, where it resembles none."""
    with pytest.raises(Fatal, match=r"no adapter is called 'memroy'; did you mean memory\?"):
        registry.get("memroy")
    with pytest.raises(Fatal, match="there are: chatwoot, doudian"):
        registry.get("x")


def test_two_of_one_name_are_none(install: Install) -> None:
    """Nobody knows which of them is meant; the others go on."""
    install(chatwoot="adapters.vendors.memory.adapter:Memory")
    with pytest.raises(BrokenAdapter, match="several installed adapters are called 'chatwoot'"):
        registry.get("chatwoot")
    assert registry.get("memory") is Memory


async def test_build_makes_a_client_of_the_adapters_endpoint() -> None:
    """Address, credentials, time-outs."""
    adapter = registry.build("memory", SETTINGS, connection="shop")
    assert str(adapter.http.base_url) == "http://127.0.0.1:9"
    assert adapter.http.headers["authorization"] == "Bearer t"
    assert adapter.http.timeout == httpx.Timeout(10.0, connect=3.0)
    assert adapter.settings.connection == "shop"
    await adapter.aclose()
    assert adapter.http.is_closed


async def test_build_takes_the_engines_transport() -> None:
    """Breaker and budget wrap around the vendor."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"name": "bot"})

    adapter = registry.build("memory", SETTINGS, transport=httpx.MockTransport(respond))
    assert await adapter.check() == "bot"
    assert len(seen) == 1
    await adapter.aclose()


@pytest.mark.parametrize("changed", [{"token": None}, {"colour": "red"}])
def test_build_refuses_bad_settings(changed: dict[str, Any]) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidSettings, match="'shop'"):
        registry.build("memory", {**SETTINGS, **changed}, connection="shop")


@pytest.mark.parametrize(
    ("token", "cure"),
    [
        ("abc\n", "token has a space or a line break at its end, or within: copy it again"),
        ("a\tb-secret", "token has a space or a line break"),
        ("to\u200bken", "token has a space or a line break"),
        ("令牌", "its credentials can't be sent; copy them again"),
    ],
)
def test_a_secret_that_was_copied_badly_is_refused_without_being_shown(token: str, cure: str) -> None:
    """No vendor is asked with it, and no message holds it."""
    with pytest.raises(InvalidSettings, match=cure) as caught:
        registry.build("memory", {**SETTINGS, "token": token}, connection="shop")
    assert token.strip() not in str(caught.value)


def test_a_key_of_several_lines_is_a_secret_too() -> None:
    """As private keys are."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"
    built = registry.build("memory", {**SETTINGS, "webhook_secret": key})
    assert built.settings["webhook_secret"] == key


@pytest.mark.parametrize("address", ["https://exa mple.org:x", "http://[::1"])
def test_an_address_that_is_none_is_a_matter_of_settings(address: str) -> None:
    """Not of the adapter."""
    with pytest.raises(InvalidSettings, match="its address can't be used"):
        registry.build("memory", {**SETTINGS, "base_url": address}, connection="shop")


class Leaking(Memory):
    """An adapter that breaks with what it was given."""

    manifest = Memory.manifest

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """Never."""
        raise ValueError(f"what shall I do with {settings['token']}?")


def test_a_breaking_adapter_is_told_by_its_line_without_secrets(install: Install) -> None:
    """Whoever wrote it finds the place; whoever reads the log finds no token."""
    install(leaking=f"{__name__}:Leaking")
    with pytest.raises(BrokenAdapter, match=r"with •••\?.*test_registry\.py:\d+, in endpoint") as caught:
        registry.build("leaking", {**SETTINGS, "token": "tok-4711"}, connection="shop")
    assert "4711" not in str(caught.value)


class Shaped(Memory):
    """An adapter that its settings make."""

    manifest = Memory.manifest

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> type[Adapter]:
        """The reference helpdesk, called as the settings want it."""
        made = structs.replace(Memory.manifest, title=settings["title"])
        return type("Made", (Memory,), {"manifest": made, "__module__": Memory.__module__})


def test_an_adapter_may_be_made_of_its_settings(install: Install) -> None:
    """Then what it declares is known only with them; others are what they are."""
    install(shaped=f"{__name__}:Shaped")
    assert registry.get("shaped", {"title": "Acme"}).manifest.title == "Acme"
    assert registry.get("memory", {"title": "Acme"}) is Memory
