"""Commands: what reaches the vendor, and that our own words are known again."""

import base64
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from adapters.attachments import Upload
from adapters.errors import AdapterError, Rejected, Unsupported
from adapters.manifest import Capability, Tier
from adapters.model import (
    Attachment,
    Author,
    Command,
    FindMessage,
    MessagePosted,
    MessageRecord,
    Note,
    OpenConversation,
    PullKind,
    Pushed,
    Reply,
)
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.checks.asking import walk
from adapters.testing.checks.operations import KEY, TEXT, commands, reply_of, shapes
from adapters.testing.checks.reading import WORDS
from adapters.testing.subject import Subject
from adapters.testing.vendor import json_of, texts

_FILE = b"\x89PNG\r\n\x1a\n kit \x00\xff" * 40


@check(Tier.BRONZE)
async def unknown_command(subject: Subject) -> None:
    """What it does not know, or does not declare, is `Unsupported`, and nothing is sent."""
    can = subject.adapter.manifest.capabilities
    later: Any = msgspec.defstruct("Later", [("key", str, KEY)], frozen=True, kw_only=True)
    strange = [("a command of a later version", later())]
    lacking = [(str(needed), each) for needed, each in commands(subject).items() if needed not in can]
    strange += [each for each in lacking if each[0] != Capability.RELAY]  # which is a reply, too
    for what, command in strange:
        async with subject.opened() as (adapter, watched):
            try:
                await adapter.push(command)
            except Unsupported:
                continue
            except Exception as error:
                raise AssertionError(
                    f"{what} ends in {error!r}; end push() with `return await super().push(command, uploads)`"
                ) from error
            sent = [f"{each.method} {each.url.path}" for each in watched.seen]
        raise AssertionError(f"{what} is carried out ({sent or 'nothing is sent'}), but not declared")


@check(Tier.BRONZE)
async def unknown_query(subject: Subject) -> None:
    """A query of a later version is `Unsupported`, too."""
    later: Any = msgspec.defstruct("Later", [("conversation_id", str, "1")], frozen=True, kw_only=True)
    async with subject.opened() as (adapter, _):
        try:
            await adapter.find(later())
        except Unsupported:
            return
        except Exception as error:
            raise AssertionError(
                f"it is answered by {error!r}; end find() with `return await super().find(query)`"
            ) from error
    raise AssertionError("it is answered; end find() with `return await super().find(query)`")


@check(Tier.BRONZE)
async def declared_commands(subject: Subject) -> None:
    """Every declared command is carried out by requests."""
    for needed, command in _declared(subject):
        async with subject.opened() as (adapter, watched):
            try:
                pushed = await adapter.push(command)
            except AdapterError as error:
                raise AssertionError(f"{needed} is declared, and {command} ends in {error!r}") from error
        require(isinstance(pushed, Pushed), f"{needed}: push() gives {pushed!r:.80}: return a Pushed")
        require(watched.seen, f"{needed} is declared, and nothing is asked of the vendor")
        if isinstance(command, Reply | Note | OpenConversation):
            known = pushed.id or subject.adapter.keeps_tokens
            require(known, f"{needed} returns no id: nothing would tell its echo from others' words")
        require(pushed.at is None or pushed.at.tzinfo, f"{needed}: Pushed.at is not aware")


@check(Tier.SILVER)
async def notes_apart(subject: Subject) -> None:
    """A note is sent otherwise than a reply: customers must never read what is for agents."""
    can = subject.adapter.manifest.capabilities
    if not {Capability.NOTE, Capability.REPLY} <= can:
        raise NotApplicable("it can't write both")
    asked = []
    for needed in (Capability.NOTE, Capability.REPLY):
        async with subject.opened() as (adapter, watched):
            await adapter.push(commands(subject)[needed])
        asked.append([(each.method, each.url, each.content) for each in watched.seen])
    note, reply = asked
    require(note != reply, "a note is sent by the very requests of a reply: customers would read it")
    told = [c.message for cs in subject.changes.values() for c in cs if isinstance(c, MessagePosted)]
    if Capability.PULL_MESSAGES in can:
        async for page in walk(subject, PullKind.MESSAGES):
            told += [change.message for change in page.changes if isinstance(change, MessagePosted)]
    require(
        any(each.private for each in told) or not told,
        "no message that is told, by webhook or page, is private: show a note, for as a word to the customer"
        " it would be taken for an agent who speaks",
    )


@check(Tier.SILVER)
async def every_shape(subject: Subject) -> None:
    """Every status, every way to assign, every kind of address is served, or refused by the contract."""
    for what, ask in shapes(subject).items():
        async with subject.opened(_Refusing(subject.vendor())) as (adapter, _):
            try:
                await ask(adapter)
            except AdapterError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"{what} ends in {error!r}: raise Unsupported for what the vendor lacks"
                ) from error


