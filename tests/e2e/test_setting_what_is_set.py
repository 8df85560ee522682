"""Setting a value that is there already does nothing, on either side."""

from pathlib import Path
from typing import Any

import pytest
from support.bridge import Bridge
from support.policies import written

POLICY = """
policy: busy
rules:
  - name: every-turn
    when: turn.number > 0
    once: turn
    then:
      - tag: {add: [seen], remove: [unseen]}
      - set_status: pending
      - assign: {agent: agent_1}
"""


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, Any]:
    """A policy that sets the same again and again."""
    return {"policies": written(tmp_path, POLICY)}


async def test_a_rule_that_sets_what_is_set_sends_nothing(bridge: Bridge) -> None:
    """Tags, status and assignee are told once; begun anew, the same rule finds them as wanted."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    kinds = "SELECT kind FROM command WHERE kind IN ('change_tags', 'set_status', 'assign') ORDER BY ref"
    assert [row.kind for row in await bridge.rows(kinds)] == ["change_tags", "assign"]
    conversation = bridge.helpdesk.state.conversation(said.conversation_id)
    assert (conversation.tags, conversation.status) == (["seen"], "pending")
    bridge.helpdesk.set_status(said.conversation_id, "resolved")
    await bridge.settled()
    bridge.helpdesk.customer_says("cus_1", "And returns?", conversation_id=said.conversation_id)
    await bridge.settled()
    decided = await bridge.rows("SELECT 1 FROM decision")
    assert len(decided) == 2, "the rule acted again"
    assert [row.kind for row in await bridge.rows(kinds)] == ["change_tags", "assign"]


async def test_being_told_what_is_known_triggers_nothing(bridge: Bridge) -> None:
    """The same assignee, status and tags once more: no lease change, no command, no write."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    state = bridge.helpdesk.state
    conversation = state.conversation(said.conversation_id)
    before = await bridge.rows(
        "SELECT (SELECT count(*) FROM lease_change) AS leases, (SELECT count(*) FROM command) AS commands,"
        " (SELECT count(*) FROM decision) AS decisions, (SELECT count(*) FROM message) AS messages"
    )
    for _ in range(3):
        state._announce_conversation(conversation, "agent")  # noqa: SLF001 - says again what it said
    await bridge.settled()
    after = await bridge.rows(
        "SELECT (SELECT count(*) FROM lease_change) AS leases, (SELECT count(*) FROM command) AS commands,"
        " (SELECT count(*) FROM decision) AS decisions, (SELECT count(*) FROM message) AS messages"
    )
    assert after == before
