"""The pure part of pulling: keys, ages, circles, where to go on, and what differs."""

from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.model import (
    Author,
    ConversationChanged,
    ConversationRecord,
    CustomerChanged,
    CustomerRecord,
    Identity,
    IdentityKind,
    MessagePosted,
    MessageRecord,
    Origin,
    Person,
    Status,
)
from sync.compare import (
    HeldConversation,
    HeldCustomer,
    HeldMessage,
    conversation_differs,
    customer_differs,
    message_differs,
)
from sync.pull import (
    MOST_CHANGES,
    Circle,
    End,
    Pulled,
    RepeatedCursorError,
    events,
    remember,
    restart,
)

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def posted(number: int, *, at: datetime = NOW, where: str = "con_1", text: str = "hello") -> MessagePosted:
    """A customer's message."""
    return MessagePosted(
        message=MessageRecord(
            id=f"msg_{number}", author=Author.CUSTOMER, text=text, sent_at=at, raw={"vendor": number}
        ),
        conversation=ConversationRecord(id=where),
        occurred_at=at,
    )


def test_the_same_page_has_the_same_keys_and_a_changed_record_another() -> None:
    """Also when what the vendor adds in its own shape is different every time."""
    first = events([posted(1), posted(2)], space="backfill/7", live_from=None)
    dressed = msgspec.structs.replace(
        posted(1), message=msgspec.structs.replace(posted(1).message, raw={"signed_url": "other"})
    )
    again = events([dressed, posted(2)], space="backfill/7", live_from=None)
    edited = events([posted(1, text="hello!"), posted(2)], space="backfill/7", live_from=None)
    other_run = events([posted(1), posted(2)], space="backfill/8", live_from=None)
    assert [e.key for e in first] == [e.key for e in again]
    assert {e.key for e in first}.isdisjoint(e.key for e in (*edited, *other_run))


def test_what_is_read_back_is_what_was_pulled() -> None:
    """All three kinds of change, but for what the vendor added."""
    customer = CustomerRecord(id="cus_1", name="Ann", identities=(Identity(IdentityKind.EMAIL, "a@b.c"),))
    conversation = ConversationRecord(id="con_1", status=Status.OPEN, assignee=None, updated_at=NOW)
    changes: list[Pulled] = [
        CustomerChanged(customer=customer, occurred_at=NOW),
        ConversationChanged(conversation=conversation, customer=customer, occurred_at=NOW),
        posted(1),
    ]
    told = events(changes, space="x", live_from=None)
    back = [c for e in told for c in msgspec.json.decode(e.body(), type=tuple[Pulled, ...])]
    assert back[:2] == changes[:2]
    assert back[2].message.raw == {}
    assert [e.lane for e in told] == ["customer:cus_1", "con_1"]


@given(st.lists(st.tuples(st.sampled_from(["con_1", "con_2"]), st.integers(0, 20)), max_size=120))
def test_events_keep_every_change_in_its_order(pairs: list[tuple[str, int]]) -> None:
    """However they are grouped: one lane and one origin an event, and no event too large."""
    changes = [
        posted(number, where=where, at=NOW - age * MINUTE) for number, (where, age) in enumerate(pairs)
    ]
    told = events(changes, space="poll/1", live_from=NOW - 10 * MINUTE)
    kept = [c.message.id for e in told for c in e.changes if isinstance(c, MessagePosted)]
    assert kept == [c.message.id for c in changes]
    for event in told:
        assert len(event.changes) <= MOST_CHANGES
        recent = {c.occurred_at >= NOW - 10 * MINUTE for c in event.changes}
        assert recent == {event.origin is Origin.LIVE}


def test_without_a_limit_of_age_everything_is_history() -> None:
    """A backfill brings nothing live, however recent."""
    (event,) = events([posted(1)], space="backfill/1", live_from=None)
    assert event.origin is Origin.BACKFILL


@given(tail=st.integers(0, 40), length=st.integers(1, 60))
def test_every_circle_is_noticed(tail: int, length: int) -> None:
    """Whatever leads into it and however long it is, within a few rounds."""
    circle = Circle()
    cursors = (f"c{step}" if step < tail else f"r{(step - tail) % length}" for step in count())
    with pytest.raises(RepeatedCursorError, match="circles"):
        deque(map(circle.step, islice(cursors, 3 * (tail + length) + 3)))


