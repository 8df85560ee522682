"""Handing over, taking and releasing by Zendesk's switchboard, each request judged by its description."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from judged import connected
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import ANSWER_BOT, OURS, WORKSPACE, Thread, settings

from adapters import registry
from adapters.contract import Adapter
from adapters.errors import Fatal, Rejected, Retryable
from adapters.model import HandOver, Reception, ReleaseControl, TakeControl
from adapters.testing.judge import Judge
from adapters.vendors.sunshine.switchboard import METADATA_LIMIT, context

URL = "https://deskbridge.example/console/conversations/7"


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[Adapter]:
    """The adapter under judgement; agents see the summary in ticket field 360001."""
    async with connected("sunshine", settings() | {"summary_field": "360001"}, judge) as adapter:
        yield adapter


@pytest.fixture
def thread(sunshine: FakeSunshine) -> Thread:
    """A conversation that is ours."""
    return sunshine.customer_says("Where is my parcel?")


def package(messages: int = 1, length: int = 20) -> dict[str, Any]:
    """What a hand-off has to tell."""
    lines = [{"id": f"68a2{n:020x}", "author": "customer", "text": "長" * length} for n in range(messages)]
    return {
        "schema": "deskbridge.hand_off/1",
        "goal": "Find the parcel",
        "customer": {"name": "陳雅婷", "attributes": {"level": "gold"}},
        "tried": [{"asked": ["Where is my parcel?"], "answered": None}],
        "transcript": lines,
    }


def hand_over(thread: Thread | None = None, **more: Any) -> HandOver:
    """The command."""
    given = {"summary": "The parcel is at customs.", "package": package(), "url": URL}
    return HandOver(key="cmd-9", conversation_id=thread.id if thread else "c", **given | more)


async def test_control_is_passed_with_the_whole_context(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """To whoever comes next; agents see the summary, the link, and the conversation from its beginning."""
    pushed = await adapter.push(hand_over(thread))
    assert pushed.reception is Reception.ACCEPTED
    assert thread.active is WORKSPACE
    ((verb, told),) = sunshine.moves
    assert verb == "passControl"
    assert json.loads(told.pop("deskbridge_package")) == package()
    assert told == {
        "deskbridge_key": "cmd-9",
        "deskbridge_url": URL,
        "deskbridge_summary": "The parcel is at customs.",
        "dataCapture.ticketField.360001": f"The parcel is at customs.\n{URL}",
        "first_message_id": "68a200000000000000000000",
    }


@pytest.mark.parametrize("to", ["zd-answerBot", ANSWER_BOT["id"], "zd:answerBot"])
async def test_a_target_goes_by_any_name(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread, to: str
) -> None:
    """A switchboard integration's id, name, or type."""
    await adapter.push(hand_over(thread, to=to))
    assert thread.active is ANSWER_BOT
    assert sunshine.moves[0][0] == "passControl"


