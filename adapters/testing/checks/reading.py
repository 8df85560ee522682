"""Webhooks: what they mean, read from the author's fixtures."""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from adapters.contract import decode
from adapters.errors import Malformed, WebhookRefused
from adapters.manifest import Capability, Tier
from adapters.model import Author, Change, Found, MessagePosted
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.subject import Subject, listed
from adapters.testing.vendor import texts
from adapters.times import EPOCH

_MOMENT = timedelta(minutes=1)
_NEVER = datetime.max.replace(tzinfo=UTC)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\d+\.0|\d(?:\.\d+)?e\+\d+")
_STRANGE = (
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b'{"event": "kit.never_heard_of"}',
    b'[{"type": "never"}]',
    b"\xff",
    b"",
)
WORDS = (
    "😀👩🏽‍💻🇹🇼",
    "繁體中文，價格 NT$1,280（含稅）",
    "مرحبا بك في متجرنا",
    "שלום עולם",
    "Ünïcödé – “quotes” … é",
    "日本語テキスト ｶﾅ 한국어",
    "a" + "\u200d" + "b\u200fc\u2028d",
)
"""Texts that must survive: emoji with joiners, traditional Chinese, right-to-left, composed and not."""
_LARGE = 1_000_000
_PATIENCE = 5.0


@check(Tier.BRONZE)
def webhooks(subject: Subject) -> None:
    """There are webhook bodies to read, and at least one that means nothing to us."""
    told = [name for name, changes in subject.changes.items() if changes]
    require(told, f"no webhook in {subject.folder} means anything: put bodies there as the vendor sends them")
    unknown = [name for name in subject.webhooks if name.startswith("unknown")]
    require(unknown, f"put an event that means nothing to us into {subject.folder}/unknown_….json")


@check(Tier.BRONZE)
def understood(subject: Subject, file: str) -> None:
    """A webhook yields changes; one called unknown… yields none."""
    changes = subject.parse(subject.webhooks[file])
    if file.startswith("unknown"):
        require(not changes, f"{file}.json is unknown to us, and yet yields {changes}")
    else:
        require(changes, f"{file}.json yields no change; if it means nothing, call it unknown_…")


@check(Tier.BRONZE)
def twice_the_same(subject: Subject, file: str) -> None:
    """Read twice, a webhook means the same."""
    first, second = (tuple(map(_timeless, subject.parse(subject.webhooks[file]))) for _ in range(2))
    require(first == second, f"{file}.json is read as {first}, and the second time as {second}")


@check(Tier.BRONZE)
def well_formed(subject: Subject, file: str) -> None:
    """Changes are of the declared types (ids are texts), their times aware and in UTC, `raw` is kept."""
    for change in subject.parse(subject.webhooks[file]):
        require_sound(change)


@check(Tier.BRONZE)
def keyed(subject: Subject, file: str) -> None:
    """Every delivery has a key and a lane, and a body that can be read by itself."""
    for delivery in subject.deliveries(subject.webhooks[file]):
        require(delivery.key, f"{file}.json has no key: it could be accepted twice")
        require(delivery.lane, f"{file}.json has no lane: nothing would keep it in order")
        listed(subject.make().parse(delivery.body))


@check(Tier.BRONZE)
def lanes(subject: Subject) -> None:
    """What happens in one conversation shares a lane, in which its order is kept; another has its own."""
    found: dict[str, dict[str, str]] = {}
    for name, body in subject.webhooks.items():
        for delivery in subject.deliveries(body):
            for place in _conversations(listed(subject.make().parse(delivery.body))):
                found.setdefault(place, {})[name] = delivery.lane
    for place, told in found.items():
        require(
            len(set(told.values())) == 1,
            f"events of the conversation {place} have several lanes, in which one may overtake the other:"
            f" {told}. Let receive() take the conversation's id as the lane",
        )
    shared = {lane for told in found.values() for lane in told.values()}
    require(
        len(shared) > 1 or len(found) < 2,  # noqa: PLR2004 - of one, nobody could tell
        f"the conversations {sorted(found)} share the lane {shared}: they would wait for each other."
        " Let receive() take the conversation's id as the lane",
    )


@check(Tier.BRONZE)
def strangers(subject: Subject) -> None:
    """What is no event of the vendor's yields nothing, or is refused as malformed; it breaks nothing."""
    for body in _STRANGE:
        try:
            changes = subject.parse(body)
        except WebhookRefused:
            continue
        except Exception as error:
            raise AssertionError(f"{body!r} breaks it: {error!r}; raise Malformed instead") from error
        require(not changes, f"{body!r} yields {changes}")
        try:
            subject.make().parse(body)
        except Malformed:
            continue


