"""A judge of every request an adapter sends: the vendor's own API description, taken strictly."""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder
from werkzeug.datastructures import Headers, ImmutableMultiDict

_HOST = "https://judged.invalid"
_JSON, _FORM = "application/json", "multipart/form-data"
_FIELD = re.compile(rb'^content-disposition: form-data; name="([^"]*)"', re.IGNORECASE | re.MULTILINE)
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})

Schema = dict[str, Any]


class AgainstTheDescriptionError(AssertionError):
    """A request that the vendor's description does not allow."""


class Judge(httpx.AsyncBaseTransport):
    """An httpx transport that lets only what the description allows through to `responder`.

    Beyond openapi-core's own strictness it refuses unknown body keys and unknown query parameters.
    `amend` adds to the description what is known to be missing in it.
    Every request is kept in `seen`, every fault in `faults`: check that the latter is empty where
    something between the adapter and the test may swallow the exception.
    """

    def __init__(
        self,
        description: Path,
        responder: httpx.AsyncBaseTransport,
        *,
        base_path: str = "",
        amend: Callable[[Schema], None] = lambda _: None,
    ) -> None:
        self._spec, self._api = _read(description, base_path, amend)
        self._responder = responder
        self.seen: list[httpx.Request] = []
        self.faults: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Judge a request, and answer it if it is right."""
        await request.aread()
        self.seen.append(request)
        found = [
            f"{request.method} {request.url.raw_path.decode()}: {fault}" for fault in self._judge(request)
        ]
        if found:
            self.faults += found
            raise AgainstTheDescriptionError("; ".join(found))
        return await self._responder.handle_async_request(request)

    def _judge(self, request: httpx.Request) -> Iterator[str]:
        judged = _Judged(request)
        try:
            self._api.validate_request(judged)
        except OpenAPIError as error:
            yield f"{error} {error.__cause__ or ''}".strip()
            return
        path_item, operation = self._operation(judged)
        yield from self._unknown_parameters(request, path_item, operation)
        if request.content:
            yield from self._unknown_keys(request, operation)
        elif "requestBody" in operation and request.method not in _WITHOUT_BODY:
            yield "the body is missing"

    def _operation(self, judged: "_Judged") -> tuple[Schema, Schema]:
        finder = APICallPathFinder(self._api.spec)
        found = finder.find(judged.method, judged.host_url + judged.path)
        path_item = self._resolve(self._spec["paths"][found.path.parts[-1]])
        return path_item, path_item[judged.method]

    def _unknown_parameters(
        self, request: httpx.Request, path_item: Schema, operation: Schema
    ) -> Iterator[str]:
        declared = [*path_item.get("parameters", []), *operation.get("parameters", [])]
        parameters = [each for each in map(self._resolve, declared) if each["in"] == "query"]
        names = {each["name"].partition("[")[0] for each in parameters}
        deep = {
            each["name"]: self._resolve(each["schema"]).get("properties")
            for each in parameters
            if each.get("style") == "deepObject"
        }
        for name in request.url.params:
            base, _, key = name.partition("[")
            keys = deep.get(base)
            if base not in names or (keys and key.removesuffix("]") not in keys):
                yield f"the query parameter {name} is unknown"

    def _unknown_keys(self, request: httpx.Request, operation: Schema) -> Iterator[str]:
        content = self._resolve(operation.get("requestBody", {})).get("content", {})
        if not content:
            yield "a body is sent where none is described"
        stated = request.headers.get("content-type", "").partition(";")[0]
        media = content.get(stated if stated in {_FORM, _JSON} else _JSON)
        if media is None:
            return
        body = _fields(request.content) if stated == _FORM else json.loads(request.content)
        yield from self._walk(body, [media.get("schema", {})], "body")

    def _walk(self, value: Any, schemas: list[Schema], where: str) -> Iterator[str]:
        parts = [part for schema in schemas for part in self._parts(schema)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for index, each in enumerate(value):
                yield from self._walk(each, items, f"{where}[{index}]")
        elif isinstance(value, dict):
            for key, each in value.items():
                below = [part["properties"][key] for part in parts if key in part.get("properties", {})]
                extra = [part["additionalProperties"] for part in parts if _is_open(part)]
                if below or any(isinstance(each, dict) and each for each in extra):
                    described = below or [each for each in extra if isinstance(each, dict)]
                    yield from self._walk(each, described, f"{where}.{key}")
                elif not extra and any("properties" in part for part in parts):
                    yield f"{where}.{key} is unknown"

    def _parts(self, schema: Schema) -> Iterator[Schema]:
        """The schema and whatever it is composed of."""
        resolved = self._resolve(schema)
        yield resolved
        for composed in ("allOf", "oneOf", "anyOf"):
            for part in resolved.get(composed, ()):
                yield from self._parts(part)

    def _resolve(self, node: Schema) -> Schema:
        while "$ref" in node:
            found: Any = self._spec
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            node = found
        return node


@lru_cache(maxsize=8)
def _read(description: Path, base_path: str, amend: Callable[[Schema], None]) -> tuple[Schema, OpenAPI]:
    """Read once: a large description takes longer than a hundred requests."""
    text = description.read_text(encoding="utf-8")
    spec = json.loads(text) if description.suffix == ".json" else yaml.safe_load(text)
    amend(spec)
    spec["servers"] = [{"url": _HOST + base_path}]
    return spec, OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))


class _Judged:
    """An httpx request as openapi-core wants to see it."""

    def __init__(self, request: httpx.Request) -> None:
        self.host_url = _HOST
        # Still encoded: a slash inside an id is no step of the path.
        self.path = request.url.raw_path.decode().partition("?")[0]
        self.method = request.method.lower()
        self.body = request.content or None
        stated = request.headers.get("content-type", "")
        # Without its boundary a form can't be read.
        self.content_type = stated if stated.startswith("multipart/") else stated.partition(";")[0]
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(
                (_undotted(name), value) for name, value in request.url.params.multi_items()
            ),
            header=Headers(request.headers.multi_items()),
            cookie=ImmutableMultiDict(),
        )


def _undotted(name: str) -> str:
    """`filter[a.b]` as openapi-core 0.19 can read it: it knows no dots there."""
    base, bracket, inner = name.partition("[")
    return f"{base}[{inner.replace('.', '_')}" if bracket else name


def _fields(form: bytes) -> dict[str, None]:
    """The names of a form's fields."""
    return {name.decode(): None for name in _FIELD.findall(form)}


def _is_open(part: Schema) -> bool:
    extra = part.get("additionalProperties")
    return extra is True or isinstance(extra, dict)
