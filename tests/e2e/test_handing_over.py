"""When the AI fails, or a person is wanted, a person takes over, knowing everything."""

from support.bridge import Bridge, eventually

UNKNOWN = ("Do you sell submarines?", "What is the airspeed of a swallow?", "Who won the 1966 cup?")


async def fail_three_times(bridge: Bridge, customer: str) -> str:
    """Ask three things that the shop knows nothing about."""
    conversation = ""
    for question in UNKNOWN:
        said = bridge.helpdesk.customer_says(customer, question, name="Ann", email="ann@example.com")
        conversation = said.conversation_id
        await bridge.settled()
    return conversation


async def test_three_failed_turns_bring_a_person_with_the_whole_context(bridge: Bridge) -> None:
    """The third failed turn hands over: the customer is told, the desk gets the package, the SaaS a note."""
    conversation = await fail_three_times(bridge, "cus_1")
    replies = bridge.replies(conversation)
    assert [reply.author for reply in replies] == ["bot"] * 3
    assert "colleague" in replies[-1].text
    (hand_off,) = await bridge.rows("SELECT * FROM hand_off")
    package = hand_off.package
    assert package["schema"] == "deskbridge.hand_off/1"
    assert package["goal"] == UNKNOWN[-1]
    assert package["rule"]["rule"] == "three-failed-ai-turns"
    assert package["rule"]["inputs"] == {"ai.failed_turns": 3}
    assert [tried["asked"] for tried in package["tried"]] == [[question] for question in UNKNOWN]
    assert {tried["verdict"] for tried in package["tried"]} == {"unresolved"}
    assert {"kind": "email", "value": "ann@example.com", "connection": "shop"} in package["customer"][
        "identities"
    ]
    told = [line["text"] for line in package["transcript"] if line["author"] == "customer"]
    assert told == list(UNKNOWN)
    (note,) = bridge.notes(conversation)
    assert UNKNOWN[-1] in note.text
    assert "ann@example.com" in note.text
    assert bridge.helpdesk.state.conversation(conversation).status == "open"


async def test_asking_for_a_person_is_enough(bridge: Bridge) -> None:
    """The wish is granted before anything is answered, in the customer's language."""
    said = bridge.helpdesk.customer_says("cus_1", "转人工客服", name="小安")
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert "人工" in reply.text
    (decision,) = await bridge.rows("SELECT rule, event_ref, inputs, revision FROM decision")
    assert decision.rule == "asked-for-a-person"
    assert decision.inputs == {"turn.asked_for_person": True}
    (event,) = await bridge.rows("SELECT * FROM inbox WHERE ref = :ref", ref=decision.event_ref)
    assert event.connection == "shop"


async def test_the_ai_stays_silent_once_a_person_has_spoken(bridge: Bridge) -> None:
    """A person who writes in the SaaS takes the lease: what the customer says next is theirs to answer."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    bridge.helpdesk.agent_says(said.conversation_id, "Hello, I am looking into it myself.")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    authors = [reply.author for reply in bridge.replies(said.conversation_id)]
    assert authors == ["bot", "agent"]
    (row,) = await bridge.rows("SELECT lease_holder, lease_epoch FROM conversation")
    assert (row.lease_holder, row.lease_epoch) == ("saas_agent", 2)


async def test_resolving_gives_the_conversation_back_to_the_ai(bridge: Bridge) -> None:
    """After a person has resolved it, the customer's next question is the AI's again."""
    said = bridge.helpdesk.customer_says("cus_1", "转人工")
    await bridge.settled()
    bridge.helpdesk.agent_says(said.conversation_id, "您好，已为您处理。")
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.settled()
    again = bridge.helpdesk.customer_says("cus_1", "配送要多久？", conversation_id=said.conversation_id)
    await bridge.settled()
    assert bridge.replies(again.conversation_id)[-1].author == "bot"
    history = await bridge.rows("SELECT holder, cause FROM lease_change ORDER BY epoch")
    assert [(row.holder, row.cause) for row in history] == [
        ("ai", "first_seen"),
        ("nobody", "rule:asked-for-a-person"),
        ("saas_agent", "agent_spoke"),
        ("ai", "resolved"),
    ]


async def test_an_answer_under_way_is_withdrawn_when_a_person_speaks(bridge: Bridge) -> None:
    """No second voice: the person is faster than the answer, so the answer is never sent."""
    bridge.helpdesk.courier.log.clear()
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")

    async def asked() -> bool:
        return bool(await bridge.rows("SELECT 1 FROM command WHERE kind = 'answer'"))

    await eventually(asked, what="the question reached the AI's queue")
    bridge.helpdesk.agent_says(said.conversation_id, "I'll take this one.")
    await bridge.settled()
    assert [reply.author for reply in bridge.replies(said.conversation_id)] == ["agent"]
