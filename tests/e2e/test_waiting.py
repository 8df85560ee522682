"""Time passes: a VIP who waits gets a person, and silence after an answer is a verdict."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from support.bridge import Bridge, eventually

from knowledge.answers import Answer, Answerer, Question


@pytest.fixture
def overrides() -> dict[str, Any]:
    """An AI that may take longer than a VIP will wait."""
    return {"answers": {"time_limit": 60}, "turns": {"quiet": 0}}


async def test_a_vip_is_not_kept_waiting(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AI hangs; after 15 seconds the policy gives the VIP a person, and nobody else."""
    stuck = asyncio.Event()

    async def hang(_answerer: Answerer, _question: Question, **_: Any) -> Answer:
        await stuck.wait()
        raise TimeoutError

    monkeypatch.setattr(Answerer, "answer", hang)
    question = "How long does delivery take?"
    vip = bridge.helpdesk.customer_says("cus_vip", question, attributes={"tier": "gold"})
    other = bridge.helpdesk.customer_says("cus_2", question)
    await eventually(lambda: bridge.rows("SELECT 1 FROM turn OFFSET 1"), what="both wait")
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE turn SET opened_at = opened_at - interval '13 seconds'"))
    await eventually(lambda: bridge.replies(vip.conversation_id), what="a word to the VIP")
    (decision,) = await bridge.rows("SELECT rule, inputs FROM decision")
    assert decision.rule == "vip-never-waits"
    waited = msgspec.convert(decision.inputs["waiting"], timedelta)
    assert timedelta(seconds=15) < waited < timedelta(seconds=21), "as soon as it is looked at after 15 s"
    assert not bridge.replies(other.conversation_id)
    stuck.set()


async def test_silence_after_an_answer_resolves_its_turn(bridge: Bridge) -> None:
    """Four quiet hours, told by the clock of the rows, make the turn a success."""
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    (turn,) = await bridge.rows("SELECT verdict FROM turn")
    assert turn.verdict == "open"
    async with bridge.house.engine.begin() as connection:
        await connection.execute(text("UPDATE turn SET last_customer_at = now() - interval '5 hours'"))

    async def resolved() -> bool:
        (row,) = await bridge.rows("SELECT verdict, signals FROM turn")
        return bool(row.verdict == "resolved" and row.signals[0]["name"] == "silence")

    await eventually(resolved, what="the verdict", within=8)