async def test_a_group_and_a_person_of_zendesks(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """A number is a group of agents; they are told to the Agent Workspace as ticket fields."""
    await adapter.push(hand_over(thread, to="6510394394139", assignee_id="9123"))
    assert thread.active is WORKSPACE
    told = sunshine.moves[0][1]
    assert told["dataCapture.systemField.group_id"] == "6510394394139"
    assert told["dataCapture.systemField.assignee_id"] == "9123"


async def test_an_offer_leaves_control_until_it_is_accepted(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """It waits with the other side; offered twice, it is offered once."""
    for _ in range(2):
        pushed = await adapter.push(hand_over(thread, offer=True))
        assert pushed.reception is Reception.QUEUED
    assert (thread.active, thread.pending) == (OURS, WORKSPACE)
    assert [verb for verb, _ in sunshine.moves] == ["offerControl"]


async def test_what_others_have_is_handed_over_already(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """A second try after an unknown outcome, or an agent who was faster: nobody loses control to `next`."""
    await adapter.push(hand_over(thread))
    sunshine.log.clear()
    pushed = await adapter.push(hand_over(thread))
    assert pushed.reception is Reception.ACCEPTED
    assert thread.active is WORKSPACE
    assert sunshine.log == [f"GET conversations/{thread.id}"]


async def test_an_unknown_target_is_rejected(adapter: Adapter, thread: Thread) -> None:
    """It parks, and control stays where it was."""
    with pytest.raises(Rejected, match="switchboard integration not found"):
        await adapter.push(hand_over(thread, to="nobody"))
    assert thread.active is OURS


async def test_what_is_offered_to_us_is_accepted(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """As the desk behind another bot; when it is ours already, nothing is asked for."""
    sunshine.gives(thread, "passControl", ANSWER_BOT)
    sunshine.gives(thread, "offerControl", OURS, intent="customs")
    for _ in range(2):
        await adapter.push(TakeControl(key="cmd-10", conversation_id=thread.id))
        assert (thread.active, thread.pending) == (OURS, None)
    assert [verb for verb, _ in sunshine.moves] == ["passControl", "offerControl", "acceptControl"]
    assert sunshine.moves[-1][1] == {"deskbridge_key": "cmd-10"}


@pytest.mark.parametrize("pending", [None, WORKSPACE])
async def test_what_is_offered_to_others_is_left_to_them(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread, pending: dict[str, Any] | None
) -> None:
    """With an app's key the vendor would accept in anybody's name."""
    thread.active, thread.pending = ANSWER_BOT, pending
    with pytest.raises(Rejected, match="don't offer it to 'deskbridge'"):
        await adapter.push(TakeControl(key="k", conversation_id=thread.id))
    assert sunshine.moves == []


async def test_an_offer_of_ours_is_taken_back(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """Nobody came in time: control is passed to ourselves, and nobody can accept it any more."""
    await adapter.push(hand_over(thread, offer=True))
    await adapter.push(TakeControl(key="cmd-10", conversation_id=thread.id))
    assert (thread.active, thread.pending) == (OURS, None)
    assert sunshine.moves[-1] == ("passControl", {"deskbridge_key": "cmd-10"})


async def test_what_nobody_holds_is_taken(adapter: Adapter, sunshine: FakeSunshine, thread: Thread) -> None:
    """After a release."""
    sunshine.gives(thread, "releaseControl")
    await adapter.push(TakeControl(key="k", conversation_id=thread.id))
    assert thread.active is OURS


async def test_what_is_ours_is_released_with_the_reason(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """Whoever is the default gets what comes next; what isn't ours is left alone."""
    for _ in range(2):
        await adapter.push(ReleaseControl(key="k", conversation_id=thread.id, reason="resolved"))
    assert thread.active is None
    assert sunshine.moves == [
        ("releaseControl", {"deskbridge_key": "k", "deskbridge_reason": "resolved"}),
    ]
    thread.active = WORKSPACE
    await adapter.push(ReleaseControl(key="k", conversation_id=thread.id))
    assert thread.active is WORKSPACE


@pytest.mark.parametrize("command", [TakeControl, ReleaseControl])
async def test_control_that_is_not_ours_is_no_fault_of_the_connections(command: Any) -> None:
    """403 to accept or release rejects the one command; 403 to anything else is about the key."""

    def answer(request: httpx.Request) -> httpx.Response:
        integration = {"name": "deskbridge"}
        held = {"activeSwitchboardIntegration": integration, "pendingSwitchboardIntegration": integration}
        if request.method == "POST":
            return httpx.Response(403, json={"errors": [{"code": "forbidden", "title": "Forbidden"}]})
        return httpx.Response(200, json={"conversation": {"id": "c", **held}})

    adapter = registry.build("sunshine", settings(), transport=httpx.MockTransport(answer))
    with pytest.raises(Rejected) as caught:
        await adapter.push(command(key="k", conversation_id="c"))
    assert caught.value.status == 403
    with pytest.raises(Fatal):
        await adapter.push(hand_over())


async def test_after_a_broken_pass_it_is_unknown_whether_it_worked(
    adapter: Adapter, sunshine: FakeSunshine, thread: Thread
) -> None:
    """The next try looks first."""
    del sunshine.log[:]

    async def broken(request: httpx.Request) -> httpx.Response:
        answer = await sunshine.handle_async_request(request)
        return answer if request.method == "GET" else httpx.Response(502)

    halting = registry.build("sunshine", settings(), transport=httpx.MockTransport(broken))
    with pytest.raises(Retryable) as caught:
        await halting.push(hand_over(thread))
    assert caught.value.outcome_unknown
    assert (await adapter.push(hand_over(thread))).reception is Reception.ACCEPTED
    assert [verb for verb, _ in sunshine.moves] == ["passControl"]


def size(metadata: dict[str, Any]) -> int:
    """In bytes, as JSON."""
    return len(json.dumps(metadata, ensure_ascii=False).encode())


@pytest.mark.parametrize("messages", [0, 1, 5, 20, 200])
@pytest.mark.parametrize("length", [1, 60, 700, 5000])
@pytest.mark.parametrize("summary", ["Short.", "很長的摘要。" * 500, '\x00"\n' * 900])
def test_the_context_always_fits_and_leads_to_the_rest(messages: int, length: int, summary: str) -> None:
    """Flat, within 4 KB, however long; either nothing is missing, or it says so and the link is there."""
    given = package(messages, length)
    told = context(hand_over(package=given, summary=summary), group="7", field="360001")
    assert size(told) <= METADATA_LIMIT
    assert all(isinstance(value, str | int | float) for value in told.values())
    assert told["deskbridge_url"] == URL
    assert summary.startswith(told["deskbridge_summary"].removesuffix("…"))
    whole = told["deskbridge_summary"] == summary and (
        json.loads(told.get("deskbridge_package", "null")) == given
    )
    assert ("deskbridge_complete" not in told) is whole
    if not whole:
        assert told["deskbridge_complete"] is False


def test_what_does_not_fit_goes_in_this_order() -> None:
    """First the transcript, which agents see anyway; then all but the plain values."""
    light = context(hand_over(package=package(messages=30, length=60)))
    assert set(json.loads(light["deskbridge_package"])) == {"schema", "goal", "customer", "tried"}
    heavy = package() | {"tried": [{"asked": ["x" * 5000]}], "note": "y" * 5000, "language": "zh"}
    plain = context(hand_over(package=heavy))
    assert "deskbridge_package" not in plain
    assert (plain["deskbridge_goal"], plain["deskbridge_language"]) == ("Find the parcel", "zh")
    assert "deskbridge_note" not in plain


def test_messages_of_our_own_making_are_no_beginning() -> None:
    """A pressed button is a message to us alone: the vendor knows no such id."""
    told = context(hand_over(package={"transcript": [{"id": "postback:68a2"}]}))
    assert "first_message_id" not in told
