"""A scripted vendor: it answers what `fixtures/answers/*.json` says, and nothing else."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
import msgspec

Respond = Callable[[httpx.Request], httpx.Response]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the vendor answers to requests like this one.

    `request` is a method and a path, in which `*` is any text. `query` and `body` name what else must be
    there; more may be. `json` or `text` is the answer's body.
    """

    request: str
    query: dict[str, str] = msgspec.field(default_factory=dict)
    body: dict[str, Any] = msgspec.field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    json: Any = msgspec.UNSET
    text: str = ""

    def fits(self, request: httpx.Request, body: Any) -> bool:
        """Whether this is the answer to a request, whose decoded JSON body is `body`."""
        method, _, path = self.request.partition(" ")
        asked = dict(request.url.params)
        return (
            request.method == method
            and fnmatchcase(request.url.path, path)
            and all(asked.get(name) == value for name, value in self.query.items())
            and holds(body, self.body)
        )

    def response(self) -> httpx.Response:
        """The answer itself."""
        if self.json is msgspec.UNSET:
            return httpx.Response(self.status, headers=self.headers, text=self.text)
        return httpx.Response(self.status, headers=self.headers, json=self.json)


def read_answers(folder: Path) -> list[Answer]:
    """All answers of a folder: each file holds one, or a list of them.

    Raises:
        AssertionError: a file holds no answers; it is named, and what is wrong with it.
    """
    answers: list[Answer] = []
    for path in sorted(folder.glob("*.json")):
        try:
            held = msgspec.json.decode(path.read_bytes())
            answers += msgspec.convert(held if isinstance(held, list) else [held], list[Answer])
        except msgspec.DecodeError as error:
            raise AssertionError(f"{path} holds no answers of the vendor: {error}") from error
    return answers


class ScriptedVendor(httpx.AsyncBaseTransport):
    """Answers by the script. What the script lacks is an error that says what to add."""

    def __init__(self, answers: Sequence[Answer], where: str = "fixtures/answers/") -> None:
        self._answers = answers
        self._where = where

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The first answer that fits."""
        body = json_of(await request.aread())
        for answer in self._answers:
            if answer.fits(request, body):
                return answer.response()
        asked = f"{request.method} {request.url.raw_path.decode()}"
        sent = f" with {json.dumps(body, ensure_ascii=False)[:300]}" if body else ""
        raise AssertionError(f"the scripted vendor has no answer to {asked}{sent}: add it to {self._where}")


class Always(httpx.AsyncBaseTransport):
    """A vendor that answers everything alike, or fails."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The one answer."""
        await request.aread()
        return self._respond(request)


class Watched(httpx.AsyncBaseTransport):
    """Keeps every request that goes to the vendor behind it."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        await request.aread()
        self.seen.append(request)
        return await self._vendor.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the vendor."""
        await self._vendor.aclose()


def json_of(content: bytes) -> Any:
    """The JSON value in a body, or `None`."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def holds(value: Any, wanted: Any) -> bool:
    """Whether `value` has all that `wanted` names, at every depth."""
    if isinstance(wanted, Mapping):
        return not wanted or (
            isinstance(value, Mapping)
            and all(name in value and holds(value[name], wanted[name]) for name in wanted)
        )
    return bool(value == wanted)


def texts(value: Any) -> Iterable[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
