"""No body, however mangled, brings an adapter down: it is a change, nothing, or malformed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import registry
from adapters.contract import Adapter, Webhook
from adapters.errors import WebhookRefused
from adapters.vendors import chatwoot, memory

ADAPTERS: dict[str, Adapter] = {
    "chatwoot": registry.build(
        "chatwoot", {"base_url": "https://chat.example.com", "account_id": 3, "token": "t"}
    ),
    "memory": registry.build(
        "memory", {"base_url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"}
    ),
}
FIXTURES = [
    (name, path)
    for name, package in (("chatwoot", chatwoot), ("memory", memory))
    for path in sorted((Path(str(package.__file__)).parent / "fixtures").glob("*.json"))
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, each in inside for path in _paths(each, (*here, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copied


def _survives(adapter: Adapter, body: bytes) -> None:
    webhook = Webhook(method="POST", url="", query={}, headers={}, body=body)
    try:
        adapter.receive(webhook, json.loads(body))
        adapter.parse(body)
    except WebhookRefused:
        pass


@pytest.mark.parametrize(("name", "path"), FIXTURES, ids=lambda each: getattr(each, "stem", each))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mangled_fixture(name: str, path: Path, data: st.DataObject) -> None:
    """One value of a real event replaced by any other."""
    payload = json.loads(path.read_text(encoding="utf-8"))
    where = data.draw(st.sampled_from(_paths(payload)))
    mangled = _replaced(payload, where, data.draw(JSON))
    _survives(ADAPTERS[name], json.dumps(mangled).encode())
