"""The mirror's status stays the helpdesk's, though snapshots overtake our own changes."""

from datetime import UTC, datetime, timedelta

import msgspec

from adapters.model import ConversationRecord, Status
from sync.echo import Sent
from sync.lease import Holder, Lease
from sync.mirror import Resolved, apply_conversation
from sync.thread import ConversationState, Spoken, Thread

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def set_by_us(ref: int, status: Status) -> Sent:
    """A command of ours that set a status."""
    return Sent(
        ref=ref,
        conversation_ref=1,
        kind="set_status",
        key=f"key-{ref}",
        created_at=NOW,
        text=status,
        private=False,
        author="system",
        person=None,
        remote_id=None,
        claimed_at=NOW,
    )


def thread(status: Status, *ledger: Sent) -> Thread:
    """A conversation as the mirror has it."""
    return Thread(
        conversation=ConversationState(ref=1, connection="shop", id="con_1", status=status, created_at=NOW),
        lease=Lease(holder=Holder.NOBODY, epoch=2, since=NOW),
        ledger=list(ledger),
    )


def hear(of: Thread, status: Status, seconds: int) -> tuple[object, ...]:
    """The helpdesk tells of a status."""
    at = NOW + timedelta(seconds=seconds)
    return apply_conversation(of, ConversationRecord(id="con_1", status=status, updated_at=at), at=at)


def test_an_old_snapshot_does_not_outlive_the_echo_of_our_change() -> None:
    """A message that left before our change still tells the old status; the echo puts it right."""
    ours = thread(Status.OPEN, set_by_us(10, Status.OPEN))
    hear(ours, Status.PENDING, 1)
    assert hear(ours, Status.OPEN, 2) == ()
    assert ours.conversation.status == Status.OPEN


def test_what_was_so_before_is_no_echo_of_what_we_set_last() -> None:
    """Opened and given back here, while nothing was sent: an old "pending" is not the giving back told back.

    Had it counted as such, our own opening, told back later, would look like an agent's.
    """
    not_sent = [
        msgspec.structs.replace(set_by_us(ref, status), claimed_at=None, state="waiting")
        for ref, status in ((10, Status.OPEN), (11, Status.PENDING))
    ]
    ours = thread(Status.PENDING, *not_sent)
    assert hear(ours, Status.PENDING, 1) == ()
    assert ours.heard == []
    ours.ledger = [set_by_us(10, Status.OPEN), msgspec.structs.replace(not_sent[1], claimed_at=NOW)]
    assert hear(ours, Status.PENDING, 2) == ()
    assert hear(ours, Status.OPEN, 3) == ()
    assert hear(ours, Status.PENDING, 4) == ()
    assert ours.heard == [10, 11]
    assert ours.conversation.status == Status.PENDING


def test_a_late_echo_does_not_undo_a_newer_change_of_ours() -> None:
    """We opened it, then gave it back: hearing of the opening changes nothing."""
    ours = thread(Status.PENDING, set_by_us(10, Status.OPEN), set_by_us(11, Status.PENDING))
    assert hear(ours, Status.OPEN, 1) == ()
    assert ours.conversation.status == Status.PENDING


def test_a_resolving_told_late_leaves_what_was_asked_since_to_the_ai() -> None:
    """Polling has told the customer's next question already: it is not over."""
    ours = thread(Status.PENDING)
    asked = Spoken(id="msg_2", author="customer", text="And now?", sent_at=NOW + timedelta(seconds=5))
    ours.recent = [asked]
    assert hear(ours, Status.RESOLVED, 3) == (Resolved(late=False, since=(asked,)),)
    assert ours.conversation.resolved_at == NOW + timedelta(seconds=3)


def test_a_resolving_told_after_a_persons_later_word_is_past() -> None:
    """They have it again: it is neither closed nor given to the AI."""
    ours = thread(Status.PENDING)
    ours.recent = [Spoken(id="msg_2", author="agent", text="Wait", sent_at=NOW + timedelta(seconds=5))]
    assert hear(ours, Status.RESOLVED, 3) == ()


def test_our_own_word_since_keeps_nobody() -> None:
    """The desk replied after the agent had resolved it: whoever spoke before that has let go."""
    ours = thread(Status.RESOLVED, set_by_us(10, Status.RESOLVED))
    since = NOW + timedelta(seconds=5)
    ours.recent = [Spoken(id="msg_2", author="agent", text="Mei here", sent_at=since, command_ref=7)]
    assert hear(ours, Status.RESOLVED, 3) == (Resolved(late=True),)


def test_resolved_by_a_person_while_ours_is_under_way_is_resolved() -> None:
    """Whose doing it was doesn't matter: who spoke before it has let go."""
    waiting = msgspec.structs.replace(set_by_us(10, Status.RESOLVED), claimed_at=None, state="waiting")
    ours = thread(Status.RESOLVED, waiting)
    assert hear(ours, Status.RESOLVED, 3) == (Resolved(late=True),)
    assert hear(ours, Status.PENDING, 4) == ()
