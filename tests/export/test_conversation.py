"""A real conversation in the log: everything that happened in it, and nothing private when redacted."""

from pathlib import Path

import pytest
from sqlalchemy import text
from support.bridge import Bridge
from support.log import Log

from gateway.export.verifying import verify
from sync.store.log import LOGGED

WROTE = (
    "Do you sell submarines?",
    "I'm Ann, call me on +86 138 0013 8000 or 021-55501234",
    "Who won the 1966 cup? Write to ann@example.com, order 20261111001",
)


async def _hand_over(bridge: Bridge) -> str:
    conversation = ""
    for words in WROTE:
        said = bridge.helpdesk.customer_says(
            "cus_1", words, name="Ann Lee", email="ann@example.com", attributes={"nickname": "Annie"}
        )
        conversation = said.conversation_id
        await bridge.settled()
    bridge.helpdesk.agent_says(conversation, "Hello Ann, I am looking into it.")
    await bridge.settled()
    return conversation


async def test_the_log_tells_the_whole_conversation(bridge: Bridge, tmp_path: Path) -> None:
    """Messages, turns with verdicts and signals, leases, decision, hand-off with its package, customer."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    vendor_id = await _hand_over(bridge)
    await log.export()
    (conversation,) = log.rows("conversations")
    assert (conversation["connection"], conversation["id"]) == ("shop", vendor_id)
    assert conversation["lease_holder"] == "saas_agent"
    told = [row for row in log.rows("messages") if not row["private"]]
    assert [row["author"] for row in told] == ["customer", "ai"] * 3 + ["agent"]
    assert [row["text"] for row in told if row["author"] == "customer"] == list(WROTE)
    turns = log.rows("turns")
    assert [(turn["number"], turn["verdict"]) for turn in turns] == [(n, "unresolved") for n in (1, 2, 3)]
    assert turns[0]["signals"][0]["name"] == "nothing_found"
    assert turns[0]["answer"]["state"] == "nothing_found"
    assert [(row["epoch"], row["holder"]) for row in log.rows("lease_changes")] == [
        (1, "ai"),
        (2, "nobody"),
        (3, "saas_agent"),
    ]
    (decision,) = log.rows("decisions")
    assert (decision["rule"], decision["inputs"]) == ("three-failed-ai-turns", {"ai.failed_turns": 3})
    hand_off = log.rows("hand_offs")[-1]
    assert hand_off["decision_ref"] == decision["ref"]
    assert hand_off["package"]["schema"] == "deskbridge.hand_off/1"
    assert hand_off["package"]["hand_off_ref"] == hand_off["ref"]
    (customer,) = log.rows("customers")
    assert customer["ref"] == conversation["customer_ref"]
    assert {"connection": "shop", "kind": "email", "value": "ann@example.com"} in customer["identities"]
    assert verify(log.directory, log.manifest) == []


@pytest.mark.parametrize("redacted", [False, True])
async def test_each_conversation_says_where_it_took_place(
    bridge: Bridge, tmp_path: Path, *, redacted: bool
) -> None:
    """What was said below one post, or in one broadcast, can be put together again."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    places = [("live", "room_1"), ("live", "room_1"), ("live", "room_2"), ("comment", "post_9"), ("chat", "")]
    for number, (channel, stream) in enumerate(places):
        where = {"channel": channel, "stream": stream or None}
        bridge.helpdesk.customer_says(f"viewer_{number}", "How long does delivery take?", **where)
    await bridge.settled()
    await log.export(redacted=redacted)
    told = [(row["channel"], row["stream"]) for row in log.rows("conversations")]
    assert sorted(told) == sorted(places)


_WATCHED = """
CREATE TRIGGER watched BEFORE UPDATE ON {table} FOR EACH ROW
WHEN (NEW.xid IS DISTINCT FROM pg_current_xact_id()) EXECUTE FUNCTION complain()
"""


async def test_every_change_carries_its_transaction(bridge: Bridge, tmp_path: Path) -> None:
    """An update that kept the old number would never be exported: the database itself watches here."""
    async with bridge.house.engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN RAISE 'an update of % keeps its xid', TG_TABLE_NAME; END$$"
            )
        )
        for table in LOGGED:
            await connection.execute(text(_WATCHED.format(table=table)))
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    conversation = await _hand_over(bridge)
    bridge.helpdesk.set_status(conversation, "resolved")
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?", conversation_id=conversation)
    await bridge.settled()
    await log.export()
    assert [row.detail for row in await bridge.rows("SELECT detail FROM inbox WHERE state = 'parked'")] == []
    assert log.rows("conversations")[0]["lease_holder"] == "ai"
    assert log.rows("turns")[-1]["answer"]["state"] == "sent"


async def test_an_answer_carries_its_citations(bridge: Bridge, tmp_path: Path) -> None:
    """What was answered can be rebuilt from the log: it names revision and span."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    await log.export()
    answer = log.rows("turns")[-1]["answer"]
    (cited,) = answer["citations"]
    assert cited["quote"] == answer["text"]
    assert cited["revision_ref"] > 0


async def test_a_later_run_tells_what_became_of_it(bridge: Bridge, tmp_path: Path) -> None:
    """Conversation, hand-off and lease change again once the matter is resolved."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    conversation = await _hand_over(bridge)
    await log.export()
    bridge.helpdesk.set_status(conversation, "resolved")
    await bridge.settled()
    await log.export()
    assert [row["status"] for row in log.rows("conversations")][-1] == "resolved"
    assert [row["holder"] for row in log.rows("lease_changes")][-1] == "ai"
    assert len(log.refs("messages")) == len(set(log.refs("messages")))


async def test_a_new_address_of_a_known_customer_comes_with_the_next_run(
    bridge: Bridge, tmp_path: Path
) -> None:
    """Addresses lie in a table of their own: one more of them changes the customer in the log."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    bridge.helpdesk.customer_says("cus_1", "Hello", name="Ann")
    await bridge.settled()
    await log.export()
    bridge.helpdesk.state.customers["cus_1"].email = "ann@example.com"
    bridge.helpdesk.customer_says("cus_1", "How long does delivery take?")
    await bridge.settled()
    await log.export()
    kinds = [{item["kind"] for item in row["identities"]} for row in log.rows("customers")]
    assert kinds == [{"vendor"}, {"vendor", "email"}]


async def test_a_redacted_log_holds_no_personal_data(bridge: Bridge, tmp_path: Path) -> None:
    """Not in texts, turns, packages, customers or agents; refs and order numbers stay."""
    log = Log(engine=bridge.house.engine, directory=tmp_path / "log")
    await _hand_over(bridge)
    await log.export(redacted=True)
    everything = "\n".join(path.read_text() for path in log.directory.glob("*.jsonl"))
    agent = bridge.helpdesk.state.agent("agent_1").name
    for secret in ("ann@example.com", "138 0013 8000", "55501234", "Ann", "Annie", "Lee", agent):
        assert secret not in everything, secret
    assert "20261111001" in everything
    assert "[email]" in everything
    assert log.rows("turns")[0]["signals"][0]["name"] == "nothing_found"
