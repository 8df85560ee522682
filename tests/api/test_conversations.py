"""Reading: conversations in pages, one with everything around it, and its whole story."""

from typing import Any

import httpx
from support.bridge import Bridge
from support.desk import act, hand_over

QUESTION = "How long does delivery take?"


async def _walk(api: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        answer = await api.get(following)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        following = page["next"]
    return items


async def test_following_next_meets_every_conversation_once(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Also while old conversations go on and new ones begin."""
    for number in range(7):
        bridge.helpdesk.customer_says(f"cus_{number}", "hello")
    await bridge.settled()
    first = (await api.get("/v1/conversations?limit=3")).json()
    bridge.helpdesk.customer_says("cus_0", "anybody there?")
    bridge.helpdesk.customer_says("cus_new", "hello")
    await bridge.settled()
    items = first["items"] + await _walk(api, first["next"])
    assert len(first["items"]) == 3
    assert len({item["ref"] for item in items}) == len(items) == 7


async def test_conversations_are_filtered(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """By status, channel, connection and who may speak; the filter stays in `next`."""
    hand_off = await hand_over(bridge, "cus_1")
    for number in range(3):
        bridge.helpdesk.customer_says(f"live_{number}", "hello", channel="live")
    await bridge.settled()
    assert [c["ref"] for c in await _walk(api, "/v1/conversations?lease=nobody")] == [
        hand_off.conversation_ref
    ]
    assert len(await _walk(api, "/v1/conversations?channel=live&limit=1")) == 3
    assert len(await _walk(api, "/v1/conversations?connection=shop")) == 4
    assert await _walk(api, "/v1/conversations?status=resolved") == []
    assert (await api.get("/v1/conversations?status=nonsense")).status_code == 400
    assert (await api.get("/v1/conversations?limit=0")).status_code == 400


async def test_a_made_up_cursor_is_refused(api: httpx.AsyncClient) -> None:
    """Whatever it holds, the answer is 400."""
    for cursor in ("x", "!!!", "bnVsbA", "W10", "WyJhIl0", "WzFlOTld", "eyJhIjoxfQ"):
        answer = await api.get("/v1/conversations", params={"cursor": cursor})
        assert answer.status_code == 400, cursor
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_conversation_comes_with_customer_lease_and_hand_off(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """One request tells who it is, who may speak and who was asked to take over."""
    hand_off = await hand_over(bridge, email="ann@example.com")
    found = (await api.get(f"/v1/conversations/{hand_off.conversation_ref}")).json()
    assert found["conversation"]["lease"]["holder"] == "nobody"
    assert found["customer"]["name"] == "Ann"
    addresses = [(i["connection"], i["kind"], i["value"]) for i in found["customer"]["identities"]]
    assert ("shop", "email", "ann@example.com") in addresses
    assert [h["ref"] for h in found["hand_offs"]] == [hand_off.ref]
    customer = (await api.get(f"/v1/customers/{found['customer']['ref']}")).json()
    assert [c["ref"] for c in customer["conversations"]] == [hand_off.conversation_ref]


async def test_what_has_not_changed_is_not_sent_again(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """The ETag of the last reading saves the body, until something happens."""
    hand_off = await hand_over(bridge)
    path = f"/v1/conversations/{hand_off.conversation_ref}"
    tag = (await api.get(path)).headers["etag"]
    same = await api.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await act(api, hand_off.ref, "claim")
    assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_what_is_unknown_is_404(api: httpx.AsyncClient) -> None:
    """For every single resource."""
    for path in ("/v1/conversations/77", "/v1/conversations/77/timeline", "/v1/customers/77"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert (await api.get("/v1/conversations/abc")).status_code == 404


async def test_the_timeline_tells_the_whole_story_in_order(bridge: Bridge, api: httpx.AsyncClient) -> None:
    """Question, cited answer, wish for a person, decision, hand-off, claim and reply."""
    bridge.helpdesk.customer_says("cus_1", QUESTION)
    await bridge.settled()
    hand_off = await hand_over(bridge)
    await act(api, hand_off.ref, "claim")
    await act(api, hand_off.ref, "reply", text="Mei here.")
    await bridge.settled()
    story = (await api.get(f"/v1/conversations/{hand_off.conversation_ref}/timeline")).json()
    entries = story["entries"]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    told = [_short(entry) for entry in entries if entry["type"] != "command"]
    wanted = [
        "lease ai first_seen",
        f"customer: {QUESTION}",
        "turn 1 unresolved",
        "customer: I want a person",
        "turn 2 unresolved",
        "decision asked-for-a-person",
        "lease nobody rule:asked-for-a-person",
        "hand_off claimed",
        "lease desk_agent desk_claimed",
        "agent: Mei here.",
    ]
    assert [line for line in told if line in wanted] == wanted, told


def _short(entry: dict[str, Any]) -> str:
    kind = entry["type"]
    body = entry[kind]
    match kind:
        case "message":
            return f"{body['author']}: {body['text']}"
        case "turn":
            return f"turn {body['number']} {body['verdict']}"
        case "lease":
            return f"lease {body['holder']} {body['cause']}"
        case "decision":
            return f"decision {body['rule']}"
        case _:
            return f"{kind} {body['state']}"


async def test_the_timeline_shows_what_answers_rest_on_and_every_attempt(
    bridge: Bridge, api: httpx.AsyncClient
) -> None:
    """Citations with quotes, signals with evidence, decisions with inputs, tries with outcomes."""
    bridge.helpdesk.misbehave("error", times=1, path="/api/conversations/")
    bridge.helpdesk.customer_says("cus_1", QUESTION)
    await bridge.settled()
    hand_off = await hand_over(bridge)
    story = (await api.get(f"/v1/conversations/{hand_off.conversation_ref}/timeline")).json()
    by_type: dict[str, list[Any]] = {}
    for entry in story["entries"]:
        by_type.setdefault(entry["type"], []).append(entry[entry["type"]])
    answered, asked = by_type["turn"]
    (citation,) = answered["answer"]["citations"]
    assert citation["quote"]
    assert citation["revision_ref"]
    assert asked["signals"][0] == {
        "name": "asked_for_person",
        "evidence": "want a person",
        "weight": 1.0,
    }
    (decision,) = by_type["decision"]
    assert decision["inputs"] == {"turn.asked_for_person": True}
    assert decision["event_ref"]
    reply = next(c for c in by_type["command"] if c["kind"] == "reply")
    assert [attempt["outcome"] for attempt in reply["attempts"]][-1] == "delivered"
    assert len(reply["attempts"]) == 2
