"""Merging customers through the API: by a person, as suggested, undone; and what it never touches."""

import asyncio
from typing import Any

import httpx
import pytest
from support.bridge import eventually
from support.connected import ConnectedBridge
from support.desk import MEI, open_api
from typer.testing import CliRunner

from gateway.cli import app

BY = {"agent": MEI}


@pytest.fixture
async def api(connected: ConnectedBridge) -> httpx.AsyncClient:
    """The API of the bridge, with a key that opens all of it."""
    return await open_api(connected)


async def meet(connected: ConnectedBridge) -> tuple[int, int]:
    """A customer at each connection; their refs."""
    connected.helpdesk.customer_says("cus_1", "Hello", name="Ann", attributes={"size": "M"})
    connected.crm.customer_says("crm_1", "Hello", name="Ann Lee", attributes={"tier": "gold"})
    await connected.settled()
    return await connected.ref_of("shop", "cus_1"), await connected.ref_of("crm", "crm_1")


async def test_a_person_merges_two_customers_and_undoes_it(
    connected: ConnectedBridge, api: httpx.AsyncClient
) -> None:
    """Either ref shows one customer with all addresses; undone, everything is as it was."""
    ann, lee = await meet(connected)
    before = [(await api.get(f"/v1/customers/{ref}")).json() for ref in (ann, lee)]
    merged = await api.post(f"/v1/customers/{ann}/merge", json=BY | {"gone": lee})
    assert merged.status_code == 200, merged.text
    merge = merged.json()
    assert (merge["state"], merge["rule"], merge["person"]) == ("merged", "person", MEI)
    for ref in (ann, lee):
        found = (await api.get(f"/v1/customers/{ref}")).json()
        assert found["customer"]["ref"] == ann
        assert found["customer"]["attributes"] == {"size": "M", "tier": "gold"}
        assert {i["value"] for i in found["customer"]["identities"]} == {"cus_1", "crm_1"}
        assert {v["connection"] for v in found["conversations"]} == {"shop", "crm"}
        assert [each["ref"] for each in found["merges"]] == [merge["ref"]]
    undone = (await api.post(f"/v1/customers/merges/{merge['ref']}/undo", json=BY)).json()
    assert (undone["state"], undone["undone_by"]) == ("undone", MEI)
    after = [(await api.get(f"/v1/customers/{ref}")).json() for ref in (ann, lee)]
    for old, new in zip(before, after, strict=True):
        assert {**old, "merges": None} == {**new, "merges": None}


async def test_what_came_after_a_merge_goes_with_its_own_record(
    connected: ConnectedBridge, api: httpx.AsyncClient
) -> None:
    """Conversations and addresses that came meanwhile go back with the one they are about."""
    ann, lee = await meet(connected)
    merge = (await api.post(f"/v1/customers/{ann}/merge", json=BY | {"gone": lee})).json()
    connected.crm.customer_says("crm_1", "And another thing", channel="email")
    connected.crm.state.change_customer(
        connected.crm.state.customer("crm_1"), by="agent", email="lee@example.com"
    )
    await connected.settled()
    assert len((await api.get(f"/v1/customers/{ann}")).json()["conversations"]) == 3
    await api.post(f"/v1/customers/merges/{merge['ref']}/undo", json=BY)
    found = (await api.get(f"/v1/customers/{lee}")).json()
    assert found["customer"]["ref"] == lee
    assert len(found["conversations"]) == 2
    assert {i["value"] for i in found["customer"]["identities"]} == {"crm_1", "lee@example.com"}
    (left,) = (await api.get(f"/v1/customers/{ann}")).json()["conversations"]
    assert left["connection"] == "shop"


async def test_what_was_told_apart_is_not_linked_again(
    connected: ConnectedBridge, api: httpx.AsyncClient
) -> None:
    """A person's word outweighs the rule, also when the address is told anew."""
    proven = {"email": "ann@example.com", "verified": ["email"]}
    connected.helpdesk.customer_says("cus_1", "Hello", **proven)
    connected.crm.customer_says("crm_1", "Hello", **proven)
    await connected.settled()
    (merge,) = (await api.get("/v1/customers/merges?state=merged")).json()["items"]
    assert merge["evidence"] == [{"kind": "email", "value": "ann@example.com"}]
    await api.post(f"/v1/customers/merges/{merge['ref']}/undo", json=BY)
    customer = connected.crm.state.customer("crm_1")
    connected.crm.state.change_customer(
        customer, by="agent", phone="+8613800138000", verified=["email", "phone"]
    )
    connected.crm.state.change_customer(customer, by="agent", email="other@example.com")
    connected.crm.state.change_customer(customer, by="agent", email="ann@example.com")
    await connected.settled()
    assert len(await connected.parties()) == 2
    again = await api.post(f"/v1/customers/merges/{merge['ref']}/undo", json=BY)
    assert (again.status_code, again.json()["detail"]) == (409, f"merge {merge['ref']} is undone, not merged")


