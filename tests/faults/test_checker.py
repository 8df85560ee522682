"""The checker can fail: each broken promise, put into a log by hand, is found; a whole one is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.vendors.memory.records import DeliveryLog, Happened, Message, RequestLog
from tests.faults.checker import Promise, check
from tests.faults.evidence import Deed, Evidence, VendorLog

START = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOTHING = "I found nothing"
PATH = "/api/conversations/con_1/messages"


class Log:
    """Writes what a vendor would have seen; each thing happens a second after the one before."""

    def __init__(self) -> None:
        self.vendor = VendorLog(name="north")
        self.deeds: list[Deed] = []
        self.parked: list[tuple[str, str, str]] = []
        self.quiet = True
        self.status = "pending"
        self.now = START

    def evidence(self) -> Evidence:
        """As the harness hands it to the checker."""
        return Evidence(
            vendors=[self.vendor],
            deeds=self.deeds,
            parked=self.parked,
            answers={"Three days": "How long?", "It is free": "How much?"},
            courtesies=frozenset({NOTHING}),
            quiet=self.quiet,
        )

    def broken(self) -> list[Promise]:
        """Which promises the checker finds broken."""
        return [violation.promise for violation in check(self.evidence())]

    def wait(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.now += timedelta(seconds=seconds)

    def _happened(self, kind: str, by: str, *, told: bool, **details: Any) -> None:
        self.now += timedelta(seconds=1)
        event = f"evt_{len(self.vendor.happened)}"
        self.vendor.happened.append(
            Happened(
                event=event,
                type=kind,
                by=by,
                customer_id="cus_1",
                conversation_id="con_1",
                status=self.status,
                at=self.now,
                **details,
            )
        )
        if told:
            self.vendor.deliveries.append(
                DeliveryLog(event=event, type=kind, attempt=1, status=202, fault=None, at=self.now)
            )

    def says(
        self, author: str, text: str, *, token: str | None = None, told: bool = True, **more: Any
    ) -> None:
        """Somebody writes; with a token, one of ours."""
        message = Message(
            id=f"msg_{len(self.vendor.happened)}",
            conversation_id="con_1",
            author=author,
            text=text,
            token=token,
            revision=1,
            created_at=self.now,
            **more,
        )
        if token is not None:
            at = self.now + timedelta(seconds=0.9)
            body = {"text": text, "token": token}
            self.vendor.requests.append(
                RequestLog(method="POST", path=PATH, body=body, fault=None, at=at, status=200)
            )
        self._happened("message_posted", author, told=told, message=message)

    def customer(self, text: str, *, told: bool = True) -> None:
        """The customer writes."""
        self.says("customer", text, told=told)

    def ai(self, text: str, token: str, **more: Any) -> None:
        """Our AI writes."""
        self.says("bot", text, token=token, **more)

    def agent(self, text: str = "A person", *, told: bool = True) -> None:
        """An agent writes at the helpdesk."""
        self.says("agent", text, told=told)

    def sets(self, status: str, by: str = "agent", *, told: bool = True) -> None:
        """Somebody sets the status."""
        self.status = status
        self._happened("conversation_changed", by, told=told)

    def is_told(self) -> None:
        """The webhook of what happened last comes only now."""
        self.now += timedelta(seconds=1)
        last = self.vendor.happened[-1]
        self.vendor.deliveries.append(
            DeliveryLog(event=last.event, type=last.type, attempt=1, status=202, fault=None, at=self.now)
        )

    def desk(self, action: str, text: str = "", status: int | None = 200) -> None:
        """Our desk asks the API for something."""
        self.now += timedelta(seconds=1)
        self.deeds.append(
            Deed(
                connection="north",
                conversation_id="con_1",
                action=action,
                text=text,
                asked_at=self.now,
                answered_at=None if status is None else self.now,
                status=status,
            )
        )

    def hands_off(self) -> None:
        """The AI says so, opens it, and leaves its note."""
        self.ai("A colleague comes", "t-say")
        self.sets("open", by="bot")
        self.ai("Goal: a person", "t-note", private=True)


@pytest.fixture
def log() -> Log:
    """An empty one."""
    return Log()


def test_a_whole_run_breaks_nothing(log: Log) -> None:
    """Answers, a hand-off, the desk, a person who interrupts, coming back: nothing to find."""
    log.customer("How long?")
    log.ai("Three days", "t1")
    log.customer("A person, please")
    log.hands_off()
    log.desk("claim")
    log.desk("reply", "Mei here, reply 1")
    log.says("agent", "Mei here, reply 1", token="t2")
    log.customer("Thanks")
    log.desk("resolve")
    log.sets("resolved", by="bot")
    log.sets("pending", by="customer")
    log.customer("How much?")
    log.agent()
    log.customer("One more thing")
    log.sets("resolved")
    log.sets("pending", by="customer")
    log.customer("Who knows?")
    log.ai(NOTHING, "t3")
    assert log.broken() == []


def test_a_message_that_nobody_answers_is_lost(log: Log) -> None:
    """Its webhook was acknowledged, and the AI had the conversation."""
    log.customer("How long?")
    assert log.broken() == [Promise.LOST]


def test_a_message_after_a_person_let_go_is_lost_when_nobody_answers(log: Log) -> None:
    """Once resolved, the conversation is the AI's again."""
    log.agent()
    log.sets("resolved")
    log.sets("pending", by="customer")
    log.customer("How long?")
    assert log.broken() == [Promise.LOST]


