"""Small descriptions made for a test, and a vendor that answers from a list."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from adapters import registry
from adapters.contract import Adapter

Raw = dict[str, Any]
SETTINGS: Raw = {"base_url": "https://acme.example/api", "token": "tok-acme", "webhook_secret": "s-acme"}

ACME: Raw = {
    "title": "Acme",
    "roles": ["helpdesk"],
    "tier": "bronze",
    "fields": [
        {"name": "base_url", "type": "url", "label": {"en": "Address", "zh": "地址"}},
        {"name": "token", "secret": True, "label": {"en": "Token", "zh": "令牌"}},
        {"name": "webhook_secret", "secret": True, "label": {"en": "Secret", "zh": "密钥"}},
        {"name": "bot", "required": False, "label": {"en": "Our bot", "zh": "机器人"}},
    ],
    "base_url": "${settings.base_url}",
    "auth": {"kind": "bearer", "token": "${settings.token}"},
    "check": {"get": "/me", "says": "answer.name"},
    "statuses": {2: "open", 3: "pending", 4: "resolved", 5: "resolved"},
    "records": {
        "customer": {"id": "it.id", "name": "it.name", "updated_at": "it.updated"},
        "conversation": {
            "id": "it.id",
            "status": "it.status",
            "updated_at": "it.updated",
            "assignee": {"id": "it.owner.id"},
        },
        "message": {
            "id": "it.id",
            "author": 'it.by == settings.bot ? "ai" : it.by',
            "text": "it.text",
            "sent_at": "it.at",
        },
    },
    "webhook": {
        "changes": [
            {
                "change": "message_posted",
                "when": "event.type == 'message'",
                "message": "event.message",
                "conversation": "event.ticket",
            }
        ]
    },
}


def acme(**parts: Any) -> Raw:
    """The description with some of its parts replaced; `None` takes one away."""
    return {name: value for name, value in {**ACME, **parts}.items() if value is not None}


def written(folder: Path, description: Raw | str) -> Path:
    """The description as a file."""
    path = folder / "acme.yaml"
    text = description if isinstance(description, str) else yaml.safe_dump(description, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


class Vendor(httpx.AsyncBaseTransport):
    """Answers what it is told to, one after the other; keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The next answer; the last one for ever."""
        await request.aread()
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def asked(self) -> Sequence[str]:
        """Method, path and query of each request."""
        return [f"{each.method} {each.url.raw_path.decode()}" for each in self.seen]


Connect = Callable[..., Adapter]


def connect(folder: Path, description: Raw | str, vendor: Vendor | None = None, **settings: Any) -> Adapter:
    """The adapter that a description makes, connected as an operator would."""
    path = written(folder, description)
    given = {"description": str(path), **SETTINGS, **settings}
    return registry.build("http", given, connection="acme", transport=vendor or Vendor({}))