@pytest.mark.parametrize("decided", ["accept", "dismiss"])
async def test_two_candidates_are_suggested_to_a_person(
    connected: ConnectedBridge, api: httpx.AsyncClient, decided: str
) -> None:
    """Nobody guesses; the person's decision holds."""
    proven = {"email": "family@example.com", "verified": ["email"]}
    connected.helpdesk.customer_says("cus_1", "Hello", **proven)
    connected.helpdesk.customer_says("cus_2", "Hello", **proven)
    await connected.settled()
    assert len(await connected.parties()) == 2
    (suggested,) = (await api.get("/v1/customers/merges")).json()["items"]
    done = await api.post(f"/v1/customers/merges/{suggested['ref']}/{decided}", json=BY)
    assert done.json()["state"] == {"accept": "merged", "dismiss": "dismissed"}[decided]
    assert len(await connected.parties()) == {"accept": 1, "dismiss": 2}[decided]
    assert (await api.get("/v1/customers/merges")).json()["items"] == []
    connected.helpdesk.state.change_customer(
        connected.helpdesk.state.customer("cus_2"), by="agent", email="x@example.com"
    )
    connected.helpdesk.state.change_customer(
        connected.helpdesk.state.customer("cus_2"), by="agent", email="family@example.com"
    )
    await connected.settled()
    assert (await api.get("/v1/customers/merges")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/customers/1/merge", {"gone": 2}, 404),
        ("/v1/customers/merges/1/undo", {}, 404),
        ("/v1/customers/merges/1/accept", {}, 404),
        ("/v1/customers/merges/1/dismiss", {}, 404),
        ("/v1/customers/1/merge", {}, 400),
    ],
)
async def test_what_is_not_there_can_not_be_merged(
    api: httpx.AsyncClient, path: str, body: dict[str, Any], status: int
) -> None:
    """A clear no, as a problem."""
    answer = await api.post(path, json=BY | body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_customer_is_not_merged_into_itself(
    connected: ConnectedBridge, api: httpx.AsyncClient
) -> None:
    """They are one already."""
    ann, _ = await meet(connected)
    answer = await api.post(f"/v1/customers/{ann}/merge", json=BY | {"gone": ann})
    assert answer.status_code == 409


async def test_customers_are_merged_from_the_command_line(
    connected: ConnectedBridge, api: httpx.AsyncClient
) -> None:
    """Merge, look, undo, list: what is typed is done."""
    ann, lee = await meet(connected)
    environment = {
        "DESKBRIDGE_URL": connected.url,
        "DESKBRIDGE_API_KEY": api.headers["Authorization"].removeprefix("Bearer "),
        "DESKBRIDGE_AGENT": "mei",
        "COLUMNS": "200",
    }

    async def typed(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["customers", *words], env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    assert f"of {ann} and {lee} is merged" in await typed("merge", str(ann), str(lee))
    shown = await typed("show", str(lee))
    assert "cus_1" in shown
    assert "crm_1" in shown
    (merge,) = (await api.get("/v1/customers/merges?state=merged")).json()["items"]
    assert "is undone" in await typed("unmerge", str(merge["ref"]))
    assert str(merge["ref"]) in await typed("merges", "--state", "undone")
    assert "nothing is suggested" in await typed("merges")


class TestReplies:
    """With answers that take a second to be asked for: time to merge in between."""

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        """A burst is over after a second of quiet."""
        return {"turns": {"quiet": 1.0}}

    async def test_a_merge_never_changes_where_a_reply_goes(
        self, connected: ConnectedBridge, api: httpx.AsyncClient
    ) -> None:
        """One person, a conversation at each connection: merged and told apart while replies are prepared."""
        question = "How long does delivery take?"
        shop = connected.helpdesk.customer_says("cus_1", question)
        crm = connected.crm.customer_says("crm_1", question)

        async def both_asked() -> bool:
            rows = await connected.rows("SELECT 1 FROM command WHERE kind = 'answer' AND state = 'waiting'")
            return len(rows) == 2

        await eventually(both_asked, what="both questions wait for the burst's end")
        refs = await connected.ref_of("shop", "cus_1"), await connected.ref_of("crm", "crm_1")
        merge = (await api.post(f"/v1/customers/{refs[0]}/merge", json=BY | {"gone": refs[1]})).json()
        assert not connected.replies(shop.conversation_id)
        await connected.settled()
        self._each_has(connected, shop, crm, 1)
        connected.helpdesk.customer_says("cus_1", "Can I return a sale item?")
        connected.crm.customer_says("crm_1", "Can I return a sale item?")
        await eventually(both_asked, what="both ask again")
        await api.post(f"/v1/customers/merges/{merge['ref']}/undo", json=BY)
        await connected.settled()
        self._each_has(connected, shop, crm, 2)

    @staticmethod
    def _each_has(connected: ConnectedBridge, shop: Any, crm: Any, replies: int) -> None:
        for helpdesk, said in ((connected.helpdesk, shop), (connected.crm, crm)):
            spoken = [m for m in helpdesk.messages if m.author == "bot" and not m.private]
            assert [m.conversation_id for m in spoken] == [said.conversation_id] * replies
