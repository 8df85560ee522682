"""Our own messages are known again, even where the helpdesk keeps nothing that we could know them by."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from adapters.model import Author, ConversationRecord, MessagePosted, MessageRecord, Origin, Person
from sync.echo import Sent, find_own
from sync.lease import Holder, Lease
from sync.mirror import CustomerSpoke, Echoed, Seen, apply_message
from sync.thread import ConversationState, Refs, Thread

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
MEI = Person("mei", "Mei Lin")


def written(text: str = "Let me see.", person: Person | None = MEI, remote_id: str | None = None) -> Sent:
    """A reply of ours, on its way unless it has the helpdesk's id."""
    return Sent(
        ref=10,
        conversation_ref=1,
        kind="reply",
        key="key-10",
        created_at=NOW,
        text=text,
        private=False,
        author="agent" if person else "ai",
        person=person,
        remote_id=remote_id,
        claimed_at=NOW,
    )


def heard(text: str, token: str | None = None) -> MessageRecord:
    """A message that the helpdesk tells of, a second later, under the name that all our calls bear."""
    return MessageRecord(
        id="77", author=Author.AGENT, text=text, sent_at=NOW + timedelta(seconds=1), token=token
    )


@pytest.mark.parametrize("text", ["Let me see.", "Mei Lin: Let me see.", "Mei Lin:  Let  me see.\n"])
def test_a_persons_words_are_ours_with_their_name_before_them(text: str) -> None:
    """An echo that is faster than the answer to our request has neither token nor known id."""
    sent = written()
    own = find_own(heard(text), [sent])
    assert own is not None
    assert (own.sent, own.by) == (sent, "words")


@pytest.mark.parametrize("text", ["Otto: Let me see.", "Mei Lin: Let me see, please.", "Mei Lin"])
def test_other_words_are_somebody_elses(text: str) -> None:
    """Another name, or anything more, is another's message."""
    assert find_own(heard(text), [written()]) is None
    assert find_own(heard("Mei Lin: Let me see."), [written(person=None)]) is None


def test_a_message_with_another_token_or_id_is_somebody_elses() -> None:
    """What tells itself apart is not compared by its words."""
    assert find_own(heard("Let me see.", token="key-11"), [written()]) is None
    assert find_own(heard("Let me see."), [written(remote_id="76")]) is None


@pytest.mark.parametrize(("author", "ours"), [("customer", True), ("ai", False)])
def test_only_relayed_words_come_back_as_the_customers(author: str, *, ours: bool) -> None:
    """At a desk that we told what they said; a customer who repeats the AI's words says them."""
    sent = msgspec.structs.replace(written(person=None), author=author)
    there = ConversationState(ref=1, connection="desk", id="con_1", created_at=NOW)
    thread = Thread(conversation=there, lease=Lease(holder=Holder.NOBODY, epoch=1, since=NOW), ledger=[sent])
    said = msgspec.structs.replace(heard("Let me see."), author=Author.CUSTOMER)
    told = MessagePosted(message=said, conversation=ConversationRecord(id="con_1"), occurred_at=NOW)
    (meaning,) = apply_message(thread, told, Seen(event_ref=1, origin=Origin.LIVE, now=NOW), Refs(1))
    assert isinstance(meaning, Echoed if ours else CustomerSpoke)
