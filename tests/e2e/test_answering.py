"""A customer writes, the private knowledge answers: through HTTP on both sides."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.bridge import Bridge


async def test_a_question_is_answered_with_its_source(bridge: "Bridge") -> None:
    """The customer asks in English and reads the shop's own words."""
    said = bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", name="Ann")
    await bridge.settled()
    (reply,) = bridge.replies(said.conversation_id)
    assert reply.author == "bot"
    assert "Source:" in reply.text