class _Refusing(httpx.AsyncBaseTransport):
    """The scripted vendor; what its script lacks it refuses."""

    def __init__(self, vendor: httpx.AsyncBaseTransport) -> None:
        self._vendor = vendor

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The scripted answer, else 422."""
        try:
            return await self._vendor.handle_async_request(request)
        except AssertionError:
            return httpx.Response(422, json={})


@check(Tier.SILVER)
async def words_arrive(subject: Subject) -> None:
    """Emoji, traditional Chinese, right-to-left: a reply reaches the vendor letter by letter."""
    async for word, sent in _replies(subject, WORDS):
        require(
            any(word in text for text in sent),
            f"{word!r} does not reach the vendor as it is; these texts do: {sent}",
        )


@check(Tier.SILVER)
async def long_replies(subject: Subject) -> None:
    """A reply of twenty thousand characters is sent whole or rejected with a reason, never cut in silence."""
    word = "長" * 20_000
    try:
        async for _, sent in _replies(subject, [word]):
            whole = "".join(text for text in sent if "長" in text)
            require(whole.count("長") >= len(word), f"of {len(word)} characters {whole.count('長')} are sent")
    except Rejected as error:
        require(error.detail, "it is rejected without a reason")


@check(Tier.SILVER)
async def own_words(subject: Subject) -> None:
    """A reply is known again: in its echo by id or token, never as the customer's, and by `find`."""
    can = subject.adapter.manifest.capabilities
    if Capability.REPLY not in can:
        raise NotApplicable("it can't reply")
    async with subject.opened() as (adapter, _):
        pushed = await adapter.push(commands(subject)[Capability.REPLY])
    echoes = [
        change.message
        for name, changes in subject.changes.items()
        if name.startswith("echo")
        for change in changes
        if isinstance(change, MessagePosted)
    ]
    require(
        echoes,
        f"put the webhook that tells of our own reply into {subject.folder}/echo….json: its text is"
        f" {TEXT!r}, its key {KEY}, its id the one that answers/ gives",
    )
    for echo in echoes:
        require(echo.author in {Author.AI, Author.AGENT}, f"our own reply is read as by {echo.author}")
    ours = [each for each in echoes if each.token == KEY or each.id == pushed.id]
    require(
        ours,
        f"no echo has the id that was answered ({pushed.id!r}) or our key ({KEY}) as its token:"
        f" {[(each.id, each.token) for each in echoes]}",
    )
    if Capability.FIND_MESSAGE in can:
        await _found_again(subject, ours[0])


@check(Tier.GOLD)
async def files_come(subject: Subject) -> None:
    """A message's attachments are told with address and name, and no credentials go to strangers."""
    if Capability.ATTACHMENTS not in subject.adapter.manifest.capabilities:
        raise NotApplicable("it declares no attachments")
    files = [
        attachment
        for changes in subject.changes.values()
        for change in changes
        if isinstance(change, MessagePosted)
        for attachment in change.message.attachments
    ]
    require(files, "no webhook shows a message with an attachment")
    for each in files:
        require(each.id and each.url.startswith(("http://", "https://")), f"{each} has no id, or no address")
        require(each.name or each.content_type, f"{each} has neither name nor type")
    adapter = subject.make()
    stranger = adapter.fetch(Attachment(id="1", url="https://stranger.example/a.png"))
    require(not stranger.headers, f"credentials would go to a stranger: {list(stranger.headers)}")
    require(stranger.url == "https://stranger.example/a.png", "a stranger's address is changed")


@check(Tier.GOLD)
async def files_go(subject: Subject) -> None:
    """A reply's file reaches the vendor byte by byte."""
    if Capability.SEND_ATTACHMENTS not in subject.adapter.manifest.capabilities:
        raise NotApplicable("it declares to send no attachments")
    attachment = Attachment(
        id="1", url="https://files.example/receipt.png", name="收據 1.png", content_type="image/png"
    )
    can = subject.adapter.manifest.capabilities
    author = Author.AI if Capability.REPLY in can else Author.CUSTOMER
    reply = msgspec.structs.replace(reply_of(subject), attachments=(attachment,), author=author)
    upload = Upload(name=attachment.name, content_type="image/png", size=len(_FILE), file=io.BytesIO(_FILE))
    async with subject.opened() as (adapter, watched):
        await adapter.push(reply, (upload,))
    encoded = base64.b64encode(_FILE)
    require(
        any(_FILE in each.content or encoded in each.content for each in watched.seen),
        f"the file's bytes are in no request: {[f'{each.method} {each.url.path}' for each in watched.seen]}",
    )


def sent_texts(requests: Sequence[httpx.Request]) -> list[str]:
    """Every text in the bodies and queries of these requests."""
    return [text for request in requests for text in _texts(request)]


def _texts(request: httpx.Request) -> Iterator[str]:
    yield from request.url.params.values()
    body = json_of(request.content)
    if body is not None:
        for text in texts(body):
            yield text
            yield from texts(json_of(text.encode()))  # JSON inside JSON
    elif request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        yield from httpx.QueryParams(request.content.decode()).values()
    else:
        yield request.content.decode("utf-8", "replace")


def _declared(subject: Subject) -> list[tuple[Capability, Command]]:
    can = subject.adapter.manifest.capabilities
    return [(needed, command) for needed, command in commands(subject).items() if needed in can]


async def _replies(subject: Subject, words: Sequence[str]) -> Any:
    if Capability.REPLY not in subject.adapter.manifest.capabilities:
        raise NotApplicable("it can't reply")
    for word in words:
        async with subject.opened() as (adapter, watched):
            await adapter.push(msgspec.structs.replace(reply_of(subject), text=word))
        yield word, sent_texts(watched.seen)


async def _found_again(subject: Subject, echo: MessageRecord) -> None:
    query = FindMessage(
        conversation_id=subject.ids.conversation,
        token=KEY,
        text=TEXT,
        private=False,
        since=echo.sent_at.astimezone(UTC) - timedelta(minutes=1),
    )
    async with subject.opened() as (adapter, _):
        result = await adapter.find(query)
    require(
        isinstance(result, MessageRecord) and result.id == echo.id,
        f"find(FindMessage) gives {result}, not the message {echo.id} that was sent: let the scripted vendor"
        f" list it, with the text {TEXT!r}",
    )
    assert isinstance(result, MessageRecord)
    later = datetime.now(UTC)
    lost = msgspec.structs.replace(query, token=KEY[::-1], text="never said", since=later)
    async with subject.opened() as (adapter, _):
        require(await adapter.find(lost) is None, "find(FindMessage) finds what was never sent")
