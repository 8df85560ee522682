"""The ledger of what we sent: whatever the story, nobody is mistaken for somebody else for long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from adapters.model import Author, ConversationRecord, MessagePosted, MessageRecord, Origin, Person
from sync import doubts
from sync.echo import WINDOW, Guess, Sent, find_own
from sync.lease import Holder, Lease
from sync.mirror import AgentSpoke, Meaning, OtherBotSpoke, Seen, apply_message, spoken
from sync.thread import ConversationState, Refs, Thread

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ANN = Person("agent_1", "Ann")
TEXTS = st.sampled_from(["Hello.", "Let me see.", "It takes two days."])


class House:
    """One conversation's ledger and mirror, as they stand between transactions."""

    def __init__(self, *, tokens: bool) -> None:
        self.tokens = tokens
        self.now = NOW
        self.ledger: dict[int, Sent] = {}
        self.mirror: dict[str, int | None] = {}
        """What was told: the command that wrote it, `None` for somebody else's."""
        self.texts: dict[str, str] = {}
        self.taken_for_others: list[str] = []

    def thread(self) -> Thread:
        """What a batch loads."""
        return Thread(
            conversation=ConversationState(ref=1, connection="shop", id="con_1", created_at=NOW),
            lease=Lease(holder=Holder.AI, epoch=1, since=NOW),
            known_messages=dict(self.texts),
            ledger=[self.ledger[ref] for ref in sorted(self.ledger)],
            tokens=self.tokens,
        )

    def hear(self, record: MessageRecord) -> None:
        """A webhook is worked, as `gateway.wiring` does it."""
        thread = self.thread()
        change = MessagePosted(
            message=record, conversation=ConversationRecord(id="con_1"), occurred_at=record.sent_at
        )
        seen = Seen(event_ref=1, origin=Origin.LIVE, now=self.now)
        meanings = [*self._given_back(thread), *apply_message(thread, change, seen, Refs(4096))]
        self._save(thread, meanings)

    def look(self) -> None:
        """The timer finds doubts that are settled."""
        if any(sent.doubt and sent.state != "in_flight" for sent in self.ledger.values()):
            thread = self.thread()
            self._save(thread, self._given_back(thread))

    def settle(self, ref: int, **fields: Any) -> None:
        """The dispatcher stores an outcome, and with an id our own message."""
        sent = replace(self.ledger[ref], **fields)
        remote = sent.remote_id
        if not sent.unfinished:
            sent = replace(sent, doubt=bool(sent.held) and [guess.id for guess in sent.held] != [remote])
        self.ledger[ref] = sent
        if remote is not None:
            self.mirror[remote] = ref
            self.texts.setdefault(remote, self.ledger[ref].text)

    @staticmethod
    def _given_back(thread: Thread) -> list[Meaning]:
        return [
            meaning
            for guess, message in doubts.settle(thread)
            for meaning in spoken(message, guess.author, guess.person)
        ]

    def _save(self, thread: Thread, meanings: list[Meaning]) -> None:
        self.ledger.update(thread.doubts)
        self.texts = thread.known_messages
        for message in thread.messages:
            self.mirror[message.id] = message.command_ref
        for guess in thread.given_back:
            self.mirror[guess.id] = None
        for meaning in meanings:
            if isinstance(meaning, AgentSpoke | OtherBotSpoke):
                self.taken_for_others.append(meaning.message.id)


