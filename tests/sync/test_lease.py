"""The lease: who may speak, whatever happens in whatever order."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.model import Person
from sync.lease import (
    Assigned,
    Claimed,
    Closed,
    DeskBotTook,
    HandedOff,
    Happening,
    Holder,
    Lease,
    OtherBotFellSilent,
    OtherBotSpoke,
    PersonOpened,
    PersonSpoke,
    Returned,
    advance,
    first_lease,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANN, BEN = Person(id="a", name="Ann"), Person(id="b", name="Ben")

# What every happening does to every holder, in words of its own: `=` leaves it, `!` is another person.
TABLE = """
                    ai          other_bot   nobody      saas_agent  desk_agent
PersonSpoke         saas_agent  saas_agent  saas_agent  =           saas_agent
PersonSpoke(BEN)    saas_agent  saas_agent  saas_agent  !           saas_agent
OtherBotSpoke       other_bot   =           =           =           =
DeskBotTook         other_bot   =           other_bot   =           =
OtherBotFellSilent  =           ai          =           =           =
Assigned(BEN)       saas_agent  saas_agent  saas_agent  !           =
PersonOpened        nobody      nobody      =           =           =
HandedOff           nobody      nobody      =           =           =
Claimed(BEN)        desk_agent  desk_agent  desk_agent  desk_agent  !
Returned            =           ai          ai          ai          ai
Returned(BOT)       other_bot   =           other_bot   other_bot   other_bot
Closed              =           ai          ai          ai          ai
Closed(BOT)         other_bot   =           other_bot   other_bot   other_bot
Closed(NOBODY)      nobody      nobody      =           nobody      nobody
"""
HAPPENINGS: dict[str, Happening] = {
    "PersonSpoke": PersonSpoke(None),
    "PersonSpoke(BEN)": PersonSpoke(BEN),
    "OtherBotSpoke": OtherBotSpoke(),
    "DeskBotTook": DeskBotTook(),
    "OtherBotFellSilent": OtherBotFellSilent(),
    "Assigned(BEN)": Assigned(BEN),
    "PersonOpened": PersonOpened(),
    "HandedOff": HandedOff(),
    "Claimed(BEN)": Claimed(BEN),
    "Returned": Returned(),
    "Returned(BOT)": Returned(Holder.OTHER_BOT),
    "Closed": Closed(),
    "Closed(BOT)": Closed(Holder.OTHER_BOT),
    "Closed(NOBODY)": Closed(Holder.NOBODY),
}
PEOPLE = frozenset({Holder.SAAS_AGENT, Holder.DESK_AGENT})


def cells() -> list[tuple[str, str, str]]:
    """Holder before, happening and outcome of every cell."""
    head, *rows = TABLE.strip().splitlines()
    holders = head.split()
    return [
        (holder, name, outcome)
        for name, *outcomes in (row.split() for row in rows)
        for holder, outcome in zip(holders, outcomes, strict=True)
    ]


def held(by: str) -> Lease:
    """A lease in its third epoch; with people it is Ann's."""
    holder = Holder(by)
    return Lease(holder=holder, epoch=3, since=NOW, person=ANN if holder in PEOPLE else None)


def test_every_pair_of_holder_and_happening_is_in_the_table() -> None:
    """Nothing is left to chance: a new holder or happening must be decided here, too."""
    decided = {(holder, type(HAPPENINGS[name])) for holder, name, _ in cells()}
    assert decided == set(product((holder.value for holder in Holder), get_args(Happening)))


@pytest.mark.parametrize(("holder", "name", "outcome"), cells())
def test_the_table_of_moves(holder: str, name: str, outcome: str) -> None:
    """A move starts a new epoch; what moves nobody gives the same lease, so nothing is recorded."""
    before, later = held(holder), NOW + timedelta(seconds=1)
    after = advance(before, HAPPENINGS[name], now=later)
    if outcome == "=":
        assert after is before
        return
    assert after.holder == (holder if outcome == "!" else outcome)
    assert (after.epoch, after.since) == (4, later)
    assert after.person == (BEN if "BEN" in name else None)