def test_a_walk_without_circles_is_left_alone() -> None:
    """A hundred thousand cursors, all different."""
    circle = Circle()
    for step in range(100_000):
        circle.step(str(step))


def test_a_page_that_says_neither_where_nor_end_is_refused() -> None:
    """Reading on would begin again."""
    with pytest.raises(RepeatedCursorError, match="not from where"):
        Circle().step(None)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.integers(0, 600))
def test_a_walk_begins_at_an_end_that_is_old_enough(pauses: list[int], overlap: int) -> None:
    """Never later than `overlap` ago once there is such an end, and few ends are kept."""
    window = timedelta(seconds=overlap)
    ends: list[End] = []
    every: list[End] = []
    now = NOW
    for number, pause in enumerate(pauses):
        now += timedelta(seconds=pause)
        end = End(now, str(number))
        every.append(end)
        ends = remember(ends, end, overlap=window)
    old = [end for end in every if now - end.at >= window]
    expected = old[-1] if old else every[0]
    assert restart(ends, now=now, overlap=window) == expected.cursor
    assert len(ends) <= overlap + 2
    assert restart([], now=now, overlap=window) is None


HELD = HeldConversation(
    ref=1,
    channel="chat",
    stream="",
    status="open",
    tags=["vip"],
    assignee={"id": "agent_1", "name": "Lin"},
    subject="",
    url="",
    attributes={},
    vendor_updated_at=NOW,
    customer_id="cus_1",
)


def test_a_conversation_differs_in_what_the_vendor_says_otherwise() -> None:
    """What it doesn't mention doesn't differ."""
    same = ConversationRecord(
        id="con_1", status=Status.OPEN, tags=("vip",), assignee=Person("agent_1", "Lin"), updated_at=NOW
    )
    other = ConversationRecord(
        id="con_1", status=Status.RESOLVED, tags=(), assignee=None, updated_at=NOW + MINUTE
    )
    assert conversation_differs(same, HELD) == ()
    assert conversation_differs(ConversationRecord(id="con_1"), HELD) == ()
    assert conversation_differs(other, HELD) == ("status", "tags", "assignee")
    assert conversation_differs(same, None) == ("missing",)


def test_a_page_older_than_what_we_hold_differs_in_nothing() -> None:
    """A webhook was faster."""
    stale = ConversationRecord(id="con_1", status=Status.PENDING, updated_at=NOW - MINUTE)
    assert conversation_differs(stale, HELD) == ()


def test_a_conversation_whose_customer_we_lack_differs() -> None:
    """It came before its customer did."""
    lonely = msgspec.structs.replace(HELD, customer_id=None)
    assert conversation_differs(ConversationRecord(id="con_1", customer_id="cus_1"), lonely) == ("customer",)


def test_a_customer_differs_in_fields_and_new_addresses() -> None:
    """An address that we know in addition is no difference: others may have told us."""
    held = HeldCustomer(
        ref=1,
        name="Ann",
        language=None,
        attributes={},
        vendor_updated_at=None,
        known={("vendor", "cus_1"), ("email", "a@b.c")},
    )
    same = CustomerRecord(id="cus_1", name="Ann", identities=(Identity(IdentityKind.VENDOR, "cus_1"),))
    moved = CustomerRecord(id="cus_1", name="Anna", identities=(Identity(IdentityKind.EMAIL, "x@b.c"),))
    assert customer_differs(same, held) == ()
    assert customer_differs(moved, held) == ("name", "identities")
    assert customer_differs(same, None) == ("missing",)


def test_our_own_message_may_come_back_in_other_dress() -> None:
    """Only other people's messages can have been edited."""
    record = posted(1, text="Lin: hello").message
    held = {"msg_1": HeldMessage(text="hello", own=True, seen_at=NOW)}
    assert message_differs(record, held) == ()
    assert message_differs(record, {"msg_1": HeldMessage(text="hello", own=False, seen_at=NOW)}) == ("text",)
    assert message_differs(record, {}) == ("missing",)
