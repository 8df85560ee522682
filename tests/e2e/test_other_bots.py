"""Where another bot speaks to the customer, ours doesn't."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually
from support.policies import written


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A short patience with other bots, told by the clock of the rows."""
    return {"voice": {"other_bot_silence": timedelta(minutes=5)}}


def other_bot_says(bridge: Bridge, conversation_id: str, words: str) -> None:
    """A bot that isn't ours writes: no command of ours bears its message."""
    bridge.helpdesk.state.post(bridge.helpdesk.state.conversation(conversation_id), words, author="bot")


async def holders(bridge: Bridge) -> list[tuple[str, str]]:
    """Who held the lease, and why."""
    rows = await bridge.rows("SELECT holder, cause FROM lease_change ORDER BY epoch")
    return [(row.holder, row.cause) for row in rows]


async def test_two_bots_never_talk_over_each_other(bridge: Bridge) -> None:
    """A bot that isn't ours takes the conversation by speaking: what is said next is its to answer."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "Hello, I am Captain.")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert [reply.token is None for reply in bridge.replies(said.conversation_id)] == [False, True]
    assert await holders(bridge) == [("ai", "first_seen"), ("other_bot", "other_bot_spoke")]
    first, second = await bridge.rows("SELECT ended_by, answer FROM turn ORDER BY number")
    assert (first.ended_by, first.answer["by"]) == ("other_bot", "ai")
    assert (second.ended_by, second.answer) == (None, None), "it is for the other bot to answer"


async def test_a_bot_that_falls_silent_gives_the_conversation_back(bridge: Bridge) -> None:
    """After the silence that the settings allow, the AI answers the next question; not before."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "Hello, I am Captain.")
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE conversation SET lease_since = now() - interval '6 minutes'"))
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("other_bot", "other_bot_spoke"), "it has just spoken"
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE message SET seen_at = now() - interval '6 minutes'"))

    async def returned() -> bool:
        return (await holders(bridge))[-1] == ("ai", "other_bot_silent")

    await eventually(returned, what="the lease back with the AI")
    bridge.helpdesk.customer_says("cus_1", "What is your return policy?")
    await bridge.settled()
    assert bridge.replies(said.conversation_id)[-1].token is not None


async def test_a_bot_takes_nothing_from_people(bridge: Bridge) -> None:
    """An automatic word in a conversation that waits for a person changes nobody's turn."""
    said = bridge.helpdesk.customer_says("cus_1", "I want a person")
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "All our agents are busy.")
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("nobody", "rule:asked-for-a-person")
    (waiting,) = await bridge.rows("SELECT state FROM hand_off")
    assert waiting.state == "offered"


async def test_where_our_ai_does_not_answer_resolving_does_not_wake_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without our AI stays without it."""
    without = bridge.settings.connections["shop"].model_copy(update={"ai": False})
    monkeypatch.setitem(bridge.settings.connections, "shop", without)
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "Hello?", conversation_id=said.conversation_id)
    await bridge.settled()
    assert bridge.replies(said.conversation_id) == []


def fails(turn: Any) -> tuple[str, str, str]:
    """Of a turn: whose answer it had, what became of it, and by which sign."""
    return turn.answer["by"], turn.verdict, turn.signals[0]["name"]


async def asked_and_answered(bridge: Bridge, question: str, *answers: str, conversation: str) -> None:
    """The customer asks, the other bot answers."""
    bridge.helpdesk.customer_says("cus_1", question, conversation_id=conversation)
    await bridge.settled()
    for answer in answers:
        other_bot_says(bridge, conversation, answer)
    await bridge.settled()


async def begun_by_the_other_bot(bridge: Bridge, **details: Any) -> str:
    """A conversation that another bot has, with our AI's answer to the first question."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", name="Ann", **details)
    await bridge.settled()
    other_bot_says(bridge, said.conversation_id, "Hello, I am Captain.")
    await bridge.settled()
    return str(said.conversation_id)


