"""A customer writes, the private knowledge answers: through HTTP on both sides."""

from pathlib import Path
from typing import Any

import pytest
from support.bridge import Bridge
from support.policies import written


async def test_a_question_is_answered_with_its_source(bridge: Bridge) -> None:
    """The customer asks in English and reads the shop's own words."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", name="Ann")
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert reply.author == "bot"
    assert "Source:" in reply.text


class TestWithAPolicyOfTheirOwn:
    """Which says nothing of what Deskbridge says by itself."""

    @pytest.fixture
    def overrides(self, tmp_path: Path) -> dict[str, Any]:
        """A policy without texts."""
        return {"policies": written(tmp_path, "policy: theirs\nrules: []\n")}

    async def test_what_the_knowledge_lacks_is_said_in_our_words(self, bridge: Bridge) -> None:
        """The customer isn't left without a word, and nothing is parked."""
        said = bridge.helpdesk.customer_says("cus_1", "Do you sell submarines?", name="Ann")
        await bridge.settled()
        (reply,) = bridge.replies(said.conversation_id)
        assert "couldn't find an answer" in reply.text
        assert await bridge.rows("SELECT 1 FROM inbox WHERE state <> 'done'") == []
