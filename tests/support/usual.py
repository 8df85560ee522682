"""What is the same at every helpdesk: a question is answered, and a person may take over."""

from typing import Any

QUESTION = "How long does delivery take?"


async def answered_once(bridge: Any, thread: Any) -> None:
    """The AI has answered, its own words came back in vain, and nothing is left to do."""
    assert await bridge.lease(thread) == ("ai", 1)
    assert await bridge.mirrored() == [("customer", False), ("ai", True)]
    assert len(await bridge.rows("SELECT 1 FROM turn")) == 1
    assert set(bridge.helpdesk.post.statuses) == {202}
    assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []
    assert await bridge.rows("SELECT 1 FROM command WHERE state <> 'done'") == []


async def taken_over(bridge: Any, *, private: str) -> None:
    """An agent's private note, of that kind, takes nothing; their word does, and the AI says no more."""
    thread = bridge.helpdesk.customer_says(QUESTION)
    await bridge.settled()
    bridge.helpdesk.agent_says(thread, "nice answer", kind=private)
    await bridge.settled()
    assert await bridge.lease(thread) == ("ai", 1)
    bridge.helpdesk.agent_says(thread, "Let me look into it.")
    await bridge.settled()
    bridge.helpdesk.customer_says("What is your return policy?", thread)
    await bridge.settled()
    assert len(bridge.helpdesk.said(thread)) == 2
    assert await bridge.lease(thread) == ("saas_agent", 2)
