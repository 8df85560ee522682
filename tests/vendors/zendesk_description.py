"""Zendesk's own description of its API (Support API 2.0.0), put right where it contradicts itself.

Everything else about a request is judged as the description says. Each amendment below has its grounds: the
description's own prose, another of its schemas, or answers of the live service (the recorded traffic).
"""

import atexit
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TAGS: Schema = {"type": "object", "properties": {"tags": {"type": "array", "items": _TEXT}}}


def at(description: Path | None) -> Path | None:
    """The same where there is no description."""
    return description and amended(description)


@cache
def amended(description: Path) -> Path:
    """A copy of the description with the amendments; it is removed when the process ends."""
    spec = json.loads(description.read_text(encoding="utf-8"))
    _inputs(spec["components"]["schemas"])
    _users(spec["components"]["schemas"])
    paths = spec["paths"]
    _tags(paths["/api/v2/tickets/{ticket_id}/tags"])
    _uploads(paths["/api/v2/uploads"]["post"])
    for path in _exports(paths):
        _cursor_without_start(path)
    comments = paths["/api/v2/tickets/{ticket_id}/comments"]
    comments["parameters"] = [*comments["parameters"], *_page_parameters()]
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    copy = Path(folder.name) / description.name
    copy.write_text(json.dumps(spec), encoding="utf-8")
    return copy


def _inputs(schemas: Schema) -> None:
    """What can be written, as `TicketObject` says it; recorded answers hold null for whom nobody is."""
    ticket, written = schemas["TicketObject"]["properties"], schemas["TicketUpdateInput"]["properties"]
    written["metadata"] = ticket["metadata"]  # "Write only", and missing from the schema for writing
    fields = ticket["custom_fields"]["items"]  # id and value; the other schema describes a field's definition
    value = {**fields["properties"]["value"], "nullable": True}
    written["custom_fields"] = {
        "type": "array",
        "items": {"type": "object", "properties": {**fields["properties"], "value": value}},
    }
    for name in ("assignee_id", "group_id"):
        written[name] = {**written[name], "nullable": True}


def _users(schemas: Schema) -> None:
    """What is written of a user may hold any key, and a misspelt one would be lost in silence.

    `skip_verify_email` stands in the prose of how users are made.
    """
    known = schemas["UserForAdmin"]["properties"] | schemas["UserCreateInput"]["properties"]
    told = {name: {**each, "nullable": True} for name, each in known.items() if "$ref" not in each}
    named = {name: each for name, each in known.items() if "$ref" in each}
    properties = told | named | {"skip_verify_email": {"type": "boolean"}}
    schemas["UserInput"] = {"type": "object", "properties": properties}


def _tags(path: Schema) -> None:
    """The prose shows a body, `{"tags": ["customer"]}`, which no schema describes."""
    for method in ("put", "delete"):
        path[method]["requestBody"] = {"content": {"application/json": {"schema": _TAGS}}}


def _uploads(operation: Schema) -> None:
    """The prose demands `filename`, and a body of the type that the file has."""
    name = {"name": "filename", "in": "query", "required": True, "schema": _TEXT}
    operation["parameters"] = [*operation.get("parameters", []), name]
    operation["requestBody"] = {"required": True, "content": {"*/*": {"schema": {}}}}


def _exports(paths: Schema) -> Iterator[Schema]:
    for what in ("tickets", "users"):
        yield paths[f"/api/v2/incremental/{what}/cursor"]


def _cursor_without_start(path: Schema) -> None:
    """The vendor's own `after_url` bears a cursor and no `start_time`, which is demanded always."""
    path["parameters"] = [
        *(each for each in path["parameters"] if "IncrementalUnixTime" not in each.get("$ref", "")),
        {"name": "start_time", "in": "query", "schema": {"type": "integer"}},
    ]


def _page_parameters() -> Iterator[Schema]:
    """The prose says that lists are paged by cursor, and how comments are sorted."""
    yield {"name": "page[size]", "in": "query", "schema": {"type": "integer", "maximum": 100}}
    yield {"name": "page[after]", "in": "query", "schema": _TEXT}
    yield {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["created_at", "-created_at"]}}
