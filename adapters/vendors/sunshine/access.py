"""Where an app's API lies, and how we sign in: with the key itself, or with a token signed with it."""

import base64
from urllib.parse import urlsplit

import jwt

from adapters.manifest import Settings

_SCOPES = {"app": "app", "int": "integration", "act": "account", "svc": "account"}


def address(settings: Settings) -> str:
    """The API's address; a Zendesk subdomain has it under `/sc`."""
    base: str = settings["base_url"]
    place = urlsplit(base)
    return f"{base}/sc" if place.netloc.endswith(".zendesk.com") and not place.path else base


def authorization(settings: Settings) -> str:
    """The header's value. A token says what its key is for, which the key's id begins with."""
    key_id, secret = settings["key_id"], settings["key_secret"]
    if settings["auth"] == "jwt":
        scope = {"scope": _SCOPES.get(key_id.partition("_")[0], "app")}
        return f"Bearer {jwt.encode(scope, secret, algorithm='HS256', headers={'kid': key_id})}"
    return f"Basic {base64.b64encode(f'{key_id}:{secret}'.encode()).decode()}"
