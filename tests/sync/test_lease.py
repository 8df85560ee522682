"""The lease: who may speak, whatever happens in whatever order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.model import Person
from sync.lease import (
    Assigned,
    Claimed,
    Closed,
    HandedOff,
    Happening,
    Holder,
    Lease,
    PersonOpened,
    PersonSpoke,
    Returned,
    advance,
    first_lease,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANN, BEN = Person(id="a", name="Ann"), Person(id="b", name="Ben")

people = st.sampled_from([ANN, BEN])
happenings: st.SearchStrategy[Happening] = st.one_of(
    st.builds(PersonSpoke, st.one_of(st.none(), people)),
    st.builds(Assigned, people),
    st.builds(Claimed, people),
    st.sampled_from([PersonOpened(), HandedOff(), Returned(), Closed()]),
)


def held(by: Holder, person: Person | None = None) -> Lease:
    """A lease in its third epoch."""
    return Lease(holder=by, epoch=3, since=NOW, person=person)


@pytest.mark.parametrize(
    ("before", "happening", "after"),
    [
        (held(Holder.AI), PersonSpoke(ANN), Holder.SAAS_AGENT),
        (held(Holder.AI), PersonSpoke(None), Holder.SAAS_AGENT),
        (held(Holder.AI), Assigned(ANN), Holder.SAAS_AGENT),
        (held(Holder.AI), PersonOpened(), Holder.NOBODY),
        (held(Holder.AI), HandedOff(), Holder.NOBODY),
        (held(Holder.NOBODY), Claimed(ANN), Holder.DESK_AGENT),
        (held(Holder.NOBODY), PersonSpoke(ANN), Holder.SAAS_AGENT),
        (held(Holder.DESK_AGENT, ANN), PersonSpoke(BEN), Holder.SAAS_AGENT),
        (held(Holder.DESK_AGENT, ANN), Claimed(BEN), Holder.DESK_AGENT),
        (held(Holder.DESK_AGENT, ANN), Returned(), Holder.AI),
        (held(Holder.DESK_AGENT, ANN), Closed(), Holder.AI),
        (held(Holder.SAAS_AGENT, ANN), Closed(), Holder.AI),
        (held(Holder.SAAS_AGENT, ANN), Claimed(BEN), Holder.DESK_AGENT),
    ],
)
def test_a_change_of_holder_starts_a_new_epoch(before: Lease, happening: Happening, after: Holder) -> None:
    """The table of moves."""
    moved = advance(before, happening, now=NOW)
    assert (moved.holder, moved.epoch) == (after, 4)


@pytest.mark.parametrize(
    ("before", "happening"),
    [
        (held(Holder.AI), Closed()),
        (held(Holder.AI), Returned()),
        (held(Holder.NOBODY), HandedOff()),
        (held(Holder.NOBODY), PersonOpened()),
        (held(Holder.SAAS_AGENT, ANN), PersonSpoke(ANN)),
        (held(Holder.SAAS_AGENT, ANN), PersonSpoke(None)),
        (held(Holder.SAAS_AGENT, ANN), HandedOff()),
        (held(Holder.DESK_AGENT, ANN), Assigned(BEN)),
        (held(Holder.DESK_AGENT, ANN), Claimed(ANN)),
        (held(Holder.DESK_AGENT, ANN), PersonOpened()),
    ],
)
def test_what_moves_nobody_leaves_the_epoch_alone(before: Lease, happening: Happening) -> None:
    """The same lease, so nothing is recorded and nothing withdrawn."""
    assert advance(before, happening, now=NOW) is before


@given(st.lists(happenings, max_size=30))
def test_an_epoch_only_grows_and_has_one_holder(story: list[Happening]) -> None:
    """Over any story: a new epoch exactly when the holder or the person changes."""
    lease = first_lease(assignee=None, ai=True, now=NOW)
    for number, happening in enumerate(story):
        moved = advance(lease, happening, now=NOW + timedelta(seconds=number))
        changed = (moved.holder, moved.person) != (lease.holder, lease.person)
        assert moved.epoch == lease.epoch + changed
        lease = moved


@given(
    st.lists(happenings, max_size=30), st.one_of(st.builds(PersonSpoke, people), st.builds(Claimed, people))
)
def test_the_ai_never_holds_it_after_a_person_spoke(story: list[Happening], spoke: Happening) -> None:
    """Promise 4, whatever came before."""
    lease = first_lease(assignee=None, ai=True, now=NOW)
    for happening in [*story, spoke]:
        lease = advance(lease, happening, now=NOW)
    assert lease.holder is not Holder.AI


def test_a_conversation_that_somebody_has_already_is_theirs() -> None:
    """First seen with an assignee, or where our AI doesn't answer."""
    assert first_lease(assignee=ANN, ai=True, now=NOW).holder is Holder.SAAS_AGENT
    assert first_lease(assignee=None, ai=False, now=NOW).holder is Holder.NOBODY
