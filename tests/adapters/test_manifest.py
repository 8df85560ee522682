"""Manifests and the settings checked against them."""

from pathlib import Path
from typing import Any

import pytest

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Fatal, InvalidSettings, Unsupported
from adapters.manifest import Capability, Field, Label, Manifest, Role, Settings, Tier
from adapters.model import Author, FindCustomer, Identity, IdentityKind, Note, PullKind, Reply


def field(name: str, **options: Any) -> Field:
    """A field labelled with its own name."""
    return Field(name=name, label=Label(en=name.title(), zh=f"{name}（中）"), **options)


MANIFEST = Manifest(
    title="Acme",
    roles=(Role.HELPDESK,),
    auth="token",
    tier=Tier.BRONZE,
    capabilities=frozenset({Capability.REPLY}),
    fields=(
        field("base_url", type="url"),
        field("token", secret=True, help=Label(en="Profile, Access token", zh="个人资料")),
        field("hook_secret", secret=True, required=False),
        field("account", type="integer", required=False),
        field("polite", type="flag", default=True),
        field("channel", default="chat", choices=("chat", "email")),
    ),
)
GOOD: dict[str, Any] = {"base_url": "https://acme.example/", "token": "t-1"}


def settings(**changed: Any) -> Settings:
    """The settings of the connection `shop`."""
    given = {name: value for name, value in {**GOOD, **changed}.items() if value is not ...}
    return Settings(MANIFEST, given, connection="shop")


def test_good_settings_are_normalised() -> None:
    """Defaults are filled in, addresses lose their last slash, numbers may be texts."""
    good = settings(account="42")
    assert good["base_url"] == "https://acme.example"
    assert (good["account"], good["polite"], good["channel"]) == (42, True, "chat")
    assert settings()["account"] is None


def test_a_secret_may_be_one_or_several() -> None:
    """All active ones are returned; indexing gives the first."""
    assert settings().secrets("token") == ("t-1",)
    rotated = settings(token=["t-2", "t-1"])
    assert rotated.secrets("token") == ("t-2", "t-1")
    assert rotated["token"] == "t-2"
    assert settings().secrets("hook_secret") == ()
    assert settings()["hook_secret"] is None


def test_secrets_are_masked() -> None:
    """In `repr`, and so in logs and tracebacks."""
    shown = repr(settings(token=["t-2", "t-1"]))
    assert "t-1" not in shown
    assert "t-2" not in shown
    assert "https://acme.example" in shown


@pytest.mark.parametrize(
    ("changed", "field_name", "cure"),
    [
        ({"token": ...}, "token", "is missing; set 'Token' (token（中）): Profile, Access token"),
        ({"token": ""}, "token", "is missing"),
        ({"token": []}, "token", "is missing"),
        ({"token": 5}, "token", "quote it"),
        ({"token": ["a", ""]}, "token", "non-empty"),
        ({"tokne": "x"}, "tokne", "did you mean token?"),
        ({"colour": "x"}, "colour", "there are: base_url, token"),
        ({"base_url": "acme.example"}, "base_url", "starts with https://"),
        ({"account": "four"}, "account", "a whole number"),
        ({"account": True}, "account", "a whole number"),
        ({"polite": "yes"}, "polite", "true or false"),
        ({"channel": "phone"}, "channel", "one of chat, email"),
        ({"channel": 5}, "channel", "one of chat, email"),
    ],
)
def test_bad_settings_name_connection_field_and_cure(
    changed: dict[str, Any], field_name: str, cure: str
) -> None:
    """So that the operator needs no documentation to mend them."""
    with pytest.raises(InvalidSettings) as caught:
        settings(**changed)
    for part in ("'shop'", "Acme", field_name, cure):
        assert part in caught.value.detail
    assert isinstance(caught.value, Fatal)


def test_an_error_never_shows_a_secret() -> None:
    """Not even a malformed one."""
    with pytest.raises(InvalidSettings) as caught:
        settings(token=["t-1", 5])
    assert "t-1" not in caught.value.detail


UNPUBLISHED = {"sunshine": "answers 429 and publishes no rate, so the engine backs off"}
"""The shipped adapters that declare no limits, and why."""


@pytest.mark.parametrize("name", sorted({*registry.names()} - {"http"}))  # which is what its file says
def test_every_shipped_manifest_is_complete(name: str) -> None:
    """Title, roles, limits where the vendor publishes any, and labels in both languages."""
    manifest = registry.get(name).manifest
    assert manifest.title
    assert manifest.roles
    assert bool(manifest.limits) == (name not in UNPUBLISHED)
    assert all(limit.requests > 0 and limit.window.total_seconds() > 0 for limit in manifest.limits)
    assert len({limit.name for limit in manifest.limits}) == len(manifest.limits)
    assert all(each.label.en and each.label.zh for each in manifest.fields)
    assert any(each.secret for each in manifest.fields)


class Silent(Adapter):
    """An adapter that can do nothing yet."""

    manifest = MANIFEST

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """Its address."""
        return {"base_url": settings["base_url"]}

    async def check(self) -> str:
        """Nobody."""
        return ""

    def receive(self, webhook: Any, payload: Any) -> Any:
        """Nothing."""

    def parse(self, body: bytes) -> tuple[()]:  # noqa: ARG002
        """Nothing."""
        return ()


async def test_whatever_is_not_implemented_is_unsupported() -> None:
    """Every option is unsupported until a vendor implements it."""
    silent = Silent(settings=settings(), http=None)  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match="Acme cannot Note"):
        await silent.push(Note(key="k", conversation_id="1", text="x"))
    with pytest.raises(Unsupported):
        await silent.push(Reply(key="k", conversation_id="1", text="x", author=Author.AI))
    with pytest.raises(Unsupported, match="messages"):
        await silent.pull(PullKind.MESSAGES, None)
    with pytest.raises(Unsupported, match="FindCustomer"):
        await silent.find(FindCustomer(identity=Identity(IdentityKind.EMAIL, "a@example.com")))


def test_a_missing_manifest_is_named() -> None:
    """At import, with the path where it should lie."""
    with pytest.raises(TypeError, match=r"manifest\.toml is missing"):
        type("Bare", (Adapter,), {"__module__": __name__})


def test_an_unreadable_manifest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt key is refused, too."""
    path = tmp_path / "manifest.toml"
    monkeypatch.setattr("inspect.getfile", lambda _: str(tmp_path / "adapter.py"))
    for text, cure in (
        ("titel = 'x'", "did you mean title"),
        ("title = 'x'\nroles = [", "line 2|end of document"),
        ("contract = 7\nnovel = 1", "upgrade Deskbridge"),
        (f"{_LEAST}capabilities = ['replay']", "did you mean reply"),
        (f"{_LEAST}capabilities = []\n[[limits]]\nrequest = 1", "did you mean requests"),
        (f"{_LEAST}capabilities = []\nexemption = {{}}", "did you mean exemptions"),
    ):
        path.write_text(text)
        with pytest.raises(TypeError, match=f"is not a manifest.*{cure}"):
            Manifest.beside(Silent)


_LEAST = "title = 'x'\nroles = ['desk']\nauth = 'none'\ntier = 'bronze'\n"
