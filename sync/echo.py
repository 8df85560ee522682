"""Recognising what we wrote ourselves. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from adapters.model import MessageRecord, Person

WINDOW = timedelta(minutes=10)


class Sent(Struct, frozen=True, kw_only=True):
    """A command in the ledger: decided, perhaps sent, perhaps confirmed (`remote_id`).

    `text` is what it says, or the status that it sets.
    """

    ref: int
    conversation_ref: int
    kind: str
    key: str
    created_at: datetime
    text: str
    private: bool
    author: str
    person: Person | None
    remote_id: str | None
    claimed_at: datetime | None
    unfinished: bool = False
    """Whether the vendor may not know of it yet."""
    heard: bool = False
    """Whether a status was told back to us."""


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _says(message: MessageRecord, sent: Sent) -> bool:
    """Whether a message says what we wrote, perhaps with the person's name before it.

    Where we can only write under one name, adapters put the speaker's in front.
    """
    said, meant = _plain(message.text), _plain(sent.text)
    return said == meant or (sent.person is not None and said == _plain(f"{sent.person.name}: {sent.text}"))


def find_own(message: MessageRecord, ledger: Iterable[Sent]) -> Sent | None:
    """The command that wrote `message`, if one of ours did.

    By our token, then by the vendor's id, then, for a command whose id isn't known yet, by equal
    content within a window: some vendors keep neither.
    """
    entries = tuple(sent for sent in ledger if sent.kind in {"reply", "note"})
    for sent in entries:
        if (message.token is not None and message.token == sent.key) or sent.remote_id == message.id:
            return sent
    if message.token is not None:
        return None
    for sent in entries:
        if (
            sent.remote_id is None
            and sent.claimed_at is not None
            and sent.private == message.private
            and abs(message.sent_at - sent.claimed_at) < WINDOW
            and _says(message, sent)
        ):
            return sent
    return None


def awaited_status(ledger: Iterable[Sent]) -> Sent | None:
    """The oldest status that we have sent and that wasn't told back yet: they come back in order."""
    unheard = (sent for sent in ledger if sent.kind == "set_status" and not sent.heard)
    first = min(unheard, key=lambda sent: sent.ref, default=None)
    return first if first is not None and first.claimed_at is not None else None


def latest_status(ledger: Iterable[Sent]) -> Sent | None:
    """The status that we set last."""
    return max(
        (sent for sent in ledger if sent.kind == "set_status"), key=lambda sent: sent.ref, default=None
    )


def is_own_status(status: str, at: datetime, ledger: Iterable[Sent]) -> bool:
    """Whether a reported status is our doing, or from before our latest doing.

    Each status that we set is told back once. Until that has come, reports may be older than it; once
    it has come, whatever differs is somebody else's.
    """
    entries = tuple(ledger)
    latest = latest_status(entries)
    if latest is None or latest.heard or abs(at - latest.created_at) >= WINDOW:
        return False
    return latest.unfinished or any(sent.kind == "set_status" and sent.text == status for sent in entries)
