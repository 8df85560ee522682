"""A new adapter's folder, made from a few answers. What it makes passes the conformance kit at once."""

import re
from enum import StrEnum
from pathlib import Path
from string import Template

from msgspec import Struct

from adapters import registry
from config.refusal import RefusalError

_TEMPLATE = Path(__file__).with_name("template")
_ADDRESS = re.compile(r"https?://[^\s\"'\\/?#{}]+(?:/[^\s\"'\\?#{}]*)?")
_TITLE = re.compile(r"[^\\\x00-\x1f]*[^\\\s\x00-\x1f][^\\\x00-\x1f]*")
_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")


class ScaffoldError(RefusalError):
    """The folder can't be made; says why, and what to do."""


class Auth(StrEnum):
    """How we show a vendor who we are."""

    BEARER = "bearer"
    TOKEN = "token"  # noqa: S105 - a word
    BASIC = "basic"
    NONE = "none"


class Signing(StrEnum):
    """How a vendor shows who sent a webhook."""

    HMAC = "hmac"
    SHARED = "shared"
    NONE = "none"


class Answers(Struct, frozen=True, kw_only=True):
    """What `deskbridge adapters new` asks."""

    name: str
    title: str
    base_url: str
    auth: Auth
    signing: Signing


def make(answers: Answers, into: Path) -> Path:
    """Write the folder `into/NAME`, and return it.

    Raises:
        ScaffoldError: the name can't be one or is taken, the address is none, or the folder is there already.
    """
    require_free(answers.name)
    if not _ADDRESS.fullmatch(answers.base_url):
        raise ScaffoldError(
            f"{answers.base_url!r} is no address: begin it with https://, and end it before ? or #"
        )
    if not _TITLE.fullmatch(answers.title):
        raise ScaffoldError(f"{answers.title!r} can't be a title: write what people call it, without \\")
    folder = into / answers.name
    if folder.exists():
        raise ScaffoldError(f"{folder} is there already; choose another name, or --into another folder")
    try:
        _write(folder, _words(answers))
    except OSError as error:
        raise ScaffoldError(
            f"{folder} can't be made ({error.strerror}); name another place by --into"
        ) from error
    return folder


def require_free(name: str) -> None:
    """Refuse a name that can't be one, or is taken. Raises ScaffoldError."""
    if not _NAME.fullmatch(name):
        raise ScaffoldError(f"{name!r} can't be an adapter's name: use small letters, digits and _")
    if name in registry.names():
        raise ScaffoldError(f"an adapter {name!r} is installed already; choose another name, or uninstall it")


def _write(folder: Path, words: dict[str, str]) -> None:
    for path in sorted(_TEMPLATE.rglob("*.tmpl")):
        place = path.relative_to(_TEMPLATE).as_posix().removesuffix(".tmpl")
        target = folder / re.sub(r"^package/", f"{words['package']}/", place)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Template(path.read_text(encoding="utf-8")).substitute(words)
        target.write_text(text, encoding="utf-8")


def _words(answers: Answers) -> dict[str, str]:
    signed = answers.signing is not Signing.NONE
    lines = ["from adapters.signatures import Signature\n"] if signed else []
    return {
        "name": answers.name,
        "title": answers.title.replace('"', "'"),
        "base_url": answers.base_url.rstrip("/"),
        "package": f"deskbridge_{answers.name}",
        "class_name": "".join(part.capitalize() for part in answers.name.split("_")),
        "auth": answers.auth.value,
        "credentials": _CREDENTIALS[answers.auth],
        "credential_fields": _FIELDS[answers.auth],
        "signature": _SIGNATURES[answers.signing],
        "signature_imports": "".join([*lines, "from adapters.times import moment\n"]),
        "secret_field": _HOOK_FIELD if signed else "",
        "exemptions": "" if signed else _UNSIGNED,
    }


_CREDENTIALS = {
    Auth.BEARER: ', "headers": {"Authorization": f"Bearer {settings[\'token\']}"}',
    Auth.TOKEN: ', "headers": {"X-API-Key": settings["token"]}',
    Auth.BASIC: ', "auth": (settings["user"], settings["password"])',
    Auth.NONE: "",
}
_KEY_FIELD = """
[[fields]]
name = "token"
secret = true
label = { en = "API token", zh = "API 令牌" }
"""
_FIELDS = {
    Auth.BEARER: _KEY_FIELD,
    Auth.TOKEN: _KEY_FIELD,
    Auth.BASIC: """
[[fields]]
name = "user"
label = { en = "User", zh = "用户名" }

[[fields]]
name = "password"
secret = true
label = { en = "Password", zh = "密码" }
""",
    Auth.NONE: "",
}
_SIGNATURES = {
    Signing.HMAC: """    signature: ClassVar[Signature | tuple[Signature, ...] | None] = Signature(
        header="X-Signature",  # CHANGE: see adapters.signatures for what can be declared
        prefix="sha256=",
        signed="{timestamp}.{body}",
        timestamp_header="X-Timestamp",
    )
""",
    Signing.SHARED: """    signature: ClassVar[Signature | tuple[Signature, ...] | None] = Signature(
        header="X-Webhook-Token",  # CHANGE: where the vendor sends the secret that you gave it
        method="shared",
    )
""",
    Signing.NONE: """    signature: ClassVar[None] = None
""",
}
_HOOK_FIELD = """
[[fields]]
name = "webhook_secret"
secret = true
label = { en = "Webhook secret", zh = "Webhook 密钥" }
"""
_UNSIGNED = """
[exemptions]
declared_signature = "The vendor signs nothing and sends no secret: keep the hook's address secret."
"""
