"""A customer in Chatwoot, a person in Zendesk messaging: its switchboard says who has them; all is judged."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.asgi import answer, is_lifespan
from support.bridge import eventually, free_port, serving
from support.chatwoot import ChatwootBridge, Setup
from support.fake_chatwoot import Thread as Asking
from support.policies import packaged
from support.sunshine import judged
from vendors.sunshine import FakeSunshine
from vendors.sunshine_app import OURS, WORKSPACE, Thread, settings

UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")


@pytest.fixture
def messaging_port() -> int:
    """Where Zendesk messaging listens."""
    return free_port()


@pytest.fixture
def overrides(messaging_port: int, tmp_path: Path) -> dict[str, Any]:
    """The packaged policy, with Zendesk messaging as the desk."""
    at = settings(f"http://127.0.0.1:{messaging_port}/sc")
    return {
        "policies": packaged(tmp_path, "messaging"),
        "connections": {"messaging": {"adapter": "sunshine", "role": "desk", "settings": at}},
        "attachments": {"allow_hosts": ["127.0.0.1"]},
    }


@pytest.fixture
async def messaging(
    chatwoot_bridge: ChatwootBridge, messaging_port: int, specs: Path | None
) -> AsyncIterator[FakeSunshine]:
    """The desk, which tells the bridge; no request may break its description."""
    vendor = FakeSunshine(hook=f"{chatwoot_bridge.url}/hooks/messaging")
    door = judged(vendor, specs)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(door, messaging_port))
        await stack.enter_async_context(vendor.courier)
        yield vendor
    assert door.objections == []


async def settled(bridge: ChatwootBridge, messaging: FakeSunshine) -> None:
    """Wait until nothing is under way on either side."""
    for _ in range(2):
        await bridge.settled(30)
        await messaging.drain()
    await bridge.settled(30)


def only(messaging: FakeSunshine) -> Thread:
    """The conversation that was opened there."""
    (thread,) = messaging.threads.values()
    return thread


def texts(thread: Thread) -> list[tuple[str, str]]:
    """What stands there: who said what."""
    return [(each["author"]["type"], each["content"]["text"]) for each in thread.messages]


async def handed_over(bridge: ChatwootBridge, messaging: FakeSunshine) -> tuple[Asking, Thread]:
    """A customer asks for a person: their conversation, and the one that was opened there."""
    thread = bridge.helpdesk.customer_says("I want to talk to a person")
    await settled(bridge, messaging)
    return thread, only(messaging)


async def test_from_chatwoot_to_the_agent_workspace_and_back_until_released(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine
) -> None:
    """Three failed turns; control passed with the context; words both ways; released there, resolved here."""
    bridge, thread = chatwoot_bridge, None
    for question in UNKNOWN:
        thread = bridge.helpdesk.customer_says(question, thread)
        await settled(bridge, messaging)
    assert thread is not None
    there = only(messaging)
    assert there.active is WORKSPACE
    ((verb, context),) = messaging.moves
    assert verb == "passControl"
    assert "three-failed-ai-turns" in context["deskbridge_summary"]
    assert texts(there) == [("user", UNKNOWN[-1])]

    bridge.helpdesk.customer_says("Order 4711, please", thread)
    await settled(bridge, messaging)
    assert texts(there)[-1] == ("user", "Order 4711, please")
    messaging.agent_says(there, "Hello, I have found your order.")
    await settled(bridge, messaging)
    said = [each["content"] for each in bridge.said(thread)]
    assert sum("I have found your order." in text for text in said) == 1
    assert (await bridge.lease(thread))[0] == "desk_agent"

    messaging.gives(there, "releaseControl")
    await settled(bridge, messaging)
    assert thread.status == "resolved"
    (hand_off,) = await bridge.rows("SELECT state, ticket FROM hand_off")
    assert (hand_off.state, hand_off.ticket) == ("resolved", there.id)
    assert len(texts(there)) == 3, "nothing was said twice, and nothing came back"
    assert set(messaging.courier.statuses) == {202}
    assert await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'") == []

    async def one_case() -> Any:
        return await bridge.rows(
            "SELECT main_ref FROM conversation_link GROUP BY main_ref HAVING count(*) = 2"
        )

    await eventually(one_case, what="both are one case")


async def test_a_conversation_that_is_passed_back_is_the_ais_again(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine
) -> None:
    """The agent gives it back by the switchboard: the AI answers what comes next, once."""
    bridge = chatwoot_bridge
    thread, there = await handed_over(bridge, messaging)
    messaging.agent_says(there, "The bot can tell you that.")
    await settled(bridge, messaging)
    messaging.gives(there, "passControl", OURS)
    await settled(bridge, messaging)
    (hand_off,) = await bridge.rows("SELECT state FROM hand_off")
    assert hand_off.state == "returned"
    assert (await bridge.lease(thread))[0] == "ai"
    before = len(bridge.said(thread))
    bridge.helpdesk.customer_says("How long does delivery take?", thread)
    await settled(bridge, messaging)
    assert len(bridge.said(thread)) == before + 1
    assert texts(there)[-1] == ("business", "The bot can tell you that."), "the desk hears no more of it"


async def test_resolved_in_chatwoot_takes_control_back(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine
) -> None:
    """Nothing comes back from there, and what is still written there reaches nobody."""
    bridge = chatwoot_bridge
    thread, there = await handed_over(bridge, messaging)
    bridge.helpdesk.set_status(thread, "resolved")
    await settled(bridge, messaging)
    assert there.active is OURS
    assert thread.status == "resolved"
    (hand_off,) = await bridge.rows("SELECT state FROM hand_off")
    assert hand_off.state == "resolved"
    before = len(bridge.said(thread))
    messaging.agent_says(there, "Are you still there?")
    await settled(bridge, messaging)
    assert len(bridge.said(thread)) == before
    assert thread.status == "resolved"
    assert await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'") == []


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 4000
PDF = b"%PDF-1.7 guarantee"
STORED = {
    "/photo.png": (b"image/png", PNG),
    "/guarantee.pdf": (b"application/pdf", PDF),
    "/tool.png": (b"image/png", b"MZ\x90\0"),
}


async def storage(scope: Any, receive: Any, send: Any) -> None:
    """Where both vendors keep what was sent."""
    if not await is_lifespan(scope, receive, send):
        kind, content = STORED[scope["path"]]
        await answer(send, 200, content, (b"content-type", kind))


async def test_files_go_both_ways_byte_by_byte(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine
) -> None:
    """A picture of the customer's, uploaded there; a document of the agent's, sent on as a form."""
    bridge = chatwoot_bridge
    async with serving(storage, free_port()) as at:
        thread, there = await handed_over(bridge, messaging)
        photo = {"data_url": f"{at}/photo.png", "data": PNG}
        about = {"sender": thread.contact, "message_type": "incoming"}
        bridge.helpdesk.post(thread, "This is broken", attachments=[photo], **about)
        await settled(bridge, messaging)
        assert messaging.files == {"photo.png": PNG}
        content = there.messages[-1]["content"]
        assert (content["type"], content["text"]) == ("image", "This is broken")

        paper = {"type": "file", "mediaUrl": f"{at}/guarantee.pdf", "mediaType": "application/pdf"}
        messaging.agent_says(there, "Your guarantee", **paper)
        await settled(bridge, messaging)
        sent = [data for url, data in bridge.helpdesk.files.items() if url != photo["data_url"]]
        assert sent == [PDF]
        assert "Your guarantee" in bridge.said(thread)[-1]["content"]
        assert await bridge.rows("SELECT kind, reason FROM command WHERE state = 'parked'") == []


@pytest.mark.parametrize("chatwoot_setup", [Setup(keeps_mark=False, signs=False)], ids=["older release"])
async def test_what_names_a_file_that_was_left_out_is_found_again_by_its_words(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine
) -> None:
    """Where nothing bears our mark: posted, the answer lost, and not posted again."""
    bridge = chatwoot_bridge
    async with serving(storage, free_port()) as at:
        thread = bridge.helpdesk.customer_says("I want to talk to a person")
        await settled(bridge, messaging)
        before = len(bridge.said(thread))
        bridge.house.adapters["shop"].http.timeout = httpx.Timeout(0.3)
        bridge.helpdesk.door.hangs_after = lambda sent: b"tool.png" in sent.content
        tool = {"type": "file", "mediaUrl": f"{at}/tool.png", "mediaType": "image/png"}
        messaging.agent_says(only(messaging), "Your tool", **tool)
        await settled(bridge, messaging)
    (said,) = [each["content"] for each in bridge.said(thread)[before:]]
    words, left_out = said.splitlines()
    assert words.endswith("Your tool")
    assert left_out == "[tool.png: its content is not of a kind that is passed on]"
    outcomes = await bridge.rows(
        "SELECT a.outcome FROM attempt a JOIN command c ON c.ref = a.command_ref"
        " WHERE c.body ->> 'text' LIKE '%Your tool%' ORDER BY a.number"
    )
    assert [row.outcome for row in outcomes] == ["unknown", "found"]


@pytest.mark.parametrize("after", [False, True])
async def test_no_fault_there_opens_or_says_anything_twice(
    chatwoot_bridge: ChatwootBridge, messaging: FakeSunshine, *, after: bool
) -> None:
    """Too many requests, or answers that are lost once it is done: one conversation, each word once."""
    bridge = chatwoot_bridge
    if after:
        messaging.fails_after = [502, 502, 502]
    else:
        messaging.fails = [429, 503, 429]
    thread, there = await handed_over(bridge, messaging)
    assert len(messaging.users) == 1
    assert there.active is WORKSPACE
    messaging.fails_after = [502]
    bridge.helpdesk.customer_says("Are you there?", thread)
    await settled(bridge, messaging)
    assert texts(there) == [("user", "I want to talk to a person"), ("user", "Are you there?")]