def test_a_person_is_not_disturbed_by_their_own_deeds() -> None:
    """Speaking again, being assigned what one has, claiming again: no new epoch."""
    ann = Lease(holder=Holder.SAAS_AGENT, epoch=3, since=NOW, person=ANN)
    assert advance(ann, PersonSpoke(ANN), now=NOW) is ann
    assert advance(ann, Assigned(ANN), now=NOW) is ann
    desk = Lease(holder=Holder.DESK_AGENT, epoch=3, since=NOW, person=ANN)
    assert advance(desk, Claimed(ANN), now=NOW) is desk


def test_a_nameless_person_is_not_taken_for_the_desk_agent() -> None:
    """Somebody wrote from the channel's own app: the lease leaves the desk, and nobody's name is on it."""
    desk = Lease(holder=Holder.DESK_AGENT, epoch=3, since=NOW, person=ANN)
    after = advance(desk, PersonSpoke(None), now=NOW)
    assert (after.holder, after.person) == (Holder.SAAS_AGENT, None)


def test_a_conversation_that_somebody_has_already_is_theirs() -> None:
    """First seen with an assignee, or where our AI doesn't answer."""
    assert first_lease(assignee=ANN, voice=Holder.AI, now=NOW).holder is Holder.SAAS_AGENT
    assert first_lease(assignee=None, voice=Holder.NOBODY, now=NOW).holder is Holder.NOBODY


people = st.sampled_from([ANN, BEN])


class LeaseMachine(RuleBasedStateMachine):
    """Any story; `spoke` is who was heard last, so that nobody else may hold the lease right after."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW
        self.lease = first_lease(assignee=None, voice=Holder.AI, now=NOW)
        self.history = [self.lease]
        self.latest: Happening = Returned()

    def happen(self, happening: Happening) -> None:
        """One more thing, a second later."""
        self.at += timedelta(seconds=1)
        self.lease = advance(self.lease, happening, now=self.at)
        self.history.append(self.lease)
        self.latest = happening

    @rule(person=st.one_of(st.none(), people))
    def person_speaks(self, person: Person | None) -> None:
        """At the helpdesk."""
        self.happen(PersonSpoke(person))

    @rule(person=people)
    def person_claims_or_speaks_at_the_desk(self, person: Person) -> None:
        """In house."""
        self.happen(Claimed(person))

    @rule(person=people)
    def assigned(self, person: Person) -> None:
        """By whomever."""
        self.happen(Assigned(person))

    @rule(
        happening=st.sampled_from(
            [
                OtherBotSpoke(),
                DeskBotTook(),
                OtherBotFellSilent(),
                PersonOpened(),
                HandedOff(),
                Returned(),
                Returned(Holder.OTHER_BOT),
                Closed(),
                Closed(Holder.NOBODY),
            ]
        )
    )
    def anything_else(self, happening: Happening) -> None:
        """Without a name."""
        self.happen(happening)

    @invariant()
    def the_ai_is_silent_right_after_somebody_else_spoke(self) -> None:
        """Promise 4, whatever came before."""
        if isinstance(self.latest, PersonSpoke | Claimed | OtherBotSpoke):
            assert self.lease.holder is not Holder.AI

    @invariant()
    def only_a_person_or_an_end_takes_it_from_a_person(self) -> None:
        """Neither a bot nor a rule nor a status does."""
        if len(self.history) > 1 and self.history[-2].holder in PEOPLE:
            freed = isinstance(self.latest, Returned | Closed)
            assert freed or self.lease.holder in PEOPLE

    @invariant()
    def the_epoch_grows_exactly_with_holder_or_person(self) -> None:
        """By one, and never otherwise: what was decided under an older one is out of date."""
        if len(self.history) > 1:
            before, after = self.history[-2:]
            changed = (before.holder, before.person) != (after.holder, after.person)
            assert after.epoch == before.epoch + changed
            assert (after.since == self.at) is changed

    @invariant()
    def only_people_have_names(self) -> None:
        """No bot speaks under a person's name."""
        assert self.lease.person is None or self.lease.holder in PEOPLE


LeaseMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLease = LeaseMachine.TestCase
