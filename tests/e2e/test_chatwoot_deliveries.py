"""What Chatwoot delivers: twice, in disorder, forged, of every kind, and as it was recorded."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.bridge import eventually
from support.chatwoot import ChatwootBridge, Setup
from support.chatwoot_webhooks import FIXTURES, SECRETS, payload, sample, signed

QUESTION = "How long does delivery take?"


@pytest.fixture
def bridge(chatwoot_bridge: ChatwootBridge) -> ChatwootBridge:
    """The bridge of these tests, with a Chatwoot account as the helpdesk."""
    return chatwoot_bridge


@pytest.fixture
def recorded(reference: Path) -> bytes:
    """A customer's message as Chatwoot's own serialisers write it."""
    (sample,) = (reference / "recorded" / "chatwoot").glob("message_created*.json")
    return sample.read_bytes()


async def test_a_delivery_that_comes_twice_has_one_effect(bridge: ChatwootBridge) -> None:
    """The second is answered 200, and nothing is stored."""
    helpdesk = bridge.helpdesk
    helpdesk.courier.hold()
    thread = helpdesk.customer_says(QUESTION)
    parcel = next(each for each in helpdesk.courier.held or () if each.event == "message_created")
    headers = dict(parcel.sign(parcel.body)) | {"X-Chatwoot-Delivery": "6f0e2b54-5d0c-4b62-9a3b-0a5b7d6f1c11"}
    assert [await bridge.post(parcel.body, headers) for _ in range(2)] == [202, 200]
    helpdesk.courier.held = []
    helpdesk.courier.release()
    await bridge.settled()
    assert len(bridge.said(thread)) == 1
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1


async def test_account_and_bot_report_the_same_message_once(bridge: ChatwootBridge) -> None:
    """Two hooks, two secrets, two delivery ids: both are accepted, one turn is opened."""
    bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    heard = [json.loads(body) for body in await bridge.bodies()]
    created = [event for event in heard if event["event"] == "message_created"]
    asked = [event["id"] for event in created if event["message_type"] == "incoming"]
    assert len(asked) == 2
    assert len(set(asked)) == 1
    assert len(await bridge.rows("SELECT 1 FROM message WHERE author = 'customer'")) == 1
    (turn,) = await bridge.rows("SELECT texts FROM turn")
    assert [item["text"] for item in turn.texts] == [QUESTION]


async def test_webhooks_in_the_wrong_order_end_in_the_right_state(bridge: ChatwootBridge) -> None:
    """A burst is read as it was written; of two states the newer one stays."""
    helpdesk = bridge.helpdesk
    helpdesk.courier.hold()
    thread = helpdesk.customer_says("I have a question:")
    helpdesk.customer_says(QUESTION, thread)
    helpdesk.courier.release(backwards=True)
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT texts FROM turn")
    assert [item["text"] for item in turn.texts] == ["I have a question:", QUESTION]
    assert len(bridge.said(thread)) == 1
    helpdesk.courier.hold()
    helpdesk.set_status(thread, "open")
    helpdesk.set_status(thread, "resolved")
    helpdesk.courier.release(backwards=True)
    await bridge.settled()
    (row,) = await bridge.rows("SELECT status FROM conversation")
    assert row.status == "resolved"
    assert await bridge.lease(thread) == ("ai", 1)


@pytest.mark.parametrize("fault", ["unsigned", "stale", "tampered", "another secret"])
async def test_what_chatwoot_did_not_send_is_refused_and_not_kept(bridge: ChatwootBridge, fault: str) -> None:
    """401, and not a row."""
    thread = bridge.helpdesk.thread
    message = {
        "id": 1,
        "content": QUESTION,
        "message_type": 0,
        "private": False,
        "content_attributes": {},
        "created_at": int(time.time()),
        "updated_at": "2026-11-14T02:20:11.476Z",
        "sender": thread.contact,
    }
    told = payload(bridge.helpdesk, "message_created", thread, message, None)
    body = json.dumps(told, ensure_ascii=False).encode()
    headers = {
        "unsigned": signed(body, None),
        "stale": signed(body, SECRETS["account"], at=time.time() - 600),
        "tampered": signed(body.replace(b"delivery", b"Delivery"), SECRETS["account"]),
        "another secret": signed(body, "guessed"),
    }[fault]
    assert await bridge.post(body, headers) == 401
    assert await bridge.rows("SELECT 1 FROM inbox") == []
    assert await bridge.post(body, signed(body, SECRETS["account"])) == 202


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("[!u]*.json")))
async def test_every_event_we_know_is_accepted_and_understood(bridge: ChatwootBridge, name: str) -> None:
    """As the very first thing that is heard, too."""
    body = json.dumps(sample(name), ensure_ascii=False).encode()
    assert await bridge.post(body, signed(body, SECRETS["account"])) == 202
    await bridge.settled()
    (event,) = await bridge.rows(
        "SELECT state, reason FROM inbox WHERE connection = 'shop' ORDER BY ref LIMIT 1"
    )
    assert (event.state, event.reason) == ("done", None)
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []


the_samples_own = pytest.mark.parametrize(
    "chatwoot_setup", [Setup(account=1, number=5)], ids=["the sample's account"]
)


@the_samples_own
async def test_the_recorded_sample_is_answered(bridge: ChatwootBridge, recorded: bytes) -> None:
    """A payload that we did not write, as the very first event, byte for byte.

    It is of a VIP and months old by the vendor's clock: how long somebody waits is told by ours.
    """
    assert await bridge.post(recorded, signed(recorded, SECRETS["account"])) == 202
    await eventually(lambda: bridge.said(bridge.helpdesk.thread), what="an answer")
    await bridge.settled()
    assert len(bridge.said(bridge.helpdesk.thread)) == 1
    assert bridge.noted(bridge.helpdesk.thread) == []
    assert await bridge.lease(bridge.helpdesk.thread) == ("ai", 1)


async def test_our_chatwoot_speaks_as_the_recorded_one(bridge: ChatwootBridge, recorded: bytes) -> None:
    """The same keys with values of the same kinds, all the way down."""
    bridge.helpdesk.courier.hold()
    bridge.helpdesk.customer_says("hello")
    told = [json.loads(each.body) for each in bridge.helpdesk.courier.held or ()]
    message = next(each for each in told if each["event"] == "message_created")
    assert shape(message) == shape(json.loads(recorded))


def shape(value: Any) -> Any:
    """What a payload is made of, apart from what people may put into it."""
    match value:
        case dict():
            free = {"additional_attributes", "custom_attributes"}
            return {name: "free" if name in free else shape(each) for name, each in value.items()}
        case list():
            return [shape(each) for each in value if not isinstance(each, str)]
        case bool() | None:
            return value is None
        case str():
            return "text"
        case _:
            return "number"
