"""The demo's judge: it finds doubled messages and second voices where there are some."""

from datetime import UTC, datetime, timedelta

from adapters.vendors.memory.records import DeliveryLog, Message, RequestLog
from gateway.demo.findings import examine, percentile

START = datetime(2026, 1, 2, 12, tzinfo=UTC)


def said(author: str, text: str, second: int) -> Message:
    """A message at the helpdesk."""
    return Message(
        id=f"msg_{second}",
        conversation_id="con_1",
        author=author,
        text=text,
        revision=second,
        created_at=START + timedelta(seconds=second),
    )


def status_set(status: str, second: int) -> RequestLog:
    """A request by the gateway that set a status."""
    return RequestLog(
        method="PATCH",
        path="/api/conversations/con_1",
        body={"status": status},
        fault=None,
        at=START + timedelta(seconds=second),
        status=200,
    )


def delivered(event: str, status: int) -> DeliveryLog:
    """A try at a webhook."""
    return DeliveryLog(event=event, type="message_posted", attempt=1, status=status, fault=None, at=START)


def test_a_message_shown_twice_is_found() -> None:
    """The same words with no word of the customer in between."""
    found = examine([said("customer", "Hi", 1), said("bot", "Hello", 2), said("bot", "Hello", 3)], [], [])
    assert found.doubled == ("Hello",)


def test_the_same_answer_to_a_new_question_is_no_double() -> None:
    """Who asks twice is told twice."""
    thread = [said("customer", "a", 1), said("bot", "x", 2), said("customer", "a", 3), said("bot", "x", 4)]
    assert examine(thread, [], []).doubled == ()


def test_an_ai_that_speaks_after_a_person_is_found() -> None:
    """One voice: whoever was interrupted stays silent."""
    found = examine([said("customer", "a", 1), said("agent", "I'm on it", 2), said("bot", "x", 3)], [], [])
    assert found.second_voices == ("x",)


def test_an_ai_that_was_given_the_conversation_back_may_speak() -> None:
    """Resolving and returning end the person's stretch."""
    thread = [said("agent", "done", 1), said("customer", "next", 3), said("bot", "x", 4)]
    assert examine(thread, [status_set("resolved", 2)], []).second_voices == ()


def test_a_return_before_the_person_spoke_again_does_not_excuse_the_ai() -> None:
    """Only what came after their last word counts."""
    thread = [said("agent", "first", 1), said("agent", "second", 3), said("bot", "x", 4)]
    assert examine(thread, [status_set("pending", 2)], []).second_voices == ("x",)


def test_first_responses_count_from_the_first_message_of_a_burst() -> None:
    """A person's answer is none of the AI's."""
    thread = [
        said("customer", "a", 1),
        said("customer", "b", 2),
        said("bot", "x", 4),
        said("customer", "c", 5),
        said("agent", "y", 9),
    ]
    assert examine(thread, [], []).first_responses == (timedelta(seconds=3),)


def test_only_accepted_deliveries_count_as_doubles() -> None:
    """A retry after a 503 is no duplicate."""
    log = [delivered("a", 503), delivered("a", 202), delivered("b", 202), delivered("b", 200)]
    assert examine([], [], log).redelivered == 1


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """None is invented; none of nothing is zero."""
    waits = [timedelta(seconds=n) for n in range(1, 11)]
    assert percentile(waits, 0.5) == timedelta(seconds=6)
    assert percentile(waits, 0.95) == timedelta(seconds=10)
    assert percentile([], 0.5) == timedelta()
