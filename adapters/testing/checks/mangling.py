"""Bodies that aren't as usual: with holes, with words that came up later, with links that lead astray."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from adapters.contract import decode
from adapters.manifest import Capability, Tier
from adapters.model import Author, Change, ConversationChanged, MessagePosted, Page, PullKind, Status
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.checks.operations import Operation, operations, scope_of
from adapters.testing.checks.reading import require_sound
from adapters.testing.subject import Subject
from adapters.testing.vendor import json_of

Path = tuple[str | int, ...]
_WORD = re.compile(r"[A-Za-z][A-Za-z_.:-]+")
_NEW_WORD = "kit_never_heard_of"
_STRANGER = "stranger.example"
_LINK = re.compile(r"https?:(?:\\?/){2}[^/\\\"<>\s]+")
_ELSEWHERE = f"https://{_STRANGER}"


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
def unknown_words(subject: Subject, file: str) -> None:
    """A word that came up later (a status, a channel, an author, a type) is unknown, and no error."""
    before = subject.changes[file]
    for what, _, body in _renamed(decode(subject.webhooks[file])):
        where = f"{file}.json, {what}"
        try:
            changes = subject.parse(msgspec.json.encode(body))
            for change in changes:
                require_sound(change)
        except Exception as error:
            raise AssertionError(
                f"{where}: {error!r}. Vendors add words: one that you don't know is UNKNOWN, or no change"
            ) from error
        for old, new in zip(before, changes, strict=False):
            _require_no_guess(where, old, new)


@check(Tier.SILVER)
async def nulls_in_answers(subject: Subject) -> None:
    """So may any key of a page or of something found, but for those declared as required."""
    for name, ask in _questions(subject).items():
        await _with_holes(subject, name, ask)


@check(Tier.SILVER)
async def stays_home(subject: Subject) -> None:
    """However the links in an answer are, no credentials go with them to another host."""
    for name, ask in _questions(subject).items():
        astray = _Astray(subject.vendor())
        adapter = subject.make(astray)
        try:
            came = await ask(adapter)
            if isinstance(came, Page) and not came.last:
                kind = next(kind for kind in PullKind if name == f"pull {kind}")
                await adapter.pull(kind, came.cursor, scope=scope_of(subject, kind))
        except Exception as error:  # noqa: BLE001 - that it doesn't go there is all that counts here
            del error
        finally:
            await adapter.aclose()
        require(
            not astray.met,
            f"{name} asks {astray.met}, for an answer said so: take the cursor out of a link, never follow it"
            " to another host; files are fetched by the engine, by what fetch() says",
        )


def _questions(subject: Subject) -> dict[str, Operation]:
    asked = {name: ask for name, ask in operations(subject).items() if name not in {"check", *_WRITES}}
    if not asked:
        raise NotApplicable("it lists nothing and finds nothing")
    return asked


def _require_no_guess(where: str, old: Change, new: Change) -> None:
    """What nobody knows means neither that the customer spoke nor that a conversation moved."""
    match old, new:
        case MessagePosted(message=was), MessagePosted(message=now) if was.author is not Author.CUSTOMER:
            require(
                now.author is not Author.CUSTOMER,
                f"{where}: the message of the {was.author} becomes the customer's, and the AI would answer;"
                " whom you don't know is Author.UNKNOWN",
            )
        case ConversationChanged(conversation=was_there), ConversationChanged(conversation=is_there):
            told = is_there.status
            require(
                told in {was_there.status, Status.UNKNOWN, msgspec.UNSET},
                f"{where}: the status {was_there.status} becomes {told}; what you don't know is UNKNOWN",
            )


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


class _Astray(httpx.AsyncBaseTransport):
    """A vendor whose every link leads to a stranger's host. `met`: what was asked there."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor
        self.met: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """What the vendor answers, with other links."""
        if request.url.host == _STRANGER:
            self.met.append(f"{request.method} {request.url}")
            return httpx.Response(404, json={})
        answer = await self._vendor.handle_async_request(request)
        await answer.aread()
        headers = {name: _LINK.sub(_ELSEWHERE, value) for name, value in answer.headers.items()}
        headers.pop("content-length", None)
        content = _LINK.sub(_ELSEWHERE, answer.content.decode("utf-8", "replace")).encode()
        return httpx.Response(answer.status_code, content=content, headers=headers)


def _renamed(value: Any) -> Iterator[tuple[str, Path, Any]]:
    """The value with one of its words replaced by another that nobody knows, for every word."""
    for path in _paths(value):
        body = copy.deepcopy(value)
        parent = body
        for step in path[:-1]:
            parent = parent[step]
        if isinstance(parent[path[-1]], str) and _WORD.fullmatch(parent[path[-1]]):
            what = f"{'.'.join(map(str, path))} {_NEW_WORD!r} instead of {parent[path[-1]]!r}"
            parent[path[-1]] = _NEW_WORD
            yield what, path, body


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