async def test_three_failed_turns_of_another_bot_bring_a_person(bridge: Bridge) -> None:
    """The same verdicts, the same rule, the same words to the customer; the bot takes nothing any more."""
    conversation = await begun_by_the_other_bot(bridge)
    await asked_and_answered(bridge, "Where is my parcel?", "Parcels!", "Lots.", conversation=conversation)
    await asked_and_answered(
        bridge, "Where is my parcel then?", "We sell parcels.", conversation=conversation
    )
    await asked_and_answered(
        bridge, "That is not what I asked", "Would you like a parcel?", conversation=conversation
    )
    bridge.helpdesk.customer_says("cus_1", "That did not help", conversation_id=conversation)
    await bridge.settled()
    turns = await bridge.rows("SELECT * FROM turn WHERE number > 1 ORDER BY number")
    assert [fails(turn) for turn in turns[:3]] == [
        ("other_bot", "unresolved", "rephrased"),
        ("other_bot", "unresolved", "did_not_help"),
        ("other_bot", "unresolved", "did_not_help"),
    ]
    assert turns[0].answer["text"] == "Parcels!\nLots."
    (decision,) = await bridge.rows("SELECT rule, inputs FROM decision")
    assert (decision.rule, decision.inputs) == ("three-failed-ai-turns", {"ai.failed_turns": 3})
    assert (await holders(bridge))[-1] == ("nobody", "rule:three-failed-ai-turns")
    ours = [reply.text for reply in bridge.replies(conversation) if reply.token is not None]
    assert len(ours) == 2
    assert "A colleague is taking over" in ours[-1]
    (note,) = bridge.notes(conversation)
    assert "Other bot: We sell parcels." in note.text
    assert bridge.helpdesk.state.conversation(conversation).status == "open"

    other_bot_says(bridge, conversation, "Anything else?")
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("nobody", "rule:three-failed-ai-turns")
    (hand_off,) = await bridge.rows("SELECT state, package FROM hand_off")
    assert hand_off.state == "offered"
    assert [tried["by"] for tried in hand_off.package["tried"]] == ["ai", *["other_bot"] * 3, None]


async def test_failures_count_together_whichever_bot_failed(bridge: Bridge) -> None:
    """Two of ours and one of another's: the customer has been failed three times."""
    conversation = ""
    for question in ("Do you sell submarines?", "What is the airspeed of a swallow?"):
        said = bridge.helpdesk.customer_says("cus_1", question)
        conversation = said.conversation_id
        await bridge.settled()
    other_bot_says(bridge, conversation, "Hello, I am Captain.")
    await asked_and_answered(bridge, "Who won the 1966 cup?", "We have cups!", conversation=conversation)
    assert await bridge.rows("SELECT 1 FROM decision") == []
    bridge.helpdesk.customer_says("cus_1", "That is not what I asked", conversation_id=conversation)
    await bridge.settled()
    (decision,) = await bridge.rows("SELECT rule, inputs FROM decision")
    assert (decision.rule, decision.inputs) == ("three-failed-ai-turns", {"ai.failed_turns": 3})


async def test_asking_another_bot_for_a_person_is_enough(bridge: Bridge) -> None:
    """The wish goes to the rules, whoever answers; nothing of ours is said but that somebody comes."""
    conversation = await begun_by_the_other_bot(bridge)
    bridge.helpdesk.customer_says("cus_1", "转人工", conversation_id=conversation)
    await bridge.settled()
    assert (await holders(bridge))[-1] == ("nobody", "rule:asked-for-a-person")
    assert "人工" in bridge.replies(conversation)[-1].text
    questions = await bridge.rows("SELECT 1 FROM command WHERE kind = 'answer'")
    assert len(questions) == 1, "our AI was asked nothing more"


