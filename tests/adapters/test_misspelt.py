"""The judge would notice: one misspelt name in any request of ours, at any vendor with a description."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import chatwoot_description
from vendors import hubspot_description, zendesk_description

from adapters import registry
from adapters.testing.checks.operations import operations
from adapters.testing.judge import AgainstTheDescriptionError, Judge
from adapters.testing.subject import Subject

DESCRIBED = {
    "chatwoot": "chatwoot/swagger-4.13.0.json",
    "hubspot": "hubspot/conversations-v3.json",
    "intercom": "intercom/api.intercom.io-2.16.yaml",
    "sunshine": "sunshine/openapi-17.12.1.yaml",
    "zendesk": "zendesk/support-oas-2.0.0.json",
}
FREE = {
    "chatwoot": {"additional_attributes", "content_attributes", "custom_attributes"},
    "hubspot": {"properties"},
    "intercom": {"custom_attributes"},
    "sunshine": {"metadata"},
    "zendesk": {"metadata", "user_fields"},
}
"""Objects whose keys are ours, or the company's: the vendor takes any."""


def misspelt(value: Any, free: set[str], place: str = "") -> Iterator[tuple[str, Any]]:
    """A body with one key misspelt, for every key that the vendor has given its name."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            for where, other in misspelt(each, free, f"{place}[{index}]"):
                yield where, [*value[:index], other, *value[index + 1 :]]
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        where = f"{place}.{key}"
        yield where, {(f"{name}z" if name == key else name): held for name, held in value.items()}
        if key not in free:
            yield from ((at, {**value, key: other}) for at, other in misspelt(each, free, where))


def variants(request: httpx.Request, free: set[str]) -> Iterator[tuple[str, httpx.Request]]:
    """The request with one name misspelt: of its query, or of its body."""
    what = f"{request.method} {request.url.path}"
    for name in request.url.params:
        asked = [(f"z{n}" if n == name else n, v) for n, v in request.url.params.multi_items()]
        url = request.url.copy_with(params=asked)
        yield f"{what}?{name}", httpx.Request(request.method, url, headers=request.headers)
    if request.headers.get("content-type", "").startswith("application/json"):
        kept = {n: v for n, v in request.headers.items() if n != "content-length"}
        for where, body in misspelt(json.loads(request.content), free):
            content = json.dumps(body).encode()
            yield f"{what} {where}", httpx.Request(request.method, request.url, headers=kept, content=content)


def described(vendor: str, reference: Path) -> Path:
    """The vendor's description, with what our tests know to be missing in it."""
    path = reference / "vendor-specs" / DESCRIBED[vendor]
    made = {
        "hubspot": lambda: hubspot_description.at(path.parent),
        "zendesk": lambda: zendesk_description.at(path),
    }
    found = made[vendor]() if vendor in made else path
    assert found is not None
    return found


@pytest.mark.parametrize("vendor", DESCRIBED)
def test_any_misspelt_name_in_any_request_is_refused(vendor: str, reference: Path) -> None:
    """All that the kit has an adapter ask; each misspelling alone, before the vendor's own description."""
    subject = Subject(registry.get(vendor))
    amend = chatwoot_description.amend if vendor == "chatwoot" else lambda _: None

    def judge() -> Judge:
        responder, path = subject.vendor(), described(vendor, reference)
        return Judge(path, responder, base_path=subject.declared.base_path, amend=amend)

    async def passed() -> list[str]:
        found, tried = [], 0
        for operate in operations(subject).values():
            watching = judge()
            async with subject.opened(watching) as (adapter, _):
                await operate(adapter)
            assert watching.seen, "it asks the vendor nothing"
            for request in watching.seen:
                for what, variant in variants(request, FREE[vendor]):
                    tried += 1
                    try:
                        await judge().handle_async_request(variant)
                    except AgainstTheDescriptionError:
                        continue
                    found.append(what)
        assert tried > len(operations(subject))
        return found

    assert "\n".join(asyncio.run(passed())) == ""
