"""What the helpdesk's own log proves, whatever the gateway believes. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import Struct

from adapters.vendors.memory.records import DeliveryLog, Message, RequestLog

HANDED_BACK = frozenset({"resolved", "pending"})


class Findings(Struct, frozen=True, kw_only=True):
    """What customers and agents saw."""

    doubled: tuple[str, ...]
    """Messages that were shown twice."""
    second_voices: tuple[str, ...]
    """What the AI said while a person had the conversation."""
    first_responses: tuple[timedelta, ...]
    """From the first message of a burst to the first reply by the AI, fastest first."""
    redelivered: int
    """Webhooks that were accepted more than once."""


def examine(
    messages: Sequence[Message], requests: Sequence[RequestLog], deliveries: Sequence[DeliveryLog]
) -> Findings:
    """Read the helpdesk's log."""
    groups = groupby(sorted(messages, key=_place), key=attrgetter("conversation_id"))
    threads = [list(group) for _, group in groups]
    returns = _returns(requests)
    return Findings(
        doubled=tuple(text for thread in threads for text in _doubled(thread)),
        second_voices=tuple(
            text for thread in threads for text in _second_voices(thread, returns[thread[0].conversation_id])
        ),
        first_responses=tuple(sorted(wait for thread in threads for wait in _first_responses(thread))),
        redelivered=_redelivered(deliveries),
    )


def percentile(sorted_values: Sequence[timedelta], share: float) -> timedelta:
    """The value that `share` of them do not exceed; zero of none."""
    if not sorted_values:
        return timedelta()
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def _place(message: Message) -> tuple[str, datetime]:
    return (message.conversation_id, message.created_at)


def _doubled(thread: Iterable[Message]) -> Iterable[str]:
    """The same words by the same author with no word of the customer in between."""
    said: set[tuple[str, str, bool]] = set()
    for message in thread:
        if message.author == "customer":
            said.clear()
            continue
        words = (message.author, message.text, message.private)
        if words in said:
            yield message.text
        said.add(words)


def _second_voices(thread: Iterable[Message], returns: Sequence[datetime]) -> Iterable[str]:
    """What the bot said after a person spoke, before the conversation was resolved or given back."""
    person_spoke: datetime | None = None
    for message in thread:
        if message.private:
            continue
        if message.author == "agent":
            person_spoke = message.created_at
        elif message.author == "bot" and person_spoke is not None:
            if any(person_spoke <= at <= message.created_at for at in returns):
                person_spoke = None
            else:
                yield message.text


class _Returns(dict[str, list[datetime]]):
    def __missing__(self, key: str) -> list[datetime]:
        return []


def _returns(requests: Iterable[RequestLog]) -> _Returns:
    """When each conversation was resolved or given back to the bot."""
    found = _Returns()
    for request in requests:
        body: Any = request.body
        if request.method == "PATCH" and isinstance(body, dict) and body.get("status") in HANDED_BACK:
            found.setdefault(request.path.rpartition("/")[2], []).append(request.at)
    return found


def _first_responses(thread: Iterable[Message]) -> Iterable[timedelta]:
    """How long each burst waited that the AI answered."""
    began: datetime | None = None
    for message in thread:
        if message.private:
            continue
        if message.author == "customer":
            began = began or message.created_at
        else:
            if message.author == "bot" and began is not None:
                yield message.created_at - began
            began = None


def _redelivered(deliveries: Iterable[DeliveryLog]) -> int:
    accepted = [delivery.event for delivery in deliveries if 200 <= delivery.status < 300]  # noqa: PLR2004 - HTTP's own
    return len(accepted) - len(set(accepted))