class EchoMachine(RuleBasedStateMachine):
    """A vendor, a dispatcher and a person; webhooks come in any order, or twice. One command at a time."""

    keeps_tokens = True
    dresses_up = False

    def __init__(self) -> None:
        super().__init__()
        self.house = House(tokens=self.keeps_tokens)
        self.posted: dict[str, MessageRecord] = {}
        self.ours: dict[str, int] = {}
        self.untold: list[str] = []
        self.number = 0

    def post(self, text: str, *, command: Sent | None = None) -> str:
        """A message appears at the vendor; its webhook will come."""
        self.number += 1
        name = f"msg_{self.number}"
        token = command.key if command and self.keeps_tokens else None
        shown = f"<p>{text}</p>" if command and self.dresses_up else text
        person = None if command else ANN
        self.posted[name] = MessageRecord(
            id=name, author=Author.AGENT, text=shown, sent_at=self.house.now, person=person, token=token
        )
        if command:
            self.ours[name] = command.ref
        self.untold.append(name)
        return name

    @property
    def current(self) -> Sent | None:
        """The command that isn't finished."""
        return next((s for s in self.house.ledger.values() if s.unfinished), None)

    @property
    def echo_at_vendor(self) -> str | None:
        """The message that the current command has left at the vendor."""
        current = self.current
        return next((name for name, ref in self.ours.items() if current and ref == current.ref), None)

    @rule(seconds=st.sampled_from([1, 30, 900]))
    def time_passes(self, seconds: int) -> None:
        """Sometimes beyond the window; the timers ring meanwhile."""
        self.house.look()
        self.house.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.current is None)
    @rule(text=TEXTS)
    def decide(self, text: str) -> None:
        """A reply is decided."""
        ref = 100 + len(self.house.ledger)
        self.house.ledger[ref] = Sent(
            ref=ref,
            conversation_ref=1,
            kind="reply",
            key=f"key-{ref}",
            created_at=self.house.now,
            text=text,
            private=False,
            author="ai",
            person=None,
            remote_id=None,
            claimed_at=None,
            state="waiting",
            epoch=1,
        )

    @precondition(lambda self: self.current is not None and self.current.state == "waiting")
    @rule()
    def claim(self) -> None:
        """It is being sent, unless doubts must be settled first; what may be there is looked up."""
        assert self.current is not None
        if any(sent.doubt and sent.state != "in_flight" for sent in self.house.ledger.values()):
            return
        self.house.settle(self.current.ref, state="in_flight", claimed_at=self.house.now)
        if self.current.outcome_unknown and self.echo_at_vendor:
            self.house.settle(
                self.current.ref, state="done", remote_id=self.echo_at_vendor, outcome_unknown=False
            )

    @precondition(lambda self: self.current is not None and self.current.state == "in_flight")
    @rule()
    def arrive(self) -> None:
        """The vendor takes it, once."""
        assert self.current is not None
        if self.echo_at_vendor is None:
            self.post(self.current.text, command=self.current)

    @precondition(lambda self: self.current is not None and self.current.state == "in_flight")
    @rule(crash=st.booleans())
    def end_of_the_attempt(self, crash: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
        """The answer comes and is stored, or the worker dies before; or the vendor refused."""
        assert self.current is not None
        ref, there = self.current.ref, self.echo_at_vendor
        if crash and not (self.dresses_up and there):
            self.house.settle(ref, state="waiting", outcome_unknown=True)
        elif there is not None:
            self.house.settle(
                ref, state="done", remote_id=there, done_at=self.house.now, outcome_unknown=False
            )
        else:
            self.house.settle(ref, state="parked", outcome_unknown=False)

    @rule(text=TEXTS)
    def person_speaks(self, text: str) -> None:
        """Perhaps in the very words of ours."""
        self.post(text)

    @precondition(lambda self: bool(self.untold))
    @rule(data=st.data(), again=st.booleans())
    def webhook(self, data: st.DataObject, again: bool) -> None:  # noqa: FBT001 - likewise
        """Some webhook comes."""
        name = data.draw(st.sampled_from(self.untold))
        if not again:
            self.untold.remove(name)
        self.house.hear(self.posted[name])

    def teardown(self) -> None:
        """In the end all is told and settled: everybody's words are their own."""
        while (current := self.current) is not None:
            if current.state == "waiting":
                self.house.look()
                self.claim()
            else:
                self.arrive()
                self.end_of_the_attempt(crash=False)
        for name in self.untold:
            self.house.hear(self.posted[name])
        self.house.look()
        others = sorted(set(self.posted) - set(self.ours))
        assert {name: self.house.mirror[name] for name in self.ours} == self.ours
        assert [name for name in others if self.house.mirror[name] is not None] == []
        assert sorted(self.house.taken_for_others) == others, "each is told of exactly once"

    @invariant()
    def our_words_are_never_taken_for_a_persons(self) -> None:
        """Not even for a moment, as that would silence the AI."""
        assert not set(self.house.taken_for_others) & set(self.ours)

    @invariant()
    def a_command_has_one_echo(self) -> None:
        """Once it is settled and looked at it matches one message at most."""
        for sent in self.house.ledger.values():
            if not sent.unfinished and not sent.doubt:
                assert len([name for name, ref in self.house.mirror.items() if ref == sent.ref]) <= 1


class IdsOnly(EchoMachine):
    """A vendor that keeps no token, but answers with the id."""

    keeps_tokens = False


class IdsOnlyDressedUp(IdsOnly):
    """It changes what we write, too, so that no words are equal."""

    dresses_up = True


for machine in (EchoMachine, IdsOnly, IdsOnlyDressedUp):
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTokens = EchoMachine.TestCase
TestIdsOnly = IdsOnly.TestCase
TestIdsOnlyDressedUp = IdsOnlyDressedUp.TestCase


def reply(state: str = "in_flight", **fields: Any) -> Sent:
    """A reply of our AI."""
    usual: dict[str, Any] = {
        "ref": 10,
        "conversation_ref": 1,
        "kind": "reply",
        "key": "key-10",
        "created_at": NOW,
        "text": "Hello.",
        "private": False,
        "author": "ai",
        "person": None,
        "remote_id": None,
        "claimed_at": NOW,
        "state": state,
    }
    return Sent(**usual | fields)


def said(text: str, after: timedelta, name: str = "msg_1") -> MessageRecord:
    """A message without a token."""
    return MessageRecord(id=name, author=Author.AGENT, text=text, sent_at=NOW + after, person=ANN)


def test_what_never_left_has_no_echo() -> None:
    """A person who says what we were about to say, and didn't, is a person."""
    for sent in (reply("superseded"), reply("parked"), reply("waiting"), reply("waiting", claimed_at=None)):
        assert find_own(said("Hello.", timedelta(seconds=1)), [sent]) is None


def test_equal_words_outside_the_window_are_a_persons() -> None:
    """Before our reply was made, or long after it was sent."""
    sent = reply("done")
    assert find_own(said("Hello.", -timedelta(minutes=2)), [sent]) is None
    assert find_own(said("Hello.", WINDOW), [sent]) is None
    assert find_own(said("Hello.", timedelta(seconds=5)), [sent]) is not None


def test_an_attempt_of_unknown_outcome_that_took_long_has_an_echo_yet() -> None:
    """It was claimed long before, and who was frozen or slow may have sent it only now."""
    sent = reply("waiting", outcome_unknown=True)
    assert find_own(said("Hello.", WINDOW + timedelta(minutes=5)), [sent]) is not None


def test_the_second_of_two_equal_messages_is_a_persons_where_nothing_tells_them_apart() -> None:
    """A vendor that keeps no token and names no id: one command, one echo."""
    first = said("Hello.", timedelta(seconds=1))
    guess = Guess(
        by="words",
        ref=1,
        id=first.id,
        author=first.author,
        person=ANN,
        text=first.text,
        private=False,
        sent_at=first.sent_at,
        seen_at=first.sent_at,
    )
    sent = reply("done", held=(guess,))
    assert find_own(first, [sent]) is not None
    assert find_own(said("Hello.", timedelta(seconds=2), "msg_2"), [sent]) is None


def test_where_tokens_are_kept_a_message_without_one_is_a_persons_at_once() -> None:
    """Even in our words, and while we are sending them."""
    assert find_own(said("Hello.", timedelta(seconds=1)), [reply()], tokens=True) is None


@pytest.mark.parametrize("text", ["Hello.", "Good morning!"])
def test_a_person_who_speaks_while_we_send_is_heard_once_that_is_settled(text: str) -> None:
    """On a helpdesk that keeps no token: with the id of our message it is known that theirs is another."""
    house = House(tokens=False)
    house.ledger[10] = reply()
    house.hear(said(text, timedelta(seconds=1)))
    assert house.taken_for_others == []
    house.settle(10, state="done", remote_id="msg_2", done_at=NOW)
    house.look()
    assert house.taken_for_others == ["msg_1"]
    assert house.mirror == {"msg_1": None, "msg_2": 10}
