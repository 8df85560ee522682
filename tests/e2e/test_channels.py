"""How one speaks where everybody reads along, where many ask at once, and where little fits."""

from typing import Any

import pytest
from support.bridge import Bridge
from support.desk import hand_over

QUESTION = "How long does delivery take?"
LARGE = "Is there a discount for large orders?"
"""Its answer in the knowledge names the shop's e-mail address."""
OWN = {"email": "business@clearsail.example"}
"""A customer who has that very address."""


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Few replies a minute, and little room in chats."""
    return {
        "channels": {
            "live": {"per_minute": 2, "longest": 1000, "every": 0},
            "chat": {"longest": 100, "most_parts": 9},
            "email": {"longest": 100, "most_parts": 1, "link": "https://shop.example/dm"},
        }
    }


def watch(bridge: Bridge, viewer: str, stream: str) -> str:
    """A viewer comes to a live stream; their conversation."""
    state = bridge.helpdesk.state
    return state.open(state.welcome(viewer), channel="live", stream=stream).id


async def turns(bridge: Bridge) -> list[Any]:
    """All turns: of whom, what became of them."""
    return await bridge.rows(
        "SELECT v.id, t.state, t.verdict, t.answer ->> 'state' AS answer,"
        " t.answer ->> 'held_back' AS held_back"
        " FROM turn t JOIN conversation v ON v.ref = t.conversation_ref ORDER BY t.ref"
    )


async def test_a_flood_of_alike_questions_gets_one_answer_in_the_stream(bridge: Bridge) -> None:
    """Twenty viewers ask the same: one is answered for all, and nothing is left waiting."""
    viewers = [watch(bridge, f"viewer_{number}", "room_1") for number in range(20)]
    for number, viewer in enumerate(viewers):
        bridge.helpdesk.customer_says(f"viewer_{number}", QUESTION, conversation_id=viewer)
    await bridge.settled()
    said = [reply for viewer in viewers for reply in bridge.replies(viewer)]
    assert len(said) == 1
    found = await turns(bridge)
    assert [each.answer for each in found] == ["sent"] * 20
    assert sorted(each.held_back or "" for each in found) == [""] + ["answered_in_stream"] * 19
    held = await bridge.rows("SELECT state, reason FROM command WHERE kind = 'reply' AND state <> 'done'")
    assert {row.state for row in held} == {"superseded"}
    assert all(row.reason.startswith("answered by the group") for row in held)
    assert len(held) == 19
    other = watch(bridge, "elsewhere", "room_2")
    bridge.helpdesk.customer_says("elsewhere", QUESTION, conversation_id=other)
    await bridge.settled()
    assert len(bridge.replies(other)) == 1


async def test_a_stream_gets_so_many_replies_a_minute(bridge: Bridge) -> None:
    """What goes beyond is dropped, with its reason; whether it would have helped, nobody says."""
    asks = (QUESTION, "What is your return policy?", "How do I update my email address?")
    for number, asked in enumerate(asks):
        viewer = watch(bridge, f"viewer_{number}", "room_1")
        bridge.helpdesk.customer_says(f"viewer_{number}", asked, conversation_id=viewer)
        await bridge.settled()
    *answered, dropped = await turns(bridge)
    assert [each.state for each in answered] == ["answered", "answered"]
    assert (dropped.state, dropped.answer, dropped.held_back) == ("withheld", "withheld", "stream_full")
    assert dropped.verdict == "open"
    assert bridge.replies(dropped.id) == []
    (row,) = await bridge.rows("SELECT reason FROM command WHERE state = 'superseded'")
    assert row.reason == "dropped: 2 replies in this stream within a minute"


async def test_an_answer_with_an_address_is_not_said_under_a_post(bridge: Bridge) -> None:
    """The customer is invited to a direct message; people read what wasn't said, and why."""
    said = bridge.helpdesk.customer_says("cus_1", LARGE, channel="comment", **OWN)
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert reply.text.startswith("To protect your privacy")
    (note,) = bridge.notes(said.conversation_id)
    assert "the customer's record" in note.text
    assert "business@clearsail.example" in note.text
    (turn,) = await turns(bridge)
    assert (turn.state, turn.held_back) == ("withheld", "personal_data")
    other = bridge.helpdesk.customer_says("cus_2", LARGE, channel="comment", email="ann@example.com")
    private = bridge.helpdesk.customer_says("cus_1", LARGE, channel="direct_message")
    await bridge.settled()
    for passed in (other, private):
        assert "business@clearsail.example" in bridge.replies(passed.conversation_id)[0].text


async def test_a_person_at_the_desk_is_kept_from_it_too(bridge: Bridge, api: Any) -> None:
    """In the customer's language; the hand-off goes on, and a harmless word passes."""
    row = await hand_over(bridge, text="转人工", name="李雷", email="li@example.com", channel="comment")
    for text in ("您好，您的单号是SF1234567890123", "好的，马上处理"):
        for action, body in (("claim", None), ("reply", {"text": text})):
            done = await api.post(
                f"/v1/desk/hand-offs/{row.ref}/{action}",
                json={"agent": {"id": "mei", "name": "Mei"}, **(body or {})},
            )
            assert done.is_success, done.text
    await bridge.settled()
    *_, invited, passed = bridge.replies(row.conversation_id)
    assert invited.text.startswith("为保护您的隐私")
    assert passed.text == "好的，马上处理"
    assert any("SF1234567890123" in note.text for note in bridge.notes(row.conversation_id))
    (hand_off,) = await bridge.rows("SELECT state FROM hand_off")
    assert hand_off.state == "claimed"


async def test_a_long_answer_comes_in_parts_and_counts_once(bridge: Bridge) -> None:
    """In order, numbered, each with its key; one turn, one verdict, one first response."""
    said = bridge.helpdesk.customer_says("cus_1", LARGE)
    await bridge.settled()
    replies = bridge.replies(said.conversation_id)
    assert len(replies) > 2
    assert [r.text[:6] for r in replies] == [f"({n}/{len(replies)}) " for n in range(1, len(replies) + 1)]
    assert all(len(reply.text) <= 100 for reply in replies)
    assert len(await turns(bridge)) == 1
    rows = await bridge.rows("SELECT turn, key FROM command WHERE kind = 'reply' ORDER BY ref")
    assert [row.turn for row in rows] == [1] + [None] * (len(replies) - 1)
    assert len({row.key for row in rows}) == len(replies)
    assert bridge.notes(said.conversation_id) == []


async def test_what_is_longer_still_ends_with_where_to_go_on(bridge: Bridge) -> None:
    """Cut at the limit, with a link; people have it in full."""
    said = bridge.helpdesk.customer_says("cus_1", LARGE, channel="email")
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert len(reply.text) <= 100
    assert reply.text.endswith("https://shop.example/dm")
    (note,) = bridge.notes(said.conversation_id)
    assert "business@clearsail.example" in note.text
