"""What there is in the made-up app of Zendesk messaging, and what it refuses."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt

Raw = dict[str, Any]

APP = "6543f0c1a2b3c4d5e6f70819"
KEY_ID = "app_68a0eeee0000000000000001"
KEY_SECRET = "sunshine-key-secret-of-the-made-up-app"
WEBHOOK_SECRET = "sunshine-webhook-secret"
STARTED = datetime(2026, 11, 14, 11, 0, tzinfo=UTC)
_METADATA_LIMIT = 4096


def settings(base_url: str = "https://sailing.zendesk.com/sc") -> Raw:
    """The settings of a connection to this app."""
    return {
        "base_url": base_url,
        "app_id": APP,
        "key_id": KEY_ID,
        "key_secret": KEY_SECRET,
        "webhook_secret": WEBHOOK_SECRET,
        "integration": "deskbridge",
    }


def integration(number: int, name: str, kind: str, to: int | None = None) -> Raw:
    """A switchboard integration; `to` is where `next` leads."""
    return {
        "id": f"68a0aaaa{number:016x}",
        "name": name,
        "integrationId": f"68a0bbbb{number:016x}",
        "integrationType": kind,
        "deliverStandbyEvents": True,
        **({"nextSwitchboardIntegrationId": f"68a0aaaa{to:016x}"} if to else {}),
    }


OURS = integration(1, "deskbridge", "custom", 2)
WORKSPACE = integration(2, "zd-agentWorkspace", "zd:agentWorkspace", 1)
ANSWER_BOT = integration(3, "zd-answerBot", "zd:answerBot", 1)


class Refused(Exception):  # noqa: N818 - it is an answer
    """The request is answered with an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class Thread:
    """A conversation; messages are shaped as the REST API shapes them."""

    id: str
    user: Raw
    source: Raw
    active: Raw | None
    pending: Raw | None = None
    metadata: Raw = field(default_factory=dict)
    messages: list[Raw] = field(default_factory=list)
    full: bool = False

    def told(self) -> Raw:
        """As webhooks tell it: cut short."""
        held = {"activeSwitchboardIntegration": self.active, "pendingSwitchboardIntegration": self.pending}
        shown = {name: named(each) for name, each in held.items() if each}
        return {"id": self.id, "type": "personal", "metadata": dict(self.metadata), **shown}

    def shown(self) -> Raw:
        """As the REST API shows it."""
        latest = self.messages[-1]["received"] if self.messages else iso(STARTED)
        return self.told() | {"isDefault": True, "createdAt": iso(STARTED), "lastUpdatedAt": latest}


def require_key(request: httpx.Request) -> None:
    """Refuse whoever has no key of the app."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind == "Bearer":
        good = jwt.get_unverified_header(value).get("kid") == KEY_ID and jwt.decode(
            value, KEY_SECRET, algorithms=["HS256"]
        ) == {"scope": "app"}
    else:
        good = value == base64.b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode()
    if not good:
        raise Refused(401, "unauthorized")


def require_flat(metadata: Raw | None) -> None:
    """Refuse metadata that is deep or large."""
    for value in (metadata or {}).values():
        if not isinstance(value, str | int | float):
            raise Refused(400, "metadata_is_not_flat")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > _METADATA_LIMIT:
        raise Refused(400, "metadata_too_large")


def named(each: Raw) -> Raw:
    """An integration, as others see it."""
    return {name: each[name] for name in ("id", "name", "integrationId", "integrationType")}


def name_of(user: Raw) -> str:
    """What a user is called."""
    names = (user["profile"].get(part) for part in ("givenName", "surname"))
    return " ".join(filter(None, names))


def iso(at: datetime) -> str:
    """A moment, as the API writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