async def test_a_burst_that_another_bot_answers_before_ours_is_its_turn(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our AI has not answered yet: its question is withdrawn, and the answer on record is the other's."""
    slow = bridge.settings.turns.model_copy(update={"quiet": timedelta(seconds=30)})
    monkeypatch.setattr(bridge.house.settings, "__dict__", bridge.house.settings.__dict__ | {"turns": slow})
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")

    async def asked() -> bool:
        return bool(await bridge.rows("SELECT 1 FROM command WHERE kind = 'answer'"))

    await eventually(asked, what="the question waits for the burst to end")
    other_bot_says(bridge, said.conversation_id, "Two days.")
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT answer, epoch, ended_by FROM turn")
    assert (turn.answer["by"], turn.answer["text"], turn.ended_by) == ("other_bot", "Two days.", None)
    assert [reply.token for reply in bridge.replies(said.conversation_id)] == [None]


async def test_a_vip_whom_another_bot_keeps_waiting_gets_a_person(bridge: Bridge) -> None:
    """The clock looks at those turns, too; and our AI doesn't answer for it."""
    conversation = await begun_by_the_other_bot(bridge, attributes={"tier": "gold"})
    bridge.helpdesk.customer_says("cus_1", "Where is my parcel?", conversation_id=conversation)
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE turn SET opened_at = now() - interval '16 seconds'"))

    async def handed_off() -> bool:
        return (await holders(bridge))[-1] == ("nobody", "rule:vip-never-waits")

    await eventually(handed_off, what="a person for the VIP")
    await bridge.settled()
    assert len(await bridge.rows("SELECT 1 FROM command WHERE kind = 'answer'")) == 1


async def test_content_silence_judges_another_bots_answer(bridge: Bridge) -> None:
    """Who says nothing for hours after its answer was helped by it."""
    conversation = await begun_by_the_other_bot(bridge)
    await asked_and_answered(bridge, "Where is my parcel?", "On its way.", conversation=conversation)
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE turn SET last_customer_at = now() - interval '5 hours'"))

    async def resolved() -> bool:
        rows = await bridge.rows("SELECT verdict FROM turn WHERE number = 2")
        return bool(rows[0].verdict == "resolved")

    await eventually(resolved, what="the verdict by silence")


async def test_a_bot_that_leaves_a_question_unanswered_has_failed_it(bridge: Bridge) -> None:
    """It falls silent on a question: that turn has timed out, and the AI has the conversation again."""
    conversation = await begun_by_the_other_bot(bridge)
    bridge.helpdesk.customer_says("cus_1", "Where is my parcel?", conversation_id=conversation)
    await bridge.settled()
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE conversation SET lease_since = now() - interval '6 minutes'"))
        await connection.execute(text("UPDATE turn SET opened_at = now() - interval '6 minutes'"))
        await connection.execute(text("UPDATE message SET seen_at = now() - interval '6 minutes'"))

    async def returned() -> bool:
        return (await holders(bridge))[-1] == ("ai", "other_bot_silent")

    await eventually(returned, what="the lease back with the AI")
    (turn,) = await bridge.rows("SELECT answer, verdict FROM turn WHERE number = 2")
    assert (turn.answer["by"], turn.answer["state"], turn.verdict) == (
        "other_bot",
        "timed_out",
        "unresolved",
    )


class TestARuleThatSpeaks:
    """A policy may say something without handing off."""

    @pytest.fixture
    def overrides(self, tmp_path: Path) -> dict[str, Any]:
        """A rule that speaks whenever parcels are mentioned."""
        return {"policies": written(tmp_path, SPEAKING)}

    async def test_it_is_kept_back_where_another_bot_has_the_word(self, bridge: Bridge) -> None:
        """On record with the reason; two voices would be worse than one."""
        conversation = await begun_by_the_other_bot(bridge)
        await asked_and_answered(bridge, "Where is my parcel?", "Here.", conversation=conversation)
        kept = await bridge.rows("SELECT state, reason FROM command WHERE body ->> 'text' = 'Hold on.'")
        assert [(each.state, each.reason) for each in kept] == [("superseded", "another bot has the word")]


SPEAKING = """
policy: speaking
rules:
  - name: hold-on
    when: message.text.contains("parcel")
    then: [{say: hold.on}]
messages:
  hold.on: {zh: 稍等。, en: Hold on.}
"""