@check(Tier.SILVER)
def scripts_and_emoji(subject: Subject) -> None:
    """Emoji, traditional Chinese, right-to-left and joined characters come through unchanged."""
    file, text = _with_text(subject)
    for word in WORDS:
        heard = _said(subject, file, text, word)
        require(heard == word, f"{word!r} comes through as {heard!r} ({file}.json)")


@check(Tier.SILVER)
def large_bodies(subject: Subject) -> None:
    """A message of a million characters is read whole, in reasonable time."""
    file, text = _with_text(subject)
    word = "長" * _LARGE
    started = time.thread_time()  # of this check alone: the machine may be busy
    heard = _said(subject, file, text, word)
    took = time.thread_time() - started
    require(heard == word, f"of {_LARGE} characters {len(heard)} come through")
    require(took < _PATIENCE, f"reading a message of {_LARGE} characters took {took:.1f} s")


@check(Tier.SILVER)
def speakers(subject: Subject) -> None:
    """Agents and bots are told apart from customers in what comes in."""
    authors = {
        change.message.author
        for changes in subject.changes.values()
        for change in changes
        if isinstance(change, MessagePosted)
    }
    if Capability.REPLY not in subject.adapter.manifest.capabilities:
        raise NotApplicable("it can't reply")
    lacking = [each.value for each in (Author.CUSTOMER, Author.AGENT, Author.AI) if each not in authors]
    require(
        not lacking,
        f"no webhook shows a message by: {', '.join(lacking)}. Whoever speaks last decides who may go on",
    )


def _conversations(changes: Iterable[Change]) -> set[str]:
    """The conversations that are told of, whole or by their ids alone: what fails, what is deleted."""
    told = (getattr(each, "conversation", None) for each in changes)
    named = (getattr(each, "conversation_id", None) for each in changes)
    return {record.id for record in told if record is not None} | set(filter(None, named))


def require_sound(change: Change | Found) -> None:
    """What holds for every change, and for whatever is found, wherever it comes from."""
    kind = type(change)
    try:
        again = msgspec.json.decode(msgspec.json.encode(change), type=kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise AssertionError(f"{kind.__name__} is not as declared: {error}") from error
    require(again == change, f"{kind.__name__} changes when it is stored: {change}")
    for where, value in _walk(change, kind.__name__):
        if isinstance(value, datetime):
            require(value.utcoffset() == timedelta(), f"{where} is {value!r}: make it aware, in UTC")
            require(
                value == EPOCH or _EARLIEST < value < _LATEST,
                f"{where} is {value}: seconds and milliseconds are mixed up; see adapters.times.moment",
            )
        if where.endswith((".id", "_id")) and isinstance(value, str):
            require(value.strip() and value != "None", f"{where} is {value!r}")
            require(not _NUMBER.fullmatch(value), f"{where} is {value!r}: numbers of things are whole")
    if isinstance(change, MessagePosted):
        require(change.message.raw, "the message's raw is empty: the vendor's own shape must be kept")


def _walk(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    yield where, value
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "raw":
                yield from _walk(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, tuple):
        for each in value:
            yield from _walk(each, where)


def _timeless(change: Change) -> Change:
    """Without the time of reading, where an adapter had to put that for a time that isn't told."""
    replace = msgspec.structs.replace
    if not _is_now(change.occurred_at):
        return change
    if isinstance(change, MessagePosted) and _is_now(change.message.sent_at):
        change = replace(change, message=replace(change.message, sent_at=_NEVER))
    return replace(change, occurred_at=_NEVER)


def _is_now(at: datetime) -> bool:
    return at.tzinfo is not None and abs(datetime.now().astimezone() - at) < _MOMENT


def _with_text(subject: Subject) -> tuple[str, str]:
    """A webhook with a message, and the message's text as it stands in the body."""
    for name, changes in subject.changes.items():
        for change in changes:
            if isinstance(change, MessagePosted) and len(change.message.text) > 4:  # noqa: PLR2004 - a word
                text = change.message.text
                if any(text in each for each in texts(decode(subject.webhooks[name]))):
                    return name, text
    raise NotApplicable("no webhook holds the text of a message")


def _said(subject: Subject, file: str, text: str, word: str) -> str:
    body = msgspec.json.encode(_replaced(decode(subject.webhooks[file]), text, word))
    posted = [change for change in subject.parse(body) if isinstance(change, MessagePosted)]
    require(posted, f"{file}.json yields no message any more once its text is another")
    return posted[0].message.text


def _replaced(value: Any, text: str, word: str) -> Any:
    match value:
        case str():
            return value.replace(text, word)
        case dict():
            return {name: _replaced(each, text, word) for name, each in value.items()}
        case list():
            return [_replaced(each, text, word) for each in value]
        case _:
            return value
