"""Vendors drift from what they document: whatever else a field holds, an event is read, or refused in words.

Every field of every fixture, and of every recorded payload where there are some, is left out, emptied,
written as another type, or takes a value that nobody has heard of.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters import registry
from adapters.contract import decode
from adapters.errors import WebhookRefused
from adapters.model import Change
from adapters.testing.subject import NOW, Subject

VENDORS = ("chatwoot", "hubspot", "intercom", "qiyu", "sunshine", "zendesk")
_OFTEN = 2
"""How often one field is changed in one way, over all of a vendor's fixtures."""
_ODD: tuple[Any, ...] = (None, True, 0, -1, 7.5, 10**30, "", "unheard-of", "\0", "2026-13-45T99:00:00Z")
_ODD += ([], [None], [7], ["x"], [[]], [{}], {}, {"unheard_of": 1})

Place = tuple[str | int, ...]


def drifted(value: Any) -> Iterator[tuple[str, Any]]:
    """What a field may hold instead."""
    yield from ((f"= {odd!r}", odd) for odd in _ODD)
    match value:
        case bool():
            yield "as text", str(value).lower()
        case int() | float():
            yield "as text", str(value)
        case str() if value.isdecimal():
            yield "as number", int(value)
        case str():
            yield "in capitals", value.upper()
        case dict():
            yield "with a new key", {**value, "unheard_of": {"x": [1]}}
        case list():
            yield "twice", value + value


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every place in a body."""
    yield above
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from places(each, (*above, key))


def changed(value: Any, place: Place, new: Any) -> Any:
    """A copy with something else there; `...` leaves it out."""
    if not place:
        return new
    copy = value.copy()
    if len(place) == 1 and new is ...:
        del copy[place[0]]
    else:
        copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


def bodies(vendor: str, subject: Subject, reference: Path | None) -> dict[str, Any]:
    """A vendor's bodies, by where they are from."""
    found = {name: decode(body) for name, body in subject.webhooks.items()}
    recorded = sorted((reference / "recorded" / vendor).glob("*.json")) if reference else ()
    for path in recorded:
        payload = json.loads(path.read_text(encoding="utf-8"))
        if vendor == "intercom":  # recorded without what webhooks wrap it in
            topic = "conversation.user.replied"
            payload = {"id": "notif_1", "topic": topic, "created_at": 1739524230, "data": {"item": payload}}
        if isinstance(payload, dict):
            found[path.name] = payload
    return found


def read(subject: Subject, body: bytes) -> int:
    """Read a webhook as the house does; how many changes it tells of, all of the types that they claim."""
    adapter, told = subject.make(), 0
    for delivery in adapter.receive(subject.webhook(body), decode(body)).deliveries:
        assert all(isinstance(each, str) and each for each in (delivery.key, delivery.lane)), delivery
        for change in adapter.parse(delivery.body):
            msgspec.convert(msgspec.to_builtins(change), Change, strict=True)
            assert change.occurred_at.tzinfo is not None
            told += 1
    return told


def survives(subject: Subject, body: bytes) -> str:
    """What is wrong with how a webhook is read; empty where it is read, or refused with a reason."""
    try:
        read(subject, body)
    except WebhookRefused as refused:
        return "" if refused.detail else "refused without a reason"
    except Exception as error:  # noqa: BLE001 - whatever it is, it should not have been
        return repr(error)
    return ""


@pytest.fixture
def material(request: pytest.FixtureRequest) -> Path | None:
    """The reference material, where it is at hand; without it the fixtures must do."""
    try:
        found: Path = request.getfixturevalue("reference")
    except pytest.skip.Exception:
        return None
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_whatever_a_field_holds_an_event_is_read_or_refused_in_words(
    vendor: str, material: Path | None
) -> None:
    """Changes whose fields are what they claim to be, or a refusal that says what is wrong: nothing else."""
    subject = Subject(registry.get(vendor))
    tried: Counter[tuple[Place, str]] = Counter()
    for name, body in bodies(vendor, subject, material).items():
        for place in places(body):
            value = body
            for step in place:
                value = value[step]
            ways = [("left out", ...)] if place and isinstance(place[-1], str) else []
            for way, new in (*ways, *drifted(value)):
                tried[place, way] += 1
                if tried[place, way] > _OFTEN:
                    continue
                where = f"{name}: {'.'.join(map(str, place))} {way}"
                assert survives(subject, json.dumps(changed(body, place, new)).encode()) == "", where


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_new_key_or_a_mark_before_the_body_changes_nothing(vendor: str) -> None:
    """Vendors add keys at any time; some servers write a byte order mark, or escape all that isn't ASCII."""
    subject = Subject(registry.get(vendor))
    for body in subject.webhooks.values():
        same = read(subject, body)
        assert read(subject, b"\xef\xbb\xbf" + body) == same
        assert read(subject, json.dumps(json.loads(body), ensure_ascii=True).encode()) == same


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"null", b"7", b'"x"', b"[[]]", b"\xff\xfe", b"NaN"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_no_event_is_refused_or_passed_over(vendor: str, body: bytes) -> None:
    """An empty body, half of one, a bare value: no exception but a refusal."""
    subject = Subject(registry.get(vendor))
    webhook = subject.webhook(body)
    for signature in subject.signatures[:1]:
        webhook = subject.signed(signature, webhook)
    with contextlib.suppress(WebhookRefused):
        assert subject.make().verify(webhook, now=NOW).deliveries == ()


def test_half_a_character_costs_a_text_that_character_and_no_more() -> None:
    """A name that was cut in the middle of an emoji: Sunshine would take a refusal for final."""
    subject = Subject(registry.get("sunshine"))
    body = subject.webhooks["conversation_message"].replace(b'"text": "', rb'"text": "\ud83d ', 1)
    assert rb"\ud83d " in body
    (*_, posted) = subject.parse(body)
    assert posted.message.text.startswith("? ")  # type: ignore[union-attr]
