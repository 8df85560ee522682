"""The judge itself: it must let right requests through and refuse wrong ones, unknown keys included."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.testing.judge import AgainstTheDescriptionError, Judge

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/names/{name}": {
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {"200": {"description": "ok"}}},
        },
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "post": {
                "parameters": [
                    {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
                    {
                        "name": "filter",
                        "in": "query",
                        "style": "deepObject",
                        "explode": True,
                        "schema": {"type": "object", "properties": {"user.email": {"type": "string"}}},
                    },
                ],
                "security": [{"key": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/thing"}},
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["file"],
                                "properties": {"file": {"contentMediaType": "application/octet-stream"}},
                            }
                        },
                    },
                },
                "responses": {"200": {"description": "ok"}},
            },
        },
    },
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-key"}},
        "schemas": {
            "thing": {
                "allOf": [
                    {"$ref": "#/components/schemas/named"},
                    {
                        "type": "object",
                        "properties": {
                            "free": {"type": "object"},
                            "open": {
                                "type": "object",
                                "properties": {"a": {"type": "string"}},
                                "additionalProperties": True,
                            },
                            "map": {
                                "type": "object",
                                "additionalProperties": {
                                    "type": "object",
                                    "properties": {"n": {"type": "integer"}},
                                },
                            },
                            "list": {"type": "array", "items": {"$ref": "#/components/schemas/named"}},
                            "one": {
                                "oneOf": [{"$ref": "#/components/schemas/named"}, {"type": "null"}],
                            },
                        },
                    },
                ]
            },
            "named": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
        },
    },
}


async def _send(tmp_path: Path, body: dict[str, Any], url: str = "/v1/things/5", **headers: str) -> list[str]:
    description = tmp_path / "description.json"
    description.write_text(json.dumps(DESCRIPTION))
    responder = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    judge = Judge(description, responder, base_path="/v1")
    async with httpx.AsyncClient(transport=judge, base_url="https://acme.example") as client:
        try:
            await client.post(url, json=body, headers=headers or {"x-key": "k"})
        except AgainstTheDescriptionError as error:
            assert judge.faults
            return [str(error)]
    assert not judge.faults
    assert len(judge.seen) == 1
    return []


async def test_a_right_request_passes(tmp_path: Path) -> None:
    """Everything declared, and anything within what is declared free."""
    body = {
        "name": "n",
        "free": {"x": {"y": 1}},
        "open": {"a": "b", "c": 1},
        "map": {"k": {"n": 1}},
        "list": [{"name": "m"}],
        "one": None,
    }
    assert await _send(tmp_path, body, "/v1/things/5?dry=true&filter[user.email]=a@b.example") == []


@pytest.mark.parametrize(
    "body",
    [
        {"name": "n", "nmae": "m"},
        {"name": "n", "list": [{"name": "m", "x": 1}]},
        {"name": "n", "one": {"name": "m", "x": 1}},
        {"name": "n", "map": {"k": {"n": 1, "m": 2}}},
        {"name": 3},
        {},
    ],
)
async def test_a_wrong_body_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    """An unknown key at any depth, a wrong type, a missing key."""
    assert await _send(tmp_path, body)


@pytest.mark.parametrize(
    "url",
    [
        "/v1/things/x",
        "/v1/thing/5",
        "/things/5",
        "/v1/things/5?dryy=true",
        "/v1/things/5?filter[user.mail]=x",
    ],
)
async def test_a_wrong_address_is_refused(tmp_path: Path, url: str) -> None:
    """A wrong type in the path, an unknown path, a missing base, an unknown parameter or part of one."""
    assert await _send(tmp_path, {"name": "n"}, url)


async def test_a_slash_inside_an_id_is_no_step(tmp_path: Path) -> None:
    """What was encoded stays one part of the path."""
    description = tmp_path / "description.json"
    description.write_text(json.dumps(DESCRIPTION))
    judge = Judge(description, httpx.MockTransport(lambda _: httpx.Response(200)))
    async with httpx.AsyncClient(transport=judge, base_url="https://acme.example") as client:
        assert (await client.get("/names/a%2Fb")).is_success
        with pytest.raises(AgainstTheDescriptionError):
            await client.get("/names/a/b")


async def test_missing_credentials_are_refused(tmp_path: Path) -> None:
    """The declared security is demanded."""
    assert await _send(tmp_path, {"name": "n"}, **{"x-other": "k"})


@pytest.mark.parametrize(("field", "faults"), [("file", 0), ("fiel", 1)])
async def test_forms_are_judged_too(tmp_path: Path, field: str, faults: int) -> None:
    """A file in a form passes, whatever bytes it holds; a field that nobody described does not."""
    description = tmp_path / "description.json"
    description.write_text(json.dumps(DESCRIPTION))
    judge = Judge(description, httpx.MockTransport(lambda _: httpx.Response(200)))
    files = {"file": ("收據.png", b"\x89PNG\r\n--\r\n\x00\xff", "image/png")}
    files[field] = files["file"]
    async with httpx.AsyncClient(transport=judge, base_url="https://acme.example") as client:
        with suppress(AgainstTheDescriptionError):
            await client.post("/things/5", files=files, headers={"x-key": "k"})
    assert len(judge.faults) == faults
