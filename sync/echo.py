"""Recognising what we wrote ourselves. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from adapters.model import Author, MessageRecord, Person

WINDOW = timedelta(minutes=10)


SKEW = timedelta(minutes=1)
"""A vendor's clock may be behind ours by so much."""


class Guess(Struct, frozen=True, kw_only=True):
    """A message that is held for the echo of a command until that is settled, as the vendor told it.

    By equal `words`, or only because it came in the `moment` in which the command was being sent.
    """

    by: str
    ref: int
    id: str
    author: Author
    person: Person | None
    text: str
    private: bool
    sent_at: datetime
    seen_at: datetime


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
    state: str = "done"
    outcome_unknown: bool = False
    held: tuple[Guess, ...] = ()
    """Messages that may be its echo; one at most stays when it is settled."""
    doubt: bool = False
    """Whether that is still to be looked at."""
    epoch: int | None = None
    """The lease under which it was decided, if it speaks for the AI."""
    done_at: datetime | None = None
    vendor_at: datetime | None = None
    """When the vendor says that it was sent."""
    heard: bool = False
    """Whether a status was told back to us."""
    turn: int | None = None
    """The turn that it answers."""

    @property
    def unfinished(self) -> bool:
        """Whether the vendor may not know of it yet."""
        return self.state in {"waiting", "in_flight"}

    @property
    def possible(self) -> bool:
        """Whether the vendor may know of it: what never left, or was refused, has no echo."""
        return self.state in {"in_flight", "done"} or self.outcome_unknown

    @property
    def awaited(self) -> bool:
        """Whether an echo of it may still come without the vendor's telling that it is one."""
        return self.remote_id is None and self.possible and (self.unfinished or not self.held)

    @property
    def echoes(self) -> tuple[Guess, ...]:
        """Which of the held messages stay, as far as can be known when it isn't being sent.

        The vendor's id says so. Until it is known, those of equal words; in the end one of them. None of a
        command that never arrived.
        """
        if self.remote_id is not None:
            return tuple(guess for guess in self.held if guess.id == self.remote_id)
        alike = tuple(guess for guess in self.held if guess.by == "words") if self.possible else ()
        return alike if self.unfinished else alike[:1]


class Own(Struct, frozen=True, kw_only=True):
    """The command that a message is the echo of; `by` says how we know: `certain`, `words` or `moment`."""

    sent: Sent
    by: str


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _says(message: MessageRecord, sent: Sent) -> bool:
    """Whether a message says what we wrote, perhaps with the person's name before it.

    Where we can only write under one name, adapters put the speaker's in front.
    """
    said, meant = _plain(message.text), _plain(sent.text)
    return said == meant or (sent.person is not None and said == _plain(f"{sent.person.name}: {sent.text}"))


def find_own(message: MessageRecord, ledger: Iterable[Sent], *, tokens: bool = False) -> Own | None:
    """The command that wrote `message`, if one of ours did.

    By our token, then by the vendor's id. Where the vendor doesn't keep our `tokens`, and the id isn't known
    yet: by equal words within a window; then, while a command is being sent, by the moment alone, as some
    vendors dress up what we write. These two are guesses: when the command is settled, one at most stays, for
    one command has one echo (`Sent.echoes`), and the others are given back (`sync.doubts`).
    """
    entries = tuple(sent for sent in ledger if sent.kind in {"reply", "note"})
    known = next((own for sent in entries if (own := _known(message, sent))), None)
    if known is not None or tokens or message.token is not None:
        return known
    near = [sent for sent in entries if sent.awaited and _near(message, sent)]
    alike = next((sent for sent in near if _says(message, sent)), None)
    if alike is not None:
        return Own(sent=alike, by="words")
    being_sent = next((sent for sent in near if sent.state == "in_flight" and not message.private), None)
    return Own(sent=being_sent, by="moment") if being_sent else None


def _known(message: MessageRecord, sent: Sent) -> Own | None:
    if (message.token is not None and message.token == sent.key) or sent.remote_id == message.id:
        return Own(sent=sent, by="certain")
    guess = next((guess for guess in sent.held if guess.id == message.id), None)
    return Own(sent=sent, by=guess.by) if guess else None


def _near(message: MessageRecord, sent: Sent) -> bool:
    """Whether the times agree: no echo is older than its command, or much younger than its sending.

    Of one that is unfinished nobody knows yet when it was sent for the last time.
    """
    if sent.claimed_at is None or sent.private != message.private:
        return False
    over = not sent.unfinished and message.sent_at >= sent.claimed_at + WINDOW
    return message.sent_at >= sent.created_at - SKEW and not over


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