def test_the_answer_to_an_earlier_question_answers_nothing_later(log: Log) -> None:
    """Two questions, one answer: the second is lost."""
    log.customer("How long?")
    log.customer("How much?")
    log.ai("Three days", "t1")
    assert log.broken() == [Promise.LOST]


def test_what_no_webhook_told_of_is_lost_where_polling_should_have_found_it(log: Log) -> None:
    """With polling, being told is no excuse."""
    log.customer("How long?", told=False)
    evidence = log.evidence()
    evidence.polled_within = timedelta(seconds=60)
    assert [violation.promise for violation in check(evidence)] == [Promise.LOST]


@pytest.mark.parametrize("why", ["never told", "a person has it", "parked"])
def test_what_is_not_due_is_not_lost(log: Log, why: str) -> None:
    """We were never told; a person has it; or it lies where a person will look."""
    if why == "a person has it":
        log.agent()
    if why == "parked":
        log.parked.append(("north", "con_1", "reply: gave up"))
    log.customer("How long?", told=why != "never told")
    assert log.broken() == []


def test_an_event_that_was_parked_though_it_can_be_read_is_found(log: Log) -> None:
    """Nothing here is poison."""
    log.parked.append(("north", "con_1", "event: database_error"))
    assert log.broken() == [Promise.PARKED]


def test_a_desk_reply_that_was_acknowledged_and_never_stood_is_lost(log: Log) -> None:
    """Once acknowledged, it must be there; one that was refused, or never answered, need not."""
    log.desk("reply", "Mei here, reply 1")
    log.desk("reply", "Mei here, reply 2", status=409)
    log.desk("reply", "Mei here, reply 3", status=None)
    assert log.broken() == [Promise.LOST]


def _twice_by_token(log: Log) -> None:
    log.customer("How long?")
    log.customer("How much?")
    log.ai(NOTHING, "t1")
    log.ai(NOTHING, "t1")


def _twice_by_text(log: Log) -> None:
    log.customer("Hello")
    log.customer("How long?")
    log.ai("Three days", "t1")
    log.ai("Three days", "t2")


def _more_than_asked(log: Log) -> None:
    log.customer("Who knows?")
    log.ai(NOTHING, "t1")
    log.ai(NOTHING, "t2")


def _a_note(log: Log) -> None:
    log.customer("A person, please")
    log.hands_off()
    log.ai("Goal: a person", "t-note-2", private=True)


