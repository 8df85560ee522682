"""Bodies with holes: what vendors leave null or out, they will one day leave null or out of anything."""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from adapters.contract import decode
from adapters.manifest import Capability, Tier
from adapters.model import Page
from adapters.testing.checking import NotApplicable, check
from adapters.testing.checks.operations import Operation, operations
from adapters.testing.checks.reading import require_sound
from adapters.testing.subject import Subject
from adapters.testing.vendor import json_of

Path = tuple[str | int, ...]


@check(Tier.SILVER)
def nulls(subject: Subject, file: str) -> None:
    """Any key of a webhook may be null or missing, but for those declared as required."""
    for what, path, body in _holed(decode(subject.webhooks[file])):
        try:
            for change in subject.parse(msgspec.json.encode(body)):
                require_sound(change)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
            _only_if_required(subject, path, f"{file}.json, {what}: {error!r}", error)


@check(Tier.SILVER)
async def nulls_in_answers(subject: Subject) -> None:
    """So may any key of a page or of something found, but for those declared as required."""
    asked = {name: ask for name, ask in operations(subject).items() if name not in {"check", *_WRITES}}
    if not asked:
        raise NotApplicable("it lists nothing and finds nothing")
    for name, ask in asked.items():
        await _with_holes(subject, name, ask)


_WRITES = frozenset(Capability) - {
    Capability.FIND_CUSTOMER,
    Capability.FIND_CONVERSATION,
    Capability.GET_MESSAGE,
}


async def _with_holes(subject: Subject, name: str, ask: Operation) -> None:
    script = _Recorded(subject.vendor())
    adapter = subject.make(script)
    try:
        await ask(adapter)
        for number, content in enumerate(script.stop()):
            for what, path, body in _holed(json_of(content)):
                script.play(number, body)
                try:
                    came = await ask(adapter)
                    for each in came.changes if isinstance(came, Page) else (came,):
                        require_sound(each)
                except Exception as error:  # noqa: BLE001 - likewise
                    _only_if_required(subject, path, f"{name}, {what}: {error!r}", error)
    finally:
        await adapter.aclose()


class _Recorded(httpx.AsyncBaseTransport):
    """Records what a vendor answers; then plays it back, with one answer's body replaced."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self._answers: list[httpx.Response] = []
        self._recording = True
        self._next = 0
        self._replaced: dict[int, Any] = {}

    def stop(self) -> list[bytes]:
        """End the recording; the bodies recorded."""
        self._recording = False
        return [answer.content for answer in self._answers]

    def play(self, number: int, body: Any) -> None:
        """Begin again, with `body` as the answer of that number."""
        self._next, self._replaced = 0, {number: body}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; what is asked beyond the recording the vendor answers."""
        number, self._next = self._next, self._next + 1
        if self._recording or number >= len(self._answers):
            answer = await self._vendor.handle_async_request(request)
            await answer.aread()
            if self._recording:
                self._answers.append(answer)
            return answer
        answer = self._answers[number]
        if number in self._replaced:
            return httpx.Response(answer.status_code, json=self._replaced[number])
        return httpx.Response(answer.status_code, content=answer.content)


def _holed(value: Any) -> Iterator[tuple[str, Path, Any]]:
    """The value with one key null, then without it, for every key; of a list's items only the first."""
    for path in _paths(value):
        for what, hole in (("null", _null), ("left out", _leave_out)):
            body = copy.deepcopy(value)
            parent = body
            for step in path[:-1]:
                parent = parent[step]
            hole(parent, path[-1])
            yield f"{'.'.join(map(str, path))} {what}", path, body


def _null(parent: Any, key: Any) -> None:
    parent[key] = None


def _leave_out(parent: Any, key: Any) -> None:
    del parent[key]


def _paths(value: Any, above: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*above, key)
            yield from _paths(each, (*above, key))
    elif isinstance(value, list) and value:
        yield from _paths(value[0], (*above, 0))


def _only_if_required(subject: Subject, path: Path, fault: str, error: Exception) -> None:
    names = "." + ".".join(step for step in path if isinstance(step, str))
    if not any(names.endswith(f".{each}") for each in subject.declared.required):
        cure = "If the vendor never does that, name the key in `required` of fixtures/subject.toml"
        raise AssertionError(f"{fault}. {cure}") from error
