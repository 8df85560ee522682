"""The reference helpdesk's HTTP routes: a request that was understood, and the table that answers it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

Body = TypeVar("Body")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, read to its end; `path_ids` are the variable parts of its path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    path_ids: tuple[str, ...] = ()

    def read(self, shape: type[Body]) -> Body:
        """The body as `shape`; unknown keys and wrong types raise `msgspec.ValidationError`."""
        return msgspec.json.decode(self.body or b"{}", type=shape)

    def json(self) -> Any:
        """The body as it is, for the log."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except msgspec.DecodeError:
            return self.body.decode(errors="replace")


Handler = Callable[[Request], Awaitable[Any]]


class Routes:
    """A table of handlers by method and path; `{}` in a path stands for an id."""

    def __init__(self, *routes: tuple[str, str, Handler]) -> None:
        self._table = [
            (method, re.compile(path.replace("{}", "([^/]+)")), handler) for method, path, handler in routes
        ]

    def find(self, request: Request) -> tuple[Handler, Request] | None:
        """The handler, and the request with its path's ids."""
        for method, pattern, handler in self._table:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return handler, msgspec.structs.replace(request, path_ids=match.groups())
        return None
