"""Live streams: what was said in them lately. Pure.

All conversations of a connection whose `stream` is the same are one. One without is a stream of its own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from sync.thread import ConversationState

MINUTE = timedelta(minutes=1)
Key = tuple[str, str]
"""A connection and the stream's name, or the conversation's ref where it has none."""


class Said(Struct, frozen=True, kw_only=True):
    """A reply of the AI."""

    text: str
    sources: tuple[str, ...] = ()
    """The language, then the passages that it rests on."""
    at: datetime


class Stream(Struct, kw_only=True):
    """What the AI has said in one stream lately."""

    said: list[Said] = field(default_factory=list)

    def repeats(self, new: Said, *, within: timedelta) -> Said | None:
        """The like of it that was said so recently: in the same words, or from the same passages."""
        return next((each for each in self.said if new.at - each.at < within and _alike(each, new)), None)

    def is_full(self, now: datetime, *, most: int) -> bool:
        """Whether so many replies were made within the last minute."""
        return sum(now - each.at < MINUTE for each in self.said) >= most


def _alike(one: Said, other: Said) -> bool:
    return one.text == other.text or (bool(one.sources) and one.sources == other.sources)


def key_of(conversation: ConversationState) -> Key:
    """Which stream a live conversation belongs to."""
    return conversation.connection, conversation.stream or f"#{conversation.ref}"


def sources_of(answer: Mapping[str, Any], language: str) -> tuple[str, ...]:
    """The language and passages of an answer; none when it cites none."""
    told = answer.get("citations", ())
    cited = sorted({str(each["passage_ref"]) for each in told if "passage_ref" in each})
    return (str(answer.get("language") or language), *cited) if cited else ()