def _a_desk_reply(log: Log) -> None:
    log.desk("reply", "Mei here, reply 1")
    log.says("agent", "Mei here, reply 1", token="t1")
    log.says("agent", "Mei here, reply 1", token="t2")


def _what_was_refused(log: Log) -> None:
    log.desk("reply", "Mei here, reply 1", status=409)
    log.says("agent", "Mei here, reply 1", token="t1")


def _a_status(log: Log) -> None:
    log.desk("resolve")
    log.sets("resolved", by="bot")
    log.sets("pending", by="customer")
    log.sets("resolved", by="bot")


@pytest.mark.parametrize(
    "double",
    [_twice_by_token, _twice_by_text, _more_than_asked, _a_note, _a_desk_reply, _what_was_refused, _a_status],
)
def test_what_stands_twice_is_doubled(log: Log, double: Callable[[Log], None]) -> None:
    """By token, by text, by number; notes, desk replies and statuses likewise."""
    double(log)
    assert log.broken() == [Promise.DOUBLED]


def test_an_ai_that_speaks_after_a_person_is_a_second_voice(log: Log) -> None:
    """We knew of the person for longer than a request is on its way."""
    log.customer("How long?")
    log.agent()
    log.wait(3)
    log.ai("Three days", "t1")
    assert log.broken() == [Promise.SECOND_VOICE]


def test_an_ai_that_speaks_after_the_desk_has_claimed_is_a_second_voice(log: Log) -> None:
    """The API had said that it is theirs."""
    log.customer("A person, please")
    log.desk("claim")
    log.wait(3)
    log.hands_off()
    assert log.broken() == [Promise.SECOND_VOICE]


@pytest.mark.parametrize(("told", "expected"), [("before", [Promise.SECOND_VOICE]), ("after", [])])
def test_a_resolving_that_we_hear_of_after_a_claim_ends_it(
    log: Log, told: str, expected: list[Promise]
) -> None:
    """It was resolved at the helpdesk, and then claimed: which came first is what the gateway heard first."""
    log.customer("A person, please")
    log.hands_off()
    log.sets("resolved", told=told == "before")
    log.desk("claim")
    if told == "after":
        log.is_told()
    log.customer("How long?")
    log.wait(3)
    log.ai("Three days", "t1")
    assert log.broken() == expected


@pytest.mark.parametrize("why", ["on the wire", "never told", "given back"])
def test_not_every_voice_after_a_person_is_a_second_one(log: Log, why: str) -> None:
    """It was under way already; we were never told of the person; or they had given it back."""
    log.customer("How long?")
    log.agent(told=why != "never told")
    if why == "given back":
        log.sets("resolved")
    if why != "on the wire":
        log.wait(3)
    log.ai("Three days", "t1")
    assert log.broken() == []


def test_answers_in_the_wrong_order_are_found(log: Log) -> None:
    """The first question's answer stands after the second's."""
    log.customer("How long?")
    log.customer("How much?")
    log.ai("It is free", "t1")
    log.ai("Three days", "t2")
    assert log.broken() == [Promise.ORDER]


def test_desk_replies_in_the_wrong_order_are_found(log: Log) -> None:
    """The desk said one thing after the other."""
    log.desk("reply", "Mei here, reply 1")
    log.desk("reply", "Mei here, reply 2")
    log.says("agent", "Mei here, reply 2", token="t2")
    log.says("agent", "Mei here, reply 1", token="t1")
    assert log.broken() == [Promise.ORDER]


def test_a_loop_is_found(log: Log) -> None:
    """More writes than people's deeds and faults account for; or traffic that never ends."""
    log.customer("How long?")
    log.ai("Three days", "t1")
    log.vendor.requests += [
        RequestLog(method="PATCH", path="/api/conversations/con_1", body={}, fault=None, at=log.now)
    ] * 20
    assert log.broken() == [Promise.ECHO]
    log.vendor.requests.clear()
    log.quiet = False
    assert log.broken() == [Promise.ECHO]
